"""The evaluation step as a whole, on invented predictions."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from genreflow import lineage
from genreflow.evaluation.predictions import PredictionsError
from genreflow.evaluation.run import evaluate
from genreflow.store import tables
from genreflow.store.files import file_sha256, read_json
from genreflow.store.stamp import StaleArtifactError, Stamp
from tests.synthetic_results import GENRES, Run, evaluate_run, make_run


def metrics_of(run: Run) -> dict:
    return json.loads((run.evaluation / "metrics.json").read_text())


def evaluation_stamp(run: Run) -> Stamp:
    return lineage.stamp("evaluate", run.params, kind="evaluation")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(tmp_path_factory.mktemp("run") / "results", tracks_per_genre=6, windows=3)
    evaluate_run(made)
    return made


def test_every_model_is_scored_at_its_levels(run: Run) -> None:
    metrics = metrics_of(run)
    assert set(metrics) == {*run.models, "ensemble"}
    assert set(metrics["cnn"]) == {"track", "window"}
    assert set(metrics["svm_handcrafted"]) == {"track"}
    assert metrics["cnn"]["track"]["n"] == 60
    assert metrics["cnn"]["window"]["n"] == 180
    assert metrics["cnn"]["window"]["n_tracks"] == 60


def test_intervals_hold_the_estimate(run: Run) -> None:
    for of_model in metrics_of(run).values():
        for metrics in of_model.values():
            for name in ("accuracy", "balanced_accuracy", "f1_macro"):
                assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]


def test_the_baseline_has_no_p_value_and_windows_have_none(run: Run) -> None:
    metrics = metrics_of(run)
    assert "p_value" not in metrics["xgb_mel"]["track"]
    assert "p_value" not in metrics["cnn"]["window"]
    assert metrics["cnn"]["track"]["p_value"] <= metrics["cnn"]["track"]["p_adjusted"]


def test_every_pair_is_compared_once_and_adjusted_for_all(run: Run) -> None:
    pairs = pd.read_csv(run.evaluation / "pairs.csv")
    models = {*run.models, "ensemble"}
    assert len(pairs) == len(models) * (len(models) - 1) / 2
    assert {frozenset(pair) for pair in zip(pairs["model"], pairs["other"], strict=True)} == {
        frozenset(pair) for pair in combinations(models, 2)
    }
    metrics = metrics_of(run)
    for pair in pairs.to_dict("records"):
        gap = (
            metrics[pair["model"]]["track"]["accuracy"]
            - metrics[pair["other"]]["track"]["accuracy"]
        )
        assert pair["delta"] == pytest.approx(gap)
        assert pair["delta_low"] <= pair["delta"] <= pair["delta_high"]
    expected = multipletests(pairs["p_value"], method="holm")[1]
    assert pairs["p_adjusted"].to_numpy() == pytest.approx(expected)
    against = pairs[(pairs["model"] == "xgb_mel") & (pairs["other"] == "cnn")]
    assert against["p_value"].item() == pytest.approx(metrics["cnn"]["track"]["p_value"])


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two ways of dividing, three seeds of each model."""
    made = make_run(
        tmp_path_factory.mktemp("repeated") / "results",
        models=("svm_handcrafted", "xgb_mel", "cnn"),
        tracks_per_genre=6,
        windows=2,
        n_folds=3,
        repeats=2,
        seeds=3,
    )
    evaluate_run(made)
    return made


def test_luck_of_the_split_and_of_the_training_are_told_apart(repeated: Run) -> None:
    runs = pd.read_csv(repeated.evaluation / "per_run.csv")
    metrics = metrics_of(repeated)
    for model in repeated.models:
        table = runs[(runs["model"] == model) & (runs["level"] == "track")]
        assert sorted(zip(table["repeat"], table["seed"], strict=True)) == [
            (r, s) for r in range(2) for s in range(3)
        ]
        grid = table.pivot(index="repeat", columns="seed", values="accuracy").to_numpy()
        found = metrics[model]["track"]
        assert found["accuracy"] == pytest.approx(grid.mean())
        assert found["sd_repeats"] == pytest.approx(grid.mean(axis=1).std(ddof=1))
        assert found["sd_seeds"] == pytest.approx(np.sqrt(grid.var(axis=1, ddof=1).mean()))
        assert (found["n_seeds"], found["n"], found["n_tracks"]) == (3, 120, 60)


def test_more_trainings_are_not_more_tracks(repeated: Run, run: Run) -> None:
    """Six decisions on each of 60 tracks leave about the interval of one decision each."""
    widths = [
        found["accuracy_high"] - found["accuracy_low"]
        for found in (metrics_of(made)["cnn"]["track"] for made in (repeated, run))
    ]
    assert widths[0] > 0.6 * widths[1]


def test_one_run_has_no_spread(run: Run) -> None:
    assert not {"sd_repeats", "sd_seeds"} & set(metrics_of(run)["cnn"]["track"])


def test_balanced_accuracy_is_the_mean_over_genres(run: Run) -> None:
    table = pd.read_csv(run.evaluation / "per_genre.csv").query("model == 'cnn' & level == 'track'")
    found = metrics_of(run)["cnn"]["track"]["balanced_accuracy"]
    assert found == pytest.approx(table["recall"].mean())


def test_metrics_can_be_recomputed_from_the_pooled_decisions(run: Run) -> None:
    decisions = tables.read_table(run.evaluation / "predictions.parquet", evaluation_stamp(run))
    for model, metrics in metrics_of(run).items():
        rows = decisions[decisions["model"] == model]
        assert metrics["track"]["accuracy"] == pytest.approx(
            (rows["genre"] == rows["predicted"]).mean()
        )
        assert (rows[list(GENRES)].idxmax(axis=1) == rows["predicted"]).all()


def test_pooled_decisions_test_every_track_once(run: Run) -> None:
    decisions = tables.read_table(run.evaluation / "predictions.parquet", evaluation_stamp(run))
    assert decisions.groupby("model").size().eq(60).all()
    assert not decisions.duplicated(["model", "track_id"]).any()


def test_confusion_matrix_for_dvc_has_one_row_per_track(run: Run) -> None:
    table = pd.read_csv(run.report / "plots" / "confusion" / "cnn.csv")
    assert table.columns.tolist() == ["actual", "predicted"]
    assert len(table) == 60


def test_learning_curves_mark_the_epoch_that_training_says_it_kept(run: Run) -> None:
    """Which need not be that of the lowest loss: a network's first epochs don't count."""
    curves = pd.read_csv(run.evaluation / "learning_curves.csv", dtype={"fold": str})
    for _, curve in curves.groupby(["model", "fold"]):
        assert curve.loc[curve["kept"], "epoch"].tolist() == [12]


def test_learning_curves_for_dvc_have_a_file_per_model(run: Run) -> None:
    names = {path.stem for path in (run.report / "plots" / "learning").iterdir()}
    assert names == {"xgb_mel", "cnn", "lstm", "resnet50"}
    curve = pd.read_csv(run.report / "plots" / "learning" / "cnn.csv")
    assert curve.columns.tolist() == ["epoch", "val_accuracy"]
    assert curve["epoch"].tolist() == list(range(1, 21))


def test_what_training_said_of_each_model_and_fold_is_gathered(run: Run) -> None:
    facts = read_json(run.evaluation / "models.json")
    assert set(facts) == set(run.models)
    assert list(facts["cnn"]) == ["0", "1", "2", "3", "4"]
    path = run.trained["predictions.parquet"]["cnn"][1]
    assert facts["cnn"]["1"] == {
        "best": {"epoch": 12},
        "n_parameters": 3000,
        "model_bytes": 6000,
        "n_train": 40,
        "n_valid": 10,
        "predictions_sha256": file_sha256(path),
    }


def test_grids_are_joined_with_their_model_and_fold(run: Run) -> None:
    grids = pd.read_csv(run.evaluation / "grids.csv", dtype={"fold": str})
    assert set(grids["model"]) == {"svm_handcrafted", "xgb_handcrafted"}
    here = grids[(grids["model"] == "svm_handcrafted") & (grids["fold"] == "2")]
    of_fold = pd.read_csv(run.trained["cv.csv"]["svm_handcrafted"][2])
    pd.testing.assert_frame_equal(
        here.drop(columns=["model", "fold"]).reset_index(drop=True), of_fold
    )


def test_importances_are_means_over_folds_the_largest_first(run: Run) -> None:
    found = pd.read_csv(run.evaluation / "importances.csv")
    assert set(found["model"]) == {"xgb_handcrafted"}
    assert found["gain"].is_monotonic_decreasing
    folds = [
        pd.read_csv(path, index_col="feature")["gain"]
        for path in run.trained["importance.csv"]["xgb_handcrafted"]
    ]
    for row in found.itertuples():
        assert row.gain == pytest.approx(sum(fold[row.feature] for fold in folds) / len(folds))


def test_a_second_evaluation_writes_the_same_bytes(run: Run, tmp_path: Path) -> None:
    again = tmp_path / "evaluation"
    evaluate(run.params, run.trained, run.splits, run.tracks, again, tmp_path / "report")
    first = {path.name: path.read_bytes() for path in sorted(run.evaluation.iterdir())}
    second = {path.name: path.read_bytes() for path in sorted(again.iterdir())}
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


def test_weights_say_which_ensemble_they_are_of(run: Run) -> None:
    table = pd.read_csv(run.evaluation / "ensemble.csv")
    assert table.columns.tolist() == ["ensemble", "fold", "model", "weight"]
    assert set(table["ensemble"]) == {"ensemble"}
    assert table["model"].unique().tolist() == run.models


def test_without_the_baseline_there_is_no_difference(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", models=("cnn",), n_folds=1, windows=2)
    evaluate_run(run)
    assert set(metrics_of(run)) == {"cnn"}
    assert "delta_accuracy" not in metrics_of(run)["cnn"]["track"]


def test_no_predictions_is_an_error_that_says_what_to_do(run: Run, tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match="train at least one model"):
        evaluate(
            run.params,
            {"predictions.parquet": {}, "model.json": {}},
            run.splits,
            run.tracks,
            tmp_path / "a",
            tmp_path / "b",
        )


def test_predictions_of_other_parameters_are_refused(run: Run, tmp_path: Path) -> None:
    other = run.params.model_copy(
        update={"splits": run.params.splits.model_copy(update={"seed": 7})}
    )
    with pytest.raises(StaleArtifactError, match="seed"):
        evaluate(other, run.trained, run.splits, run.tracks, tmp_path / "a", tmp_path / "b")


def test_probabilities_that_do_not_sum_to_one_are_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", models=("xgb_mel",), n_folds=1, windows=2)
    path = run.trained["predictions.parquet"]["xgb_mel"][0]
    expected = lineage.of_predictions("xgb_mel", run.params)
    table = tables.read_table(path, expected)
    table.loc[3, GENRES[0]] = float("nan")
    tables.write_table(table, path, expected)
    with pytest.raises(PredictionsError, match=r"predictions\.parquet.*sum to nan"):
        evaluate_run(run)
