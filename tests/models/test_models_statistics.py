"""What a window says to the models that can't look along time, and whitening."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreflow.models.statistics import OCTAVES, QUANTILES, count_statistics, describe
from genreflow.models.whitening import WithinClassWhitening


def parts(described: np.ndarray, frequency: int) -> tuple[np.ndarray, ...]:
    """Divide into quantiles, changes, differences between bands and fluctuation."""
    pairs = frequency // 2
    ends = np.cumsum([len(QUANTILES) * frequency, frequency, pairs])
    quantiles, change, between, fluctuation = np.split(described, ends, axis=1)
    return (
        quantiles.reshape(-1, len(QUANTILES), frequency),
        change,
        between,
        fluctuation.reshape(-1, len(OCTAVES), pairs),
    )


@given(st.integers(1, 4), st.integers(1, 40), st.integers(1, 9))
def test_windows_of_any_size_have_as_many_statistics_as_counted(n, time, frequency):
    windows = np.random.default_rng(0).normal(-30, 9, (n, time, frequency, 1)).astype(np.float32)
    described = describe(windows)
    assert described.shape == (n, count_statistics(windows.shape[1:]))
    assert described.dtype == np.float32
    assert np.isfinite(described).all()


def test_statistics_are_those_of_numpy_whenever_things_happen():
    rng = np.random.default_rng(1)
    window = rng.normal(-30, 9, (1, 129, 8, 1)).astype(np.float32)
    quantiles, change, between, _ = parts(describe(window), 8)
    levels = window[0, :, :, 0]
    np.testing.assert_allclose(quantiles[0, 2], np.median(levels, axis=0), rtol=1e-5)
    nearest = np.quantile(levels, 0.05, axis=0, method="nearest")
    np.testing.assert_allclose(quantiles[0, 0], nearest, rtol=1e-5)
    np.testing.assert_allclose(change[0], np.abs(np.diff(levels, axis=0)).mean(axis=0), rtol=1e-4)
    first_pair = np.abs(np.diff(levels[:, :3], axis=1)).mean()
    assert between[0, 0] == pytest.approx(first_pair, rel=1e-4)
    shuffled = describe(window[:, rng.permutation(129)])
    np.testing.assert_array_equal(parts(shuffled, 8)[0], quantiles)


@pytest.mark.parametrize(("cycles", "octave"), [(1, 0), (2, 1), (4, 2), (6, 3), (14, 4)])
def test_a_band_that_fluctuates_does_so_at_its_rate(cycles, octave):
    window = np.full((1, 128, 8, 1), -40, dtype=np.float32)
    window[0, :, 2:4, 0] += np.sin(2 * np.pi * cycles * np.arange(128) / 128)[:, np.newaxis]
    fluctuation = parts(describe(window), 8)[3][0]
    assert np.unravel_index(fluctuation.argmax(), fluctuation.shape) == (octave, 1)
    assert fluctuation[:, [0, 2, 3]].max() == 0


def test_after_whitening_a_class_varies_alike_in_every_direction():
    rng = np.random.default_rng(2)
    mixing = rng.normal(size=(6, 6))
    label = np.repeat(["a", "b", "c"], 2000)
    values = rng.normal(size=(6000, 6)) @ mixing + np.repeat(rng.normal(size=(3, 6)), 2000, axis=0)
    whitened = WithinClassWhitening(shrinkage=0.0).fit(values, label).transform(values)
    for genre in "abc":
        covariance = np.cov(whitened[label == genre].T)
        np.testing.assert_allclose(covariance, np.eye(6), atol=0.15)


def test_full_shrinkage_scales_and_turns_nothing():
    rng = np.random.default_rng(3)
    label, values = np.tile([0, 1], 50), rng.normal(size=(100, 4)) * [1, 2, 3, 4]
    matrix = WithinClassWhitening(shrinkage=1.0).fit(values, label).matrix_
    np.testing.assert_allclose(matrix, matrix[0, 0] * np.eye(4), atol=1e-9)


@pytest.mark.parametrize("shrinkage", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("each", [1, 2])
def test_fewer_examples_than_features_are_whitened_too(shrinkage, each):
    """With one example of each class nothing is known of what varies within it."""
    values = np.random.default_rng(4).normal(size=(3 * each, 20)).astype(np.float32)
    whiten = WithinClassWhitening(shrinkage).fit(values, np.repeat([0, 1, 2], each))
    assert np.isfinite(whiten.transform(values)).all()
