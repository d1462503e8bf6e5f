"""Whether intervals and tests hold what they promise, on results whose truth is known.

Coverage is the share of intervals that hold the truth, 95 % by promise; type I error the share of
false alarms, 5 % by promise. Seeds are fixed; bands are about three standard errors of a
simulation wider than what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, recall_score

from genreflow.evaluation.intervals import (
    Interval,
    balanced_accuracy_interval,
    difference_interval,
    f1_interval,
    proportion_interval,
)
from genreflow.evaluation.significance import mcnemar_p, paired_p
from genreflow.params import Evaluation

pytestmark = pytest.mark.slow

CONFIDENCE = 0.95
N_GENRES = 10

WITHIN = 0.25
"""Correlation of two tracks of an artist: as where half of the artists are known to a model, which
is then right 8 times in 10, and else 3 times."""

# 154 artists with 731 tracks, as unequal as in a real corpus.
UNEQUAL = np.repeat([1, 2, 3, 4, 6, 9, 13, 20], [43, 30, 20, 15, 15, 12, 10, 9])

CORPORA = {
    "12 artists with 5": np.full(12, 5),
    "6 artists with 10": np.full(6, 10),
    "60 artists with 5": np.full(60, 5),
    "30 artists with 10": np.full(30, 10),
    "154 unequal artists": UNEQUAL,
}
of_corpora = pytest.mark.parametrize("sizes", CORPORA.values(), ids=CORPORA)


def names(sizes: np.ndarray) -> list[str]:
    return np.repeat([f"artist {i}" for i in range(len(sizes))], sizes).tolist()


def alone(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def uniform(rng: np.random.Generator, runs: int, sizes: np.ndarray, within: float) -> np.ndarray:
    """Uniform numbers per run and track, of which an artist's tracks share some."""
    of_artist = np.repeat(rng.random((runs, len(sizes))), sizes, axis=1)
    own = rng.random(of_artist.shape)
    return np.where(rng.random(own.shape) < np.sqrt(within), of_artist, own)


def coverage(
    interval: Callable[..., Interval | None],
    runs: np.ndarray,
    groups: Sequence[str],
    truth: float,
) -> float:
    found = [interval(values, groups, CONFIDENCE) for values in runs]
    assert None not in found
    return float(np.mean([bounds.low <= truth <= bounds.high for bounds in found]))


@pytest.mark.parametrize("n", [60, 300])
def test_accuracy_of_tracks_alone_is_held(n: int) -> None:
    """Exactly, over all outcomes of the binomial distribution."""
    outcomes = np.tri(n + 1, n, -1)
    found = [proportion_interval(right, alone(n), CONFIDENCE) for right in outcomes]
    low, high = np.array([(bounds.low, bounds.high) for bounds in found]).T
    held = []
    for p in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98):
        chance = stats.binom.pmf(np.arange(n + 1), n, p)
        held.append(chance[(low <= p) & (p <= high)].sum())
    assert min(held) >= 0.925
    assert max(held) <= 0.985
    assert np.mean(held) == pytest.approx(CONFIDENCE, abs=0.01)


@of_corpora
@pytest.mark.parametrize("p", [0.5, 0.7, 0.9, 0.95, 0.98])
def test_accuracy_of_artists_is_held(sizes: np.ndarray, p: float) -> None:
    rng = np.random.default_rng(0)
    right = (uniform(rng, 1500, sizes, WITHIN) < p).astype(float)
    assert 0.925 <= coverage(proportion_interval, right, names(sizes), p) <= 0.985
    if p <= 0.9:
        # What counting tracks one by one would have claimed.
        assert coverage(proportion_interval, right[:500], alone(sizes.sum()), p) < 0.9


@of_corpora
def test_accuracy_of_artists_whose_tracks_are_independent_is_held(sizes: np.ndarray) -> None:
    """Wider than needed, above all where artists are few, never narrower."""
    rng = np.random.default_rng(1)
    right = (uniform(rng, 1500, sizes, 0) < 0.7).astype(float)
    assert coverage(proportion_interval, right, names(sizes), 0.7) >= 0.94


def test_accuracy_over_several_trainings_is_held() -> None:
    """Five decisions on each of 60 tracks; half of a decision is the track's, half chance."""
    rng = np.random.default_rng(2)
    sizes = np.full(60, 5)
    right = (uniform(rng, 1500, sizes, 0.5) < 0.8).astype(float)
    assert 0.925 <= coverage(proportion_interval, right, names(sizes), 0.8) <= 0.985
    assert coverage(proportion_interval, right[:500], alone(300), 0.8) < 0.8


def differences(
    rng: np.random.Generator, runs: int, sizes: np.ndarray, delta: float, shared: float
) -> np.ndarray:
    """Draw pairs of models, 0.7 and 0.7 + delta accurate, that share what makes a track hard."""
    within = WITHIN if sizes.max() > 1 else 0
    common = uniform(rng, runs, sizes, within)

    def right(p: float) -> np.ndarray:
        own = uniform(rng, runs, sizes, within)
        return (np.where(rng.random(own.shape) < shared, common, own) < p).astype(float)

    return right(0.7 + delta) - right(0.7)


@pytest.mark.parametrize("shared", [0.5, 0.9])
@pytest.mark.parametrize("n", [60, 300])
@pytest.mark.parametrize("delta", [0, 0.05, 0.1, 0.2])
def test_difference_on_tracks_alone_is_held(n: int, delta: float, shared: float) -> None:
    gained = differences(np.random.default_rng(3), 1500, np.ones(n, int), delta, shared)
    assert 0.925 <= coverage(difference_interval, gained, alone(n), delta) <= 0.985


@of_corpora
@pytest.mark.parametrize("delta", [0, 0.05, 0.1, 0.2])
def test_difference_on_artists_is_held(sizes: np.ndarray, delta: float) -> None:
    gained = differences(np.random.default_rng(4), 1500, sizes, delta, 0.5)
    # Six artists tell so little that only caution is left.
    most = 0.985 if len(sizes) > 6 else 0.995
    assert 0.925 <= coverage(difference_interval, gained, names(sizes), delta) <= most
    # What counting tracks one by one would have claimed.
    assert coverage(difference_interval, gained[:500], alone(sizes.sum()), delta) < 0.94


def test_mean_difference_over_several_trainings_is_held() -> None:
    rng = np.random.default_rng(5)
    gained = np.mean([differences(rng, 1500, np.full(60, 5), 0.1, 0.5) for _ in range(3)], axis=0)
    assert 0.925 <= coverage(difference_interval, gained, names(np.full(60, 5)), 0.1) <= 0.985


def confusion_of(accuracy: float) -> np.ndarray:
    """Chances of decisions per genre: some genres are harder, some are taken for each other."""
    rng = np.random.default_rng(6)
    chances = rng.dirichlet(np.full(N_GENRES, 0.5), N_GENRES)
    np.fill_diagonal(chances, 0)
    wrong = (1 - accuracy) * np.linspace(0.4, 1.6, N_GENRES)
    chances *= (wrong / chances.sum(axis=1))[:, None]
    np.fill_diagonal(chances, 1 - wrong)
    return chances


def true_f1(chances: np.ndarray) -> float:
    return float(np.mean(2 * np.diag(chances) / (1 + chances.sum(axis=0))))


@pytest.mark.parametrize(("n", "tracks_each"), [(60, 1), (300, 1), (300, 5)])
@pytest.mark.parametrize("accuracy", [0.5, 0.7, 0.9, 0.98])
def test_macro_f1_and_balanced_accuracy_are_held(n: int, tracks_each: int, accuracy: float) -> None:
    """Less exactly than accuracy: macro F1 of few tracks is biased, here down by up to 0.01."""
    rng = np.random.default_rng(7)
    runs, settings = 300, Evaluation(n_bootstrap=200, confidence=CONFIDENCE)
    chances = confusion_of(accuracy)
    sizes = np.full(n // tracks_each, tracks_each)
    groups = names(sizes)
    actual = np.repeat(np.arange(len(sizes)) % N_GENRES, sizes)
    below = chances.cumsum(axis=1)[actual]
    within = WITHIN if tracks_each > 1 else 0
    held = []
    for drawn in uniform(rng, runs, sizes, within):
        predicted = np.minimum((drawn[:, None] > below).sum(axis=1), N_GENRES - 1)
        f1 = f1_interval(actual, predicted, groups, settings)
        recall = balanced_accuracy_interval(actual, predicted, groups, settings)
        held.append(
            (
                f1.low <= true_f1(chances) <= f1.high,
                recall.low <= accuracy <= recall.high,
                f1.low <= f1_score(actual, predicted, average="macro") <= f1.high,
                recall.low <= recall_score(actual, predicted, average="macro") <= recall.high,
            )
        )
    of_f1, of_recall, holds_f1, holds_recall = np.mean(held, axis=0)
    assert 0.91 <= of_f1 <= 0.99
    assert 0.91 <= of_recall <= 0.99
    assert (holds_f1, holds_recall) == (1, 1)


def alarms(runs: np.ndarray, groups: Sequence[str], test: Callable[..., float] = paired_p) -> float:
    return float(
        np.mean(
            [
                test(gained, groups, seed=run, n_permutations=499) <= 0.05
                for run, gained in enumerate(runs)
            ]
        )
    )


@pytest.mark.parametrize("n", [60, 300])
def test_tracks_alone_make_no_false_alarms(n: int) -> None:
    """The exact test of so few differing tracks keeps below 5 %."""
    gained = differences(np.random.default_rng(8), 2000, np.ones(n, int), 0, 0.5)
    assert 0.015 <= alarms(gained, alone(n)) <= 0.065


@pytest.mark.parametrize(("tracks_each", "of_tracks"), [(5, 0.15), (10, 0.26)])
def test_artists_make_no_false_alarms(tracks_each: int, of_tracks: float) -> None:
    """Two models as good as each other, each with artists that it knows: 5 % must stay 5 %."""
    rng = np.random.default_rng(9)
    n_artists, runs = 30, 3000
    known = np.repeat(rng.random((2, runs, n_artists)) < 0.5, tracks_each, axis=2)
    here, there = (rng.random(known.shape) < np.where(known, 0.8, 0.3)).astype(float)
    gained = here - there
    assert 0.035 <= alarms(gained, names(np.full(n_artists, tracks_each))) <= 0.065
    one_by_one = np.mean([mcnemar_p(values) <= 0.05 for values in gained])
    assert one_by_one == pytest.approx(of_tracks, abs=0.025), "what counting tracks would claim"


@pytest.mark.parametrize("form", ["a row per training", "a mean per track", "a mean, by artist"])
def test_several_trainings_make_no_false_alarms(form: str) -> None:
    """Three trainings of two models; each model has tracks that suit it, whatever the training.

    Sums of thirds often tie, and ties count as alarms not raised: below 5 % is possible.
    """
    rng = np.random.default_rng(10)
    runs, n_trainings = 2000, 3
    sizes = np.full(20, 5) if form == "a mean, by artist" else np.ones(100, int)
    within = 0.5 if form == "a mean, by artist" else 0
    suits = np.stack([uniform(rng, runs, sizes, within) for _ in range(2)]) < 0.6
    right = rng.random((*suits.shape, n_trainings)) < np.where(suits, 0.9, 0.4)[..., None]
    gained = right[0].astype(float) - right[1]
    values, groups = gained.mean(axis=2), names(sizes)
    if form == "a row per training":
        values, groups = gained.reshape(runs, -1), names(sizes * n_trainings)
    assert 0.025 <= alarms(values, groups) <= 0.065
    one_by_one = np.mean([mcnemar_p(rows) <= 0.05 for rows in gained.reshape(runs, -1)])
    assert one_by_one > 0.08, "what counting decisions one by one would claim"
