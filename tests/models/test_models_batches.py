"""What happens to windows on their way into a network."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreflow.features.rows import Matrix
from genreflow.models.base import Examples
from genreflow.models.neural.batches import WindowBatches, curves, draw, mask, mix, warp
from genreflow.registry.cnn import CnnSection

pytestmark = pytest.mark.slow


def examples(windows_per_track: list[int]) -> Examples:
    """Return windows whose value is their row, of tracks that alternate between two genres."""
    track = np.repeat(np.arange(len(windows_per_track)), windows_per_track)
    rows = np.arange(len(track))
    values = np.broadcast_to(rows[:, None, None, None], (len(rows), 4, 3, 1)).astype(np.float32)
    return Examples(Matrix(values), rows, track % 2, track, track, 0 * track)


tracks = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(tracks, st.integers(1, 9))
def test_spread_keeps_windows_of_every_track_without_repeats(counts, per_track):
    kept = examples(counts).spread(per_track)
    assert len(set(kept.rows)) == len(kept)
    np.testing.assert_array_equal(np.bincount(kept.track), np.minimum(counts, per_track))


@given(tracks)
def test_weights_give_every_track_the_same_say(counts):
    part = examples(counts)
    per_track = np.bincount(part.track, weights=part.weight())
    np.testing.assert_allclose(per_track, len(part) / len(counts), rtol=1e-5)


@given(tracks, st.integers(1, 60), st.integers(0, 99))
def test_an_epoch_draws_as_many_windows_of_each_track_whatever_its_length(counts, most, seed):
    found = examples(counts)
    chosen = draw(found, most, np.random.default_rng(seed))
    assert len(chosen) == min(most, sum(counts))
    drawn = np.bincount(found.track[chosen], minlength=len(counts))
    assert drawn.max() - drawn.min() <= 1
    times = np.bincount(chosen, minlength=sum(counts))
    for track, count in enumerate(counts):
        of_track = times[found.track == track]
        assert of_track.max() - of_track.min() <= 1, f"{count} windows: none again before all"


def test_copies_are_drawn_and_make_no_epoch_longer():
    found = examples([4] * 6)
    copy = np.tile([0, 0, 1, 1], 6)
    found = replace(found, copy=copy)
    chosen = draw(found, 1000, np.random.default_rng(0))
    assert len(chosen) == 12
    assert set(copy[chosen]) == {0, 1}


def test_epochs_differ_and_repeat_from_the_same_seed():
    params = CnnSection(batch_size=4, windows_per_epoch=12)
    fill = np.zeros((3, 1), np.float32)
    one, two = (WindowBatches(examples([9] * 6), params, 2, fill) for _ in range(2))
    first = one[0][0]
    np.testing.assert_array_equal(first, two[0][0])
    one.start_epoch(1)
    assert not np.array_equal(first, one[0][0])


@given(st.floats(0.05, 2), st.integers(0, 99))
def test_mixed_targets_stay_probabilities_led_by_the_windows_own_genre(alpha, seed):
    rng = np.random.default_rng(seed)
    target = np.eye(5, dtype=np.float32)
    values = rng.normal(size=(5, 4, 3, 1)).astype(np.float32)
    mixed, mixed_target = values.copy(), target.copy()
    mix(mixed, mixed_target, alpha, rng)
    np.testing.assert_allclose(mixed_target.sum(axis=1), 1, rtol=1e-5)
    assert np.all(np.diag(mixed_target) >= 0.5)
    blended = np.tensordot(mixed_target, values, axes=1)
    np.testing.assert_allclose(mixed, blended, atol=1e-5)


def test_a_warped_window_is_a_slower_one_at_another_pitch():
    """Seen by what lies where: a level is the number of its frame, plus 1000 for each band."""
    time, frequency, middle = 129, 32, 16
    plain = np.arange(time)[:, np.newaxis] + 1000.0 * np.arange(frequency)
    values = np.tile(plain.astype(np.float32)[np.newaxis, ..., np.newaxis], (300, 1, 1, 1))
    warped = warp(values, 4, 0.25, np.random.default_rng(0))[:, :, middle, 0]
    band = np.round((warped[:, time // 2] - time // 2) / 1000)
    assert set(middle - band) == set(range(-4, 5))
    frames = warped - 1000 * band[:, np.newaxis]
    steps = np.diff(frames, axis=1)
    assert (np.ptp(steps, axis=1) < 0.02).all()
    assert 0.75 <= steps.mean(axis=1).min() < 0.76
    assert 0.99 < steps.mean(axis=1).max() <= 1.0
    assert -0.01 < frames.min() < 1
    assert time - 2 < frames.max() < time - 0.99
    np.testing.assert_array_equal(warp(values, 0, 0, np.random.default_rng(0)), values)


@pytest.mark.parametrize("largest", [3.0, 6.0])
def test_filters_are_lines_between_a_few_gains_within_what_was_asked_for(largest):
    gains = curves((500, 128), largest, np.random.default_rng(0))
    assert 0.95 * largest < np.abs(gains).max() <= largest
    assert abs(gains.mean()) < 0.1 * largest
    bends = (np.abs(np.diff(gains, 2, axis=1)) > 1e-3).sum(axis=1)
    assert bends.min() == 0  # a tilt
    assert 4 <= bends.max() <= 6, "a corner between two bands bends at both"


def test_a_window_is_filtered_from_beginning_to_end_and_others_otherwise():
    off = dict.fromkeys(("mixup", "time_mask", "frequency_mask", "pitch_shift", "time_stretch"), 0)
    fill = np.zeros((3, 1), np.float32)
    plain, filtered = (
        WindowBatches(examples([9] * 6), CnnSection(**off, filter_db=largest), 2, fill)[0][0]
        for largest in (0.0, 6.0)
    )
    gains = filtered - plain
    np.testing.assert_allclose(gains, np.broadcast_to(gains[:, :1], gains.shape), atol=1e-5)
    assert len(np.unique(gains[:, 0, 0, 0])) == len(gains)


@pytest.mark.parametrize(("longest", "widest"), [(0.0, 0.0), (0.3, 0.0), (0.3, 0.2)])
def test_masks_are_no_longer_and_wider_than_asked_for(longest, widest):
    masked = mask((200, 40, 20), longest, widest, np.random.default_rng(0))
    rows, columns = masked.all(axis=2).sum(axis=1), masked.all(axis=1).sum(axis=1)
    assert rows.max() == int(40 * longest)
    assert columns.max() == int(20 * widest)


def test_every_optimizer_of_the_parameters_exists():
    from genreflow.models.neural.network import _OPTIMIZERS

    assert set(_OPTIMIZERS) == set(get_args(CnnSection.model_fields["optimizer"].annotation))
