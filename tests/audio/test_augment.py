"""Training copies: what they are, who sees them, and that nobody else does."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate
from scipy.stats import spearmanr

from genreflow.audio.augment import RECIPES, make_copy
from genreflow.params import Audio, Recipe
from tests.conftest import ROOT

RATE = 22050
NAMES = get_args(Recipe)


def music(seconds: float = 2.0, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Return noise of all frequencies that comes and goes, int16."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 3000, len(time))
    return np.rint(np.clip(noise * (1.5 + np.sin(5 * time)), -32768, 32767)).astype(np.int16)


MUSIC = music()


def spectrum(samples: np.ndarray) -> np.ndarray:
    """Return the power in bands of 500 Hz [dB]."""
    power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    bands = pairwise(np.arange(0, RATE / 2 + 1, 500))
    return np.array([10 * np.log10(power[(hertz >= a) & (hertz < b)].mean()) for a, b in bands])


def copies(recipe: Recipe, count: int = 12) -> list[np.ndarray]:
    return [make_copy(MUSIC, f"a/{i}.wav", recipe, Audio()) for i in range(count)]


def test_every_name_has_a_recipe_and_a_line_in_the_docs() -> None:
    assert set(RECIPES) == set(NAMES)
    page = (ROOT / "docs/copies.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"| `{name}` | " not in page] == []


@pytest.mark.parametrize("recipe", NAMES)
def test_copies_of_the_same_samples_differ_from_track_to_track_and_not_from_run_to_run(
    recipe: Recipe,
) -> None:
    first = copies(recipe, 4)
    for one, other in zip(first, copies(recipe, 4), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({copy.tobytes() for copy in [MUSIC, *first]}) >= (
        3 if recipe == "codec" else 5
    )  # bit rates are few


def test_recipes_draw_apart_from_each_other() -> None:
    """Else the tracks that are played fastest would also be those with the most treble."""
    factors = [len(MUSIC) / len(copy) for copy in copies("speed")]
    tilts = [spectrum(copy)[-1] - spectrum(copy)[0] for copy in copies("tone")]
    assert abs(spearmanr(factors, tilts).statistic) < 0.8


@settings(max_examples=30, deadline=None)
@given(
    recipe=st.sampled_from(NAMES),
    rate=st.sampled_from([4000, 8000, 20_000, 22_050, 48_000, 96_000]),
    seconds=st.floats(1.5, 2.5),
    track=st.integers(0, 10**6),
    level=st.sampled_from([0.01, 1.0]),
)
def test_a_copy_is_never_too_short_for_a_window_and_never_silent(
    recipe: Recipe, rate: int, seconds: float, track: int, level: float
) -> None:
    params = Audio(sample_rate=rate)
    samples = (level * music(seconds, rate)).astype(np.int16)
    copy = make_copy(samples, f"a/{track}.wav", recipe, params)
    assert copy.dtype == np.int16
    assert len(copy) >= min(len(samples), 1.5 * rate)
    assert len(copy) <= 1.07 * len(samples) + 0.2 * rate
    assert np.abs(copy).max() > 33  # -60 dB full scale
    assert copy[-len(copy) // 2 :].any()


def test_a_track_that_a_recipe_leaves_nothing_of_stays_as_it_is() -> None:
    time = np.arange(2 * RATE) / RATE
    swelling = 8000 * np.sin(np.pi * time / 2) ** 2
    whistle = np.rint(swelling * np.sin(2 * np.pi * 10_500 * time)).astype(np.int16)
    for i in range(4):
        np.testing.assert_array_equal(make_copy(whistle, f"{i}", "band", Audio()), whistle)


def test_band_removes_what_lies_above_a_limit_between_4_and_10_khz() -> None:
    limits = set()
    for copy in copies("band"):
        lost = spectrum(MUSIC) - spectrum(copy) > 20
        limit = int(lost.argmax())
        assert lost[-1]
        assert lost[limit:].all()
        assert 4000 <= 500 * limit <= 10_000
        limits.add(limit)
    assert len(limits) > 4


def test_tone_tilts_the_spectrum_by_up_to_9_db_either_way() -> None:
    changes = [spectrum(copy) - spectrum(MUSIC) for copy in copies("tone")]
    tilts = [change[12:].mean() - change[0] for change in changes]
    assert min(tilts) < -2
    assert max(tilts) > 2
    assert max(np.abs(tilts)) < 9.5


def test_gain_changes_the_level_and_nothing_else() -> None:
    for copy in copies("gain"):
        change = spectrum(copy) - spectrum(MUSIC)
        assert abs(change[0]) < 12.5
        assert np.ptp(change[:12]) < 1


def test_pitch_keeps_the_length_and_moves_the_spectrum() -> None:
    for copy in copies("pitch", 2):
        assert len(copy) == len(MUSIC)
        assert not np.array_equal(copy, MUSIC)


def test_speed_changes_the_length_by_up_to_6_percent_either_way() -> None:
    factors = [len(MUSIC) / len(copy) for copy in copies("speed")]
    assert 0.935 < min(factors) < 0.99
    assert 1.01 < max(factors) < 1.065


def test_noise_lies_20_to_45_db_below() -> None:
    mean = np.mean(np.square(MUSIC, dtype=float))
    ratios = []
    for copy in copies("noise"):
        scale = (copy @ MUSIC.astype(float)) / (MUSIC @ MUSIC.astype(float))
        added = copy / scale - MUSIC
        ratios.append(10 * np.log10(mean / np.mean(np.square(added))))
    assert 19 < min(ratios) < 30 < max(ratios) < 46


def test_codec_keeps_the_music_and_not_the_samples() -> None:
    for copy in copies("codec", 6):
        assert len(copy) == len(MUSIC)
        # The encoder's delay stays in front.
        moved = correlate(copy.astype(float), MUSIC.astype(float)).max()
        assert moved > 0.6 * np.linalg.norm(copy) * np.linalg.norm(MUSIC.astype(float))
        assert not np.array_equal(copy, MUSIC)


def test_mix_begins_with_a_little_silence() -> None:
    silent = [int((copy != 0).argmax()) / RATE for copy in copies("mix")]
    assert max(silent) > 0.05
    assert max(silent) < 0.21
