"""The evaluation step as a whole, on invented predictions."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from genreflow import lineage
from genreflow.evaluation.predictions import PredictionsError
from genreflow.evaluation.run import evaluate, stamp
from genreflow.store import tables
from genreflow.store.stamp import StaleArtifactError
from tests.synthetic_results import GENRES, Run, evaluate_run, make_run


def metrics_of(run: Run) -> dict:
    return json.loads((run.evaluation / "metrics.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(tmp_path_factory.mktemp("run") / "results", tracks_per_genre=6, windows=3)
    evaluate_run(made)
    return made


def test_every_model_is_scored_at_its_levels(run: Run) -> None:
    metrics = metrics_of(run)
    assert set(metrics) == {*run.predictions, "ensemble"}
    assert set(metrics["cnn"]) == {"track", "window"}
    assert set(metrics["svm_handcrafted"]) == {"track"}
    assert metrics["cnn"]["track"]["n"] == 60
    assert metrics["cnn"]["window"]["n"] == 180
    assert metrics["cnn"]["window"]["n_tracks"] == 60


def test_intervals_hold_the_estimate(run: Run) -> None:
    for of_model in metrics_of(run).values():
        for metrics in of_model.values():
            for name in ("accuracy", "f1_macro"):
                assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]


def test_the_baseline_has_no_p_value_and_windows_have_none(run: Run) -> None:
    metrics = metrics_of(run)
    assert "p_value" not in metrics["xgb_mel"]["track"]
    assert "p_value" not in metrics["cnn"]["window"]
    assert metrics["cnn"]["track"]["p_value"] <= metrics["cnn"]["track"]["p_adjusted"]


def test_metrics_can_be_recomputed_from_the_pooled_decisions(run: Run) -> None:
    decisions = tables.read_table(run.evaluation / "predictions.parquet", stamp(run.params))
    for model, metrics in metrics_of(run).items():
        rows = decisions[decisions["model"] == model]
        assert metrics["track"]["accuracy"] == pytest.approx(
            (rows["genre"] == rows["predicted"]).mean()
        )
        assert (rows[list(GENRES)].idxmax(axis=1) == rows["predicted"]).all()


def test_pooled_decisions_test_every_track_once(run: Run) -> None:
    decisions = tables.read_table(run.evaluation / "predictions.parquet", stamp(run.params))
    assert decisions.groupby("model").size().eq(60).all()
    assert not decisions.duplicated(["model", "track_id"]).any()


def test_confusion_matrix_for_dvc_has_one_row_per_track(run: Run) -> None:
    table = pd.read_csv(run.report / "plots" / "confusion_cnn.csv")
    assert table.columns.tolist() == ["actual", "predicted"]
    assert len(table) == 60


def test_learning_curves_mark_the_epoch_of_the_lowest_validation_loss(run: Run) -> None:
    curves = pd.read_csv(run.evaluation / "learning_curves.csv", dtype={"fold": str})
    for _, curve in curves.groupby(["model", "fold"]):
        assert curve["best"].sum() == 1
        assert curve.loc[curve["best"], "val_loss"].item() == curve["val_loss"].min()


def test_a_second_evaluation_writes_the_same_bytes(run: Run, tmp_path: Path) -> None:
    again = Run(run.params, run.results, run.predictions, run.histories)
    evaluate(
        again.params,
        again.predictions,
        again.splits,
        again.tracks,
        again.histories,
        tmp_path / "evaluation",
        tmp_path / "report",
    )
    first = {path.name: path.read_bytes() for path in sorted(run.evaluation.iterdir())}
    second = {path.name: path.read_bytes() for path in sorted((tmp_path / "evaluation").iterdir())}
    assert first == second


def test_no_output_holds_a_timing(run: Run) -> None:
    for path in [*run.evaluation.glob("*.json"), run.report / "metrics.json"]:
        assert "seconds" not in path.read_text()


def test_one_fold_and_two_models_are_enough(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "results", models=("xgb_mel", "svm_handcrafted"), n_folds=1, windows=2
    )
    evaluate_run(run)
    assert set(metrics_of(run)) == {"xgb_mel", "svm_handcrafted", "ensemble"}


def test_without_the_baseline_there_is_no_difference(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", models=("cnn",), n_folds=1, windows=2)
    evaluate_run(run)
    assert set(metrics_of(run)) == {"cnn"}
    assert "delta_accuracy" not in metrics_of(run)["cnn"]["track"]


def test_no_predictions_is_an_error_that_says_what_to_do(run: Run, tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="train at least one model"):
        evaluate(run.params, {}, run.splits, run.tracks, {}, tmp_path / "a", tmp_path / "b")


def test_predictions_of_other_parameters_are_refused(run: Run, tmp_path: Path) -> None:
    other = run.params.model_copy(
        update={"splits": run.params.splits.model_copy(update={"seed": 7})}
    )
    with pytest.raises(StaleArtifactError, match="seed"):
        evaluate(other, run.predictions, run.splits, run.tracks, {}, tmp_path / "a", tmp_path / "b")


def test_probabilities_that_do_not_sum_to_one_are_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", models=("xgb_mel",), n_folds=1, windows=2)
    path = run.predictions["xgb_mel"][0]
    expected = lineage.stamp("predictions", run.params, model="xgb_mel")
    table = tables.read_table(path, expected)
    table.loc[3, GENRES[0]] = float("nan")
    tables.write_table(table, path, expected)
    with pytest.raises(PredictionsError, match=r"predictions\.parquet.*sum to nan"):
        evaluate_run(run)
