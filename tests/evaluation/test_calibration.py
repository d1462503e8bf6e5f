"""Temperatures: how sure tracks' probabilities are, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import softmax
from sklearn.metrics import log_loss

from genreflow import lineage
from genreflow.evaluation.calibration import calibrate, calibrated_scores, fit_temperatures
from genreflow.evaluation.predictions import WHOLE_TRACK, Predictions
from genreflow.models.temperature import apply_temperature
from genreflow.registry import ENSEMBLE
from genreflow.store import tables
from genreflow.store.files import read_csv, read_json
from tests.synthetic_results import GENRES, Run, evaluate_run, make_run

pytestmark = pytest.mark.slow

FOUR = ("a", "b", "c", "d")


def drawn(n: int, sharpness: float, *, fold: str = "0", seed: int = 0, rng: int = 0) -> Predictions:
    """Return tracks whose genres are drawn by probabilities that are then sharpened."""
    random = np.random.default_rng(rng)
    margins = random.normal(0, 1.5, (n, 4))
    honest = softmax(margins, axis=1)
    actual = [random.choice(4, p=row) for row in honest]
    keys = pd.DataFrame(
        {
            "fold": fold,
            "seed": seed,
            "track_id": [f"{fold}.{seed}/{i}" for i in range(n)],
            "window": WHOLE_TRACK,
            "genre": [FOUR[i] for i in actual],
            "role": "valid",
        }
    )
    return Predictions(keys, softmax(margins * sharpness, axis=1), FOUR)


def joined(*parts: Predictions) -> Predictions:
    return Predictions(
        pd.concat([part.keys for part in parts], ignore_index=True),
        np.concatenate([part.probabilities for part in parts]),
        FOUR,
    )


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
def test_the_temperature_is_by_how_much_a_model_is_too_sure(sharpness: float) -> None:
    found = fit_temperatures(drawn(4000, sharpness))
    assert found["0", 0] == pytest.approx(sharpness, rel=0.1)


def test_no_other_temperature_makes_the_validation_tracks_more_probable() -> None:
    valid = drawn(3000, 2.5)
    temperature = fit_temperatures(valid)["0", 0]

    def loss(factor: float) -> float:
        found = apply_temperature(valid.probabilities, temperature * factor)
        return float(log_loss(valid.actual, found, labels=range(4)))

    best = loss(1)
    assert min(loss(factor) for factor in (0.9, 0.95, 1.05, 1.1)) > best


def test_each_training_has_a_temperature_of_its_own() -> None:
    parts = [drawn(3000, 3.0), drawn(3000, 0.5, fold="1"), drawn(3000, 1.0, fold="1", seed=1)]
    found = fit_temperatures(joined(*parts))
    alone = [fit_temperatures(part) for part in parts]
    assert found == {key: value for one in alone for key, value in one.items()}
    assert list(found) == [("0", 0), ("1", 0), ("1", 1)]
    calibrated = calibrate(joined(*parts), found).probabilities
    expected = [
        apply_temperature(part.probabilities, next(iter(one.values())))
        for part, one in zip(parts, alone, strict=True)
    ]
    assert calibrated == pytest.approx(np.concatenate(expected))


@pytest.mark.parametrize("sharpness", [0.4, 3.0])
def test_what_is_learnt_from_validation_tracks_holds_for_test_tracks(sharpness: float) -> None:
    test = drawn(2000, sharpness, rng=1)
    calibrated = calibrate(test, fit_temperatures(drawn(300, sharpness)))
    before, after = (calibrated_scores(part, 10) for part in (test, calibrated))
    assert after["ece_calibrated"] < 0.4 * before["ece_calibrated"]
    assert after["log_loss_calibrated"] < before["log_loss_calibrated"]


def test_few_validation_tracks_that_are_all_right_are_no_reason_to_be_certain() -> None:
    rows = drawn(6, 1.0)
    sure = np.full((6, 4), 0.01)
    sure[np.arange(6), rows.actual] = 0.97
    valid = Predictions(rows.keys, sure, FOUR)
    calibrated = calibrate(valid, fit_temperatures(valid))
    assert calibrated.probabilities.max() < 0.98


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(float, (8, 5), elements=st.floats(0.001, 1)), st.floats(0.05, 20, exclude_min=True)
)
def test_applied_twice_is_applied_once_by_the_product(raw: np.ndarray, temperature: float) -> None:
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    once = apply_temperature(probabilities, temperature)
    assert once.sum(axis=1) == pytest.approx(1)
    shares = probabilities ** (1 / temperature)
    reference = shares / shares.sum(axis=1, keepdims=True)
    # No genre becomes impossible, so that what all but vanishes may differ.
    assert once == pytest.approx(reference, abs=1e-6)
    assert apply_temperature(probabilities, 1) is probabilities


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(
        tmp_path_factory.mktemp("calibrated") / "results",
        models=("xgb_mel", "svm_handcrafted"),
        tracks_per_genre=12,
        windows=3,
        n_folds=3,
        seeds=2,
    )
    evaluate_run(made)
    return made


def test_every_training_of_every_model_and_ensemble_is_listed(run: Run) -> None:
    table = read_csv(run.evaluation / "temperatures.csv", names=("fold",))
    trainings = ["0", "1", "2", "0.1", "1.1", "2.1"]
    listed = {model: part["fold"].tolist() for model, part in table.groupby("model")}
    assert {model: sorted(folds) for model, folds in listed.items()} == {
        "xgb_mel": sorted(trainings),
        "svm_handcrafted": sorted(trainings),
        ENSEMBLE: ["0", "1", "2"],
    }
    assert (table["temperature"] > 0).all()


def test_calibration_changes_how_sure_models_are_and_no_decision(run: Run) -> None:
    """The pooled decisions, calibrated by the table, give the metrics' numbers."""
    stamp = lineage.stamp("evaluate", run.params, kind="evaluation")
    pooled = tables.read_table(run.evaluation / "predictions.parquet", stamp)
    listed = read_csv(run.evaluation / "temperatures.csv", names=("fold",))
    of_training = listed.set_index(["model", "fold"])["temperature"]
    for model, metrics in read_json(run.evaluation / "metrics.json").items():
        rows = pooled[pooled["model"] == model]
        before = rows[list(GENRES)].to_numpy(float)
        names = rows["fold"].where(rows["seed"] == 0, rows["fold"] + "." + rows["seed"].astype(str))
        temperature = names.map(of_training[model]).to_numpy(float)
        shares = before ** (1 / temperature[:, None])
        after = shares / shares.sum(axis=1, keepdims=True)
        decided = np.asarray(GENRES)[after.argmax(axis=1)]
        assert decided.tolist() == rows["predicted"].tolist()
        found = metrics["track"]
        assert found["accuracy"] == pytest.approx((decided == rows["genre"]).mean())
        truth = pd.Index(GENRES).get_indexer(rows["genre"])
        loss = log_loss(truth, after, labels=range(len(GENRES)))
        assert found["log_loss_calibrated"] == pytest.approx(loss, rel=1e-4)
        bins = np.minimum((after.max(axis=1) * 10).astype(int), 9)
        right = decided == rows["genre"].to_numpy()
        gaps = [
            (bins == b).mean() * abs(after.max(axis=1)[bins == b].mean() - right[bins == b].mean())
            for b in np.unique(bins)
        ]
        assert found["ece_calibrated"] == pytest.approx(sum(gaps), abs=1e-4)
        assert "ece_calibrated" not in metrics.get("window", {})


def test_the_reliability_table_holds_both_curves_of_tracks(run: Run) -> None:
    table = read_csv(run.evaluation / "calibration.csv")
    columns = ["model", "level", "low", "high", "confidence", "accuracy", "n"]
    after = ["confidence_calibrated", "accuracy_calibrated", "n_calibrated"]
    assert list(table) == [*columns, *after]
    metrics = read_json(run.evaluation / "metrics.json")
    for (model, level), part in table.groupby(["model", "level"]):
        of_bins = part[part["n"] > 0]
        gap = (of_bins["confidence"] - of_bins["accuracy"]).abs()
        found = metrics[model][level]
        assert np.average(gap, weights=of_bins["n"]) == pytest.approx(found["ece"], abs=1e-6)
        if level == "window":
            assert (part["n_calibrated"] == 0).all()
            continue
        assert part["n"].sum() == part["n_calibrated"].sum()
        of_bins = part[part["n_calibrated"] > 0]
        gap = (of_bins["confidence_calibrated"] - of_bins["accuracy_calibrated"]).abs()
        ece = np.average(gap, weights=of_bins["n_calibrated"])
        assert ece == pytest.approx(found["ece_calibrated"], abs=1e-6)


def test_test_tracks_have_no_say(run: Run, tmp_path: Path) -> None:
    """Other labels of test tracks leave every temperature as it is."""
    other = make_run(
        tmp_path / "results",
        models=("xgb_mel", "svm_handcrafted"),
        tracks_per_genre=12,
        windows=3,
        n_folds=3,
        seeds=2,
    )
    for model in other.models:
        for path in other.trained["predictions.parquet"][model]:
            params = other.params.of_training(model, int(path.parent.name.partition(".")[2] or 0))
            stamp = lineage.of_predictions(model, params)
            table = tables.read_table(path, stamp)
            shares = table[list(GENRES)].to_numpy(copy=True)
            tested = (table["role"] == "test").to_numpy()
            shares[tested] = np.roll(shares[tested], 1, axis=1)
            table[list(GENRES)] = shares
            tables.write_table(table, path, stamp)
    evaluate_run(other)
    name = "temperatures.csv"
    assert (other.evaluation / name).read_text() == (run.evaluation / name).read_text()
    before, after = (read_json(r.evaluation / "metrics.json") for r in (run, other))
    assert before["xgb_mel"]["track"]["accuracy"] != after["xgb_mel"]["track"]["accuracy"]
