"""Silence, wherever it lies, and single frames say nothing about a track."""

import numpy as np
import pytest

from genreflow.features.handcrafted import extract as handcrafted
from genreflow.features.handcrafted.summary import summarise
from genreflow.features.mel.extract import rows_of
from genreflow.features.sounding import sounds, without_silence_around
from genreflow.registry.handcrafted import Handcrafted
from genreflow.registry.mel import Mel

RATE = 22050
ROBUST = Handcrafted()


def music(seconds=4.0, seed=0):
    """Notes of several pitches over noise, with a pause of a fifth of a second after each."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 220 * 2 ** (np.floor(time * 2) % 5 / 12)
    note = np.sin(2 * np.pi * pitch * time) * np.exp(-4 * (time % 0.5))
    return np.rint(8000 * note + 400 * rng.standard_normal(len(time))).astype(np.int16)


def by_name(samples, params=ROBUST):
    return dict(
        zip(
            handcrafted.row_names(params),
            handcrafted.extract(samples, RATE, params).tolist(),
            strict=True,
        )
    )


# Whole blocks of samples: the frames lie where they lay.
@pytest.mark.parametrize(("before", "after"), [(1024, 0), (0, 22528), (22528, 22528)])
def test_silence_around_a_track_changes_no_feature(before, after):
    track = music()
    padded = np.pad(track, (before, after))
    assert by_name(padded) == pytest.approx(by_name(track), rel=1e-4, abs=1e-4)
    np.testing.assert_allclose(rows_of(padded, RATE, Mel()), rows_of(track, RATE, Mel()), atol=0.07)


def test_silence_within_a_track_enters_no_statistic():
    track = music()
    broken = np.concatenate([track[:44032], np.zeros(22528, np.int16), track[44032:]])
    whole, found = by_name(track), by_name(broken)
    for name in ("rms_p05", "mfcc_01_mean", "mfcc_01_l_kurtosis", "flatness_mean", "contrast_p95"):
        assert found[name] == pytest.approx(whole[name], rel=0.05, abs=0.05), name
    assert len(rows_of(track, RATE, Mel())) == 4
    pause = np.concatenate([track, np.zeros(5 * RATE, np.int16), track])
    loudest = rows_of(pause, RATE, Mel()).max(axis=(1, 2, 3))
    assert loudest.min() > -30
    assert len(rows_of(pause, RATE, Mel(skip_silence=False))) > len(loudest)


def test_no_single_frame_moves_a_robust_statistic():
    series = np.random.default_rng(0).normal(size=(1, 400)).astype(np.float32)
    struck = series.copy()
    struck[0, 200] = -60.0
    robust, plain = (
        np.abs(summarise(struck, kind) - summarise(series, kind)) for kind in ("robust", "plain")
    )
    assert robust.max() < 0.35
    assert plain.max() > 50


def test_robust_statistics_equal_those_of_known_distributions():
    """L-moments of the normal and the exponential distribution: Hosking 1990, table 1."""
    rng = np.random.default_rng(0)
    series = np.stack([rng.normal(3, 2, 200_000), rng.exponential(2, 200_000)]).astype(np.float32)
    high, low, mean, scale, kurtosis, skew = summarise(series, "robust").T
    assert high == pytest.approx([3 + 2 * 1.645, 2 * np.log(20)], rel=0.02)
    assert low == pytest.approx([3 - 2 * 1.645, -2 * np.log(0.95)], rel=0.1)
    assert mean == pytest.approx([3, 2], rel=0.02)
    assert scale == pytest.approx([2 / np.sqrt(np.pi), 1], rel=0.02)
    assert kurtosis == pytest.approx([0.1226, 1 / 6], abs=0.01)
    assert skew == pytest.approx([0, 1 / 3], abs=0.01)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_robust_statistics_of_few_or_equal_frames_are_finite(frames):
    for series in (np.ones((1, frames)), np.arange(frames)[np.newaxis]):
        found = summarise(series.astype(np.float32), "robust")
        assert np.isfinite(found).all()
        assert np.abs(found[0, 4:]).max() <= 1


def test_silence_is_left_out_relative_to_the_track():
    track = music()
    padded = np.pad(track, (5000, 7000))
    for level in (1, 64):
        heard = without_silence_around(padded // level, at_least=1000)
        assert len(track) <= len(heard) + 256
        assert len(heard) <= len(track) + 512


def test_as_much_is_left_as_a_window_takes():
    click = np.zeros(40_000, np.int16)
    click[20_000:24_000] = music(1.0)[:4000]
    assert len(without_silence_around(click, at_least=33_075)) == 33_075
    assert len(rows_of(click, RATE, Mel())) == 1
    assert len(without_silence_around(click[:24_000], at_least=33_075)) == 24_000


def test_all_of_a_silent_track_counts():
    assert sounds(np.zeros(5)).all()
    assert len(without_silence_around(np.zeros(3000, np.int16), at_least=10)) == 3000
