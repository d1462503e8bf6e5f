"""Every statistic against an independent computation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score
from statsmodels.stats.proportion import proportion_confint

from genreflow.evaluation.agreement import agreement, confused_pairs, hardest_tracks
from genreflow.evaluation.calibration import expected_calibration_error, reliability
from genreflow.evaluation.ensemble import RIDGE, build_ensemble, pool_weights
from genreflow.evaluation.intervals import (
    Interval,
    balanced_accuracy_interval,
    difference_interval,
    f1_interval,
    proportion_interval,
)
from genreflow.evaluation.lengths import accuracy_by_length
from genreflow.evaluation.metrics import confusion, per_fold, per_genre, scores
from genreflow.evaluation.predictions import WHOLE_TRACK, Predictions
from genreflow.evaluation.significance import holm, mcnemar_p, paired_p
from genreflow.evaluation.vote import hard_vote, soft_vote
from genreflow.models.pooling import pool
from genreflow.params import Evaluation
from genreflow.tracks.audit import audit_duplicates

decisions = st.integers(2, 6).flatmap(
    lambda n_genres: st.lists(
        st.tuples(st.integers(0, n_genres - 1), st.integers(0, n_genres - 1)),
        min_size=1,
        max_size=60,
    ).map(lambda pairs: (n_genres, np.array(pairs, dtype=np.intp)))
)


def make(
    probabilities: np.ndarray,
    truth: list[int],
    tracks: list[str] | None = None,
    windows: list[int] | None = None,
    fold: str = "0",
) -> Predictions:
    genres = tuple(f"g{i}" for i in range(probabilities.shape[1]))
    n = len(truth)
    keys = pd.DataFrame(
        {
            "fold": fold,
            "seed": 0,
            "track_id": tracks or [f"t{i:03d}" for i in range(n)],
            "window": windows or [WHOLE_TRACK] * n,
            "genre": [genres[i] for i in truth],
            "role": "test",
        }
    )
    return Predictions(keys, np.asarray(probabilities, float), genres)


def dirichlet(n: int, n_genres: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(n_genres), n)


def naive_f1(actual: np.ndarray, predicted: np.ndarray, genre: int) -> tuple[float, float, float]:
    hits = sum(a == p == genre for a, p in zip(actual, predicted, strict=True))
    found = sum(p == genre for p in predicted)
    there = sum(a == genre for a in actual)
    precision = hits / found if found else 0.0
    recall = hits / there if there else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return precision, recall, f1


@settings(max_examples=30, deadline=None)
@given(decisions)
def test_accuracy_and_macro_averages_equal_hand_counts(case: tuple[int, np.ndarray]) -> None:
    _, pairs = case
    actual, predicted = pairs.T
    found = scores(actual, predicted)
    by_genre = [naive_f1(actual, predicted, genre) for genre in sorted(set(actual))]
    assert found.accuracy == pytest.approx(sum(actual == predicted) / len(actual))
    assert found.precision_macro == pytest.approx(np.mean([row[0] for row in by_genre]))
    assert found.recall_macro == pytest.approx(np.mean([row[1] for row in by_genre]))
    assert found.f1_macro == pytest.approx(np.mean([row[2] for row in by_genre]))


@settings(max_examples=30, deadline=None)
@given(decisions)
def test_per_genre_scores_equal_hand_counts(case: tuple[int, np.ndarray]) -> None:
    n_genres, pairs = case
    actual, predicted = pairs.T
    table = per_genre(actual, predicted, tuple(f"g{i}" for i in range(n_genres)))
    for row in table.itertuples():
        genre = int(row.genre[1:])
        expected = naive_f1(actual, predicted, genre)
        assert (row.precision, row.recall, row.f1) == pytest.approx(expected)
        assert row.support == sum(actual == genre)


@settings(max_examples=30, deadline=None)
@given(decisions)
def test_confusion_matrix_counts_every_decision_once(case: tuple[int, np.ndarray]) -> None:
    n_genres, pairs = case
    counts = confusion(*pairs.T, n_genres)
    expected = Counter(map(tuple, pairs.tolist()))
    for row in range(n_genres):
        for column in range(n_genres):
            assert counts[row, column] == expected[row, column]


def test_folds_are_listed_in_numeric_order_with_their_own_accuracy() -> None:
    folds = pd.Series(["10", "10", "2", "2"])
    table = per_fold(folds, np.array([0, 1, 0, 1]), np.array([0, 1, 0, 0]))
    assert table["fold"].tolist() == ["2", "10"]
    assert table["accuracy"].tolist() == [0.5, 1.0]


differences = hnp.arrays(float, 40, elements=st.sampled_from([-1.0, 0.0, 1.0]))


@settings(max_examples=30, deadline=None)
@given(differences)
def test_mcnemar_is_a_binomial_test_on_discordant_tracks(gained: np.ndarray) -> None:
    only_here, only_there = int((gained == 1).sum()), int((gained == -1).sum())
    n = only_here + only_there
    expected = min(1.0, 2 * stats.binom.cdf(min(only_here, only_there), n, 0.5))
    assert mcnemar_p(gained) == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(differences)
def test_with_every_track_on_its_own_the_paired_test_is_mcnemars(gained: np.ndarray) -> None:
    alone = [str(i) for i in range(40)]
    assert paired_p(gained, alone, seed=0) == mcnemar_p(gained)


def test_with_few_groups_all_flips_of_whole_groups_are_tried() -> None:
    """Three artists with sums +3, +2 and -1: of the eight flips, four are at least as far off."""
    gained = np.array([1.0, 1, 1, 1, 1, 0, -1])
    sums = [sum(s) for s in product((3, -3), (2, -2), (1, -1))]
    expected = np.mean([abs(s) >= 4 for s in sums])
    assert paired_p(gained, list("aaabbbc"), seed=0) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 11)), min_size=1, max_size=30),
    st.sampled_from([3, 7, 10]),
)
def test_sums_of_fractions_tie_as_exact_ones_do(
    rows: list[tuple[int, int]], denominator: int
) -> None:
    gained = np.array([part / denominator for part, _ in rows])
    groups = [str(group) for _, group in rows]
    sums = Counter({group: Fraction(0) for group in groups})
    for part, group in rows:
        sums[str(group)] += Fraction(part, denominator)
    observed = abs(sum(sums.values()))
    flips = [abs(sum(s)) for s in product(*((s, -s) for s in sums.values() if s))]
    expected = np.mean([flip >= observed for flip in flips])
    assert paired_p(gained, groups, seed=0) == pytest.approx(expected)


def test_drawn_flips_agree_with_all_of_them() -> None:
    rng = np.random.default_rng(7)
    gained = rng.integers(-2, 4, 28) / 3
    groups = [str(i // 2) for i in range(28)]
    exact = paired_p(gained, groups, seed=0)
    drawn = paired_p(gained, groups, seed=0, n_permutations=4999)
    assert exact != drawn
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 4999))


def test_drawn_flips_never_make_a_difference_certain() -> None:
    groups = [str(i // 2) for i in range(200)]
    assert paired_p(np.ones(200), groups, seed=0, n_permutations=99) == 1 / 100


def test_the_sign_of_a_difference_does_not_matter() -> None:
    gained = np.random.default_rng(8).choice([-1.0, 0, 1], 20)
    groups = [str(i // 2) for i in range(20)]
    assert paired_p(gained, groups, seed=0) == paired_p(-gained, groups, seed=0)


@pytest.mark.parametrize("groups", [list("aab"), list("abc")])
def test_equal_models_do_not_differ(groups: list[str]) -> None:
    assert paired_p(np.zeros(3), groups, seed=0) == 1.0


@settings(max_examples=10, deadline=None)  # statsmodels collects garbage at every call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_steps_down_from_the_smallest_p_value(p_values: list[float]) -> None:
    named = {f"m{i}": p for i, p in enumerate(p_values)}
    expected: dict[str, float] = {}
    so_far = 0.0
    for rank, name in enumerate(sorted(named, key=lambda name: named[name])):
        so_far = max(so_far, min(1.0, (len(named) - rank) * named[name]))
        expected[name] = so_far
    assert holm(named) == pytest.approx(expected)


def alone(n: int) -> list[str]:
    return [str(i) for i in range(n)]


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(bool, st.integers(2, 60)), st.floats(0.5, 0.99))
def test_with_every_track_on_its_own_the_interval_of_accuracy_is_wilsons(
    right: np.ndarray, confidence: float
) -> None:
    found = proportion_interval(right.astype(float), alone(len(right)), confidence)
    expected = proportion_confint(right.sum(), len(right), 1 - confidence, "wilson")
    assert found is not None
    assert (found.low, found.high) == pytest.approx(expected)


def test_interval_of_a_paired_difference_is_agresti_and_mins() -> None:
    """Half a track more in each of the four cells, then the normal approximation."""
    gained = np.repeat([1.0, -1.0, 0.0], [14, 5, 41])
    here, there, n = 14 + 0.5, 5 + 0.5, 60 + 2
    centre = (here - there) / n
    half = stats.norm.ppf(0.975) * math.sqrt(here + there - (here - there) ** 2 / n) / n
    found = difference_interval(gained, alone(60), 0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


rows_in_groups = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(float, n, elements=st.sampled_from([0, 1 / 3, 2 / 3, 1])),
        st.lists(st.integers(0, 5).map(str), min_size=n, max_size=n),
    )
)


@settings(max_examples=60, deadline=None)
@given(rows_in_groups, st.floats(0.1, 0.99))
def test_intervals_hold_their_estimate_and_keep_to_what_is_possible(
    case: tuple[np.ndarray, list[str]], confidence: float
) -> None:
    values, groups = case
    bounds = proportion_interval(values, groups, confidence)
    difference = difference_interval(2 * values - 1, groups, confidence)
    if len(set(groups)) < 2:
        assert bounds is None
        assert difference is None
        return
    assert 0 <= bounds.low <= values.mean() <= bounds.high <= 1
    assert bounds.low < bounds.high
    mean = (2 * values - 1).mean()
    assert -1 <= difference.low <= mean <= difference.high <= 1
    assert difference.low < difference.high


@settings(max_examples=20, deadline=None)
@given(decisions, st.lists(st.integers(0, 8).map(str), min_size=60, max_size=60))
def test_intervals_of_macro_scores_hold_their_estimate(
    case: tuple[int, np.ndarray], names: list[str]
) -> None:
    actual, predicted = case[1].T
    groups = names[: len(actual)]
    few = Evaluation(n_bootstrap=100)
    f1 = f1_interval(actual, predicted, groups, few)
    recall = balanced_accuracy_interval(actual, predicted, groups, few)
    if len(set(groups)) < 2:
        assert f1 is None
        assert recall is None
        return
    found = scores(actual, predicted)
    assert 0 <= f1.low <= found.f1_macro <= f1.high <= 1
    assert 0 <= recall.low <= found.recall_macro <= recall.high <= 1
    assert f1.low < f1.high
    assert recall.low < recall.high


def test_nothing_is_certain_where_all_is_right() -> None:
    """The interval is that of as many rows as there are groups."""
    right, genres = np.ones(60), np.arange(60) % 10
    artists = np.repeat(alone(12), 5).tolist()
    for groups in (alone(60), artists):
        n = len(set(groups))
        low = proportion_confint(n, n, 0.05, "wilson")[0]
        for found in (
            proportion_interval(right, groups, 0.95),
            f1_interval(genres, genres, groups, Evaluation()),
            balanced_accuracy_interval(genres, genres, groups, Evaluation()),
        ):
            assert found is not None
            assert found.low == pytest.approx(low)
            assert found.high == 1
        agree = difference_interval(0 * right, groups, 0.95)
        assert agree is not None
        assert agree.high == -agree.low == pytest.approx(1.96 / (n + 2), rel=0.01)


def test_one_mistake_does_not_show_that_tracks_of_an_artist_are_independent() -> None:
    """With one mistake the interval must lie between those of all right and of tracks alone."""
    artists = np.repeat(alone(12), 5).tolist()
    one_wrong = np.array([0.0] + [1.0] * 59)
    none_wrong = proportion_interval(np.ones(60), artists, 0.95)
    by_artist = proportion_interval(one_wrong, artists, 0.95)
    by_track = proportion_interval(one_wrong, alone(60), 0.95)
    assert none_wrong.low < by_artist.low + 0.05
    assert by_artist.low < by_track.low - 0.02


def test_repeating_every_row_within_its_group_does_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(3)
    right = (rng.random(80) < 0.6).astype(float)
    gained = rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=80)
    often = np.repeat(alone(80), 20).tolist()
    for interval, values in ((proportion_interval, right), (difference_interval, gained)):
        one = interval(values, alone(80), 0.95)
        repeated = interval(np.repeat(values, 20), often, 0.95)
        assert (repeated.low, repeated.high) == pytest.approx((one.low, one.high))


def test_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(9)
    right, groups = (rng.random(60) < 0.7).astype(float), rng.integers(0, 15, 60).astype(str)
    shuffled = rng.permutation(60)
    for interval in (proportion_interval, difference_interval):
        one = interval(right, groups.tolist(), 0.95)
        other = interval(right[shuffled], groups[shuffled].tolist(), 0.95)
        assert (one.low, one.high) == pytest.approx((other.low, other.high))


@pytest.mark.parametrize("n", [60, 300])
@pytest.mark.parametrize(
    ("interval", "score"),
    [
        (f1_interval, lambda a, p: f1_score(a, p, average="macro")),
        (balanced_accuracy_interval, balanced_accuracy_score),
    ],
)
def test_intervals_of_macro_scores_agree_with_resampling_rows_one_by_one(
    n: int,
    interval: Callable[..., Interval | None],
    score: Callable[[np.ndarray, np.ndarray], float],
) -> None:
    rng = np.random.default_rng(4)
    actual = rng.integers(0, 4, n)
    predicted = np.where(rng.random(n) < 0.65, actual, rng.integers(0, 4, n))
    found = interval(actual, predicted, alone(n), Evaluation())
    draws = []
    for _ in range(600):
        rows = rng.integers(0, n, n)
        draws.append(score(actual[rows], predicted[rows]))
    assert found is not None
    half = 1.96 * np.std(draws)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert (found.low + found.high) / 2 == pytest.approx(score(actual, predicted), abs=0.2 * half)


def test_interval_of_a_wider_confidence_holds_the_narrower_one() -> None:
    rng = np.random.default_rng(5)
    right = (rng.random(60) < 0.5).astype(float)
    for interval in (proportion_interval, difference_interval):
        narrow, wide = (interval(right, alone(60), level) for level in (0.8, 0.99))
        assert wide.low < narrow.low < right.mean() < narrow.high < wide.high


def test_one_group_has_no_interval() -> None:
    right, genres = np.array([1.0, 0.0]), np.array([0, 1])
    assert proportion_interval(right, ["a", "a"], 0.95) is None
    assert difference_interval(right, ["a", "a"], 0.95) is None
    assert f1_interval(genres, genres, ["a", "a"], Evaluation()) is None
    assert balanced_accuracy_interval(genres, genres, ["a", "a"], Evaluation()) is None


@pytest.mark.parametrize("n_bins", [2, 7, 10])
def test_calibration_error_equals_a_direct_count(n_bins: int) -> None:
    probabilities = dirichlet(200, 4)
    truth = np.random.default_rng(6).integers(0, 4, 200).tolist()
    rows = make(probabilities, truth)
    expected = 0.0
    for number in range(n_bins):
        inside = [
            i
            for i, row in enumerate(probabilities)
            if min(int(row.max() * n_bins), n_bins - 1) == number
        ]
        if inside:
            confidence = sum(probabilities[i].max() for i in inside) / len(inside)
            accuracy = sum(probabilities[i].argmax() == truth[i] for i in inside) / len(inside)
            expected += len(inside) / 200 * abs(confidence - accuracy)
    assert expected_calibration_error(reliability(rows, n_bins)) == pytest.approx(expected)


def test_certain_and_right_decisions_are_perfectly_calibrated() -> None:
    bins = reliability(make(np.eye(3), [0, 1, 2]), 10)
    assert expected_calibration_error(bins) == 0
    assert bins["n"].tolist() == [3]


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(float, (24, 3), elements=st.floats(0.01, 1)))
def test_soft_vote_is_the_mean_and_hard_vote_the_majority(raw: np.ndarray) -> None:
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    tracks = [f"t{i % 5}" for i in range(24)]
    windows = [i // 5 for i in range(24)]
    rows = make(probabilities, [0] * 24, tracks, windows)
    soft, hard = soft_vote(rows), hard_vote(rows)
    assert soft.keys["track_id"].tolist() == sorted(set(tracks))
    for position, track in enumerate(sorted(set(tracks))):
        of_track = probabilities[[name == track for name in tracks]]
        assert soft.probabilities[position] == pytest.approx(of_track.mean(axis=0))
        ballots = Counter(of_track.argmax(axis=1).tolist())
        assert ballots[int(hard[position])] == max(ballots.values())


def test_a_tied_hard_vote_goes_to_the_more_probable_genre() -> None:
    rows = make(np.array([[0.6, 0.4], [0.1, 0.9]]), [0, 0], ["t", "t"], [0, 1])
    assert hard_vote(rows).tolist() == [1]


def test_the_same_track_in_two_folds_is_voted_on_in_each() -> None:
    one = make(np.array([[0.9, 0.1]]), [0], fold="0")
    two = make(np.array([[0.2, 0.8]]), [0], fold="1")
    both = Predictions(
        pd.concat([one.keys, two.keys], ignore_index=True),
        np.concatenate([one.probabilities, two.probabilities]),
        one.genres,
    )
    assert soft_vote(both).predicted.tolist() == [0, 1]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_ensemble_weights_are_the_best_of_a_fine_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stack = np.stack([dirichlet(40, 3, seed + i) for i in range(2)])
    truth = rng.integers(0, 3, 40)

    def loss(weights: np.ndarray) -> float:
        product = np.prod(np.maximum(stack, 1e-4) ** weights[:, np.newaxis, np.newaxis], axis=0)
        shares = product / product.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(pool(stack, weights), shares, rtol=1e-9)
        price = RIDGE * np.square(weights - 1 / 2).sum()
        return float(-np.log(shares[np.arange(40), truth]).mean() + price)

    found = pool_weights(stack, truth)
    assert found.min() >= 0
    steps = np.linspace(0, 1.5, 31)
    assert loss(found) <= min(loss(np.array([a, b])) for a in steps for b in steps) + 1e-6


def test_equal_models_weigh_alike_and_a_better_one_more() -> None:
    truth = np.array([0, 1] * 10)
    good = np.where(np.eye(2)[truth] > 0, 0.8, 0.2)
    poor = np.where(np.arange(20)[:, np.newaxis] % 5 == 0, 1 - good, good)
    first, second = pool_weights(np.stack([good, good]), truth)
    assert first == pytest.approx(second, abs=1e-3)
    better, worse = pool_weights(np.stack([good, poor]), truth)
    assert better > worse + 0.1


def test_ensemble_never_looks_at_test_labels() -> None:
    truth = [0, 1] * 10
    good = make(np.where(np.eye(2)[truth] > 0, 0.9, 0.1), truth)
    poor = make(np.where(np.eye(2)[truth] > 0, 0.1, 0.9), truth)
    # On test tracks the roles are swapped: weights learned there would prefer the other model.
    ensemble = build_ensemble({"a": good, "b": poor}, {"a": poor, "b": good})
    assert ensemble is not None
    weights = ensemble.weights.set_index("model")["weight"]
    assert weights["a"] > weights["b"] == 0


def test_ensemble_of_one_model_does_not_exist() -> None:
    rows = make(dirichlet(4, 2), [0, 1, 0, 1])
    assert build_ensemble({"a": rows}, {"a": rows}) is None


def test_ensemble_leaves_out_a_model_that_lacks_the_fold() -> None:
    rows = make(dirichlet(4, 2), [0, 1, 0, 1])
    other_fold = make(dirichlet(4, 2), [0, 1, 0, 1], fold="1")
    ensemble = build_ensemble(
        {"a": rows, "b": rows, "c": other_fold}, {"a": rows, "b": rows, "c": other_fold}
    )
    assert ensemble is not None
    assert set(ensemble.weights["model"]) == {"a", "b"}
    assert set(ensemble.decisions.keys["fold"]) == {"0"}


def test_kappa_equals_its_definition() -> None:
    one, other = make(dirichlet(90, 3, 1), [0] * 90), make(dirichlet(90, 3, 2), [0] * 90)
    table = agreement({"a": one, "b": other}).set_index(["model", "other"])
    observed = np.mean(one.predicted == other.predicted)
    chance = sum(
        np.mean(one.predicted == genre) * np.mean(other.predicted == genre) for genre in range(3)
    )
    row = table.loc[("a", "b")]
    assert row["agreement"] == pytest.approx(observed)
    assert row["kappa"] == pytest.approx((observed - chance) / (1 - chance))
    assert row[["both_right", "only_model", "only_other", "both_wrong"]].sum() == 90


def test_agreement_counts_only_tracks_that_both_models_decided() -> None:
    one = make(dirichlet(4, 2, 1), [0] * 4, ["a", "b", "c", "d"])
    other = make(dirichlet(3, 2, 2), [0] * 3, ["d", "b", "x"])
    row = agreement({"one": one, "other": other}).set_index(["model", "other"])
    assert row.loc[("one", "other"), "n"] == 2


def test_hardest_tracks_are_those_most_models_got_wrong() -> None:
    right, wrong = np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([[0.3, 0.7], [0.9, 0.1]])
    table = hardest_tracks({"a": make(right, [0, 0]), "b": make(wrong, [0, 0])})
    assert table.to_dict("records") == [
        {
            "fold": "0",
            "track_id": "t000",
            "genre": "g0",
            "models": 2,
            "wrong": 1,
            "probability": pytest.approx(0.6),
            "taken_for": "g1",
        }
    ]


def test_confused_pairs_are_counted_over_models() -> None:
    wrong = np.array([[0.3, 0.7], [0.9, 0.1]])
    pairs = confused_pairs({"a": make(wrong, [0, 0]), "b": make(wrong, [0, 1])})
    first = pairs.iloc[0]
    assert (first["actual"], first["predicted"], first["count"], first["models"]) == (
        "g0",
        "g1",
        2,
        2,
    )
    assert first["share"] == pytest.approx(2 / 3)


def test_without_a_mistake_there_are_no_confused_pairs_and_no_hard_tracks() -> None:
    right = {"a": make(np.eye(2), [0, 1])}
    assert confused_pairs(right).empty
    assert hardest_tracks(right).empty


def test_accuracy_by_length_is_left_out_when_all_clips_are_as_long() -> None:
    rows = make(dirichlet(3, 2), [0, 1, 0])
    lengths = pd.Series([30.0, 30.01, 29.99], index=rows.keys["track_id"])
    assert accuracy_by_length({"a": rows}, lengths).empty


def test_a_few_long_clips_among_short_ones_have_a_bin_of_their_own() -> None:
    short, long = np.linspace(2, 3, 42), np.full(10, 30.0)
    rows = make(dirichlet(52, 2), [0, 1] * 26)
    lengths = pd.Series([*short, *long], index=rows.keys["track_id"])
    table = accuracy_by_length({"a": rows}, lengths)
    assert table["n"].sum() == 52
    assert table["n"].iloc[-1] == 10
    assert table["seconds"].iloc[-1] == 30


def test_long_clips_have_a_bin_however_few_they_are_among_clips_of_one_length() -> None:
    rows = make(dirichlet(52, 2), [0, 1] * 26)
    lengths = pd.Series([*[3.0] * 48, *[30.0] * 4], index=rows.keys["track_id"])
    table = accuracy_by_length({"a": rows}, lengths)
    assert table["n"].tolist() == [48, 4]
    assert table["seconds"].tolist() == [3, 30]


def test_accuracy_by_length_counts_every_track_once() -> None:
    rows = make(dirichlet(50, 2), [0, 1] * 25)
    lengths = pd.Series(np.linspace(5, 30, 50), index=rows.keys["track_id"])
    table = accuracy_by_length({"a": rows}, lengths)
    assert table["n"].sum() == 50
    right = (rows.actual == rows.predicted).sum()
    assert (table["n"] * table["accuracy"]).sum() == pytest.approx(right)


def test_duplicates_across_a_split_and_across_genres_are_reported() -> None:
    tracks = pd.DataFrame(
        {
            "track_id": ["a", "b", "c", "d", "e"],
            "genre": ["rock", "metal", "rock", "rock", "pop"],
            "status": "ok",
            "duplicate_group": ["a", "a", "c", "c", ""],
            "duplicate_kind": ["near", "near", "exact", "exact", ""],
        }
    )
    splits = pd.DataFrame(
        {
            "fold": "0",
            "track_id": ["a", "b", "c", "d", "e"],
            "role": ["test", "train", "train", "train", "test"],
        }
    )
    found = audit_duplicates(tracks, splits)
    assert found["n_groups"] == 2
    assert found["n_near_pairs"] == 1
    assert found["n_exact_pairs"] == 1
    assert found["n_label_conflicts"] == 1
    assert found["n_leaking"] == 1
    assert [group["label_conflict"] for group in found["groups"]] == [True, False]
