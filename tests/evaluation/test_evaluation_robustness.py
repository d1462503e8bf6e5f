"""What becomes of answers when the same music has gone through another chain, in one table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genreflow import lineage
from genreflow.columns import column_of
from genreflow.evaluation.intervals import proportion_interval
from genreflow.evaluation.predictions import PredictionsError
from genreflow.evaluation.robustness import COLUMNS, mixed, read_answers
from genreflow.evaluation.run import evaluate
from genreflow.models.pooling import pool
from genreflow.registry import ENSEMBLE
from genreflow.registry.changes import CLEAN
from genreflow.store import tables
from genreflow.store.files import read_csv
from genreflow.store.stamp import StaleArtifactError
from tests.synthetic_results import GENRES, Run, make_run

pytestmark = pytest.mark.slow

MODELS = ("xgb_mel", "cnn")
ASKED = ("treble_up", "quieter", "mp3_64")
"""Not in the order of the registry."""
ORDER = [CLEAN, "quieter", "mp3_64", "treble_up"]
COLUMN = {genre: column_of(genre) for genre in GENRES}


def judged(run: Run) -> pd.DataFrame:
    """Return the test tracks of the first fold."""
    table = tables.read_table(run.splits, lineage.stamp("splits", run.params))
    return table[(table["fold"] == "0") & (table["role"] == "test")].sort_values("track_id")


def answered(run: Run, change: str, decided: list[str], sure: float = 0.9) -> pd.DataFrame:
    """Return answers for the tracks of the first fold that decide for `decided`."""
    tracks = judged(run)
    rest = (1 - sure) / (len(GENRES) - 1)
    shares = np.full((len(tracks), len(GENRES)), rest, dtype=np.float32)
    shares[np.arange(len(tracks)), [GENRES.index(genre) for genre in decided]] = sure
    keys = tracks[["fold", "track_id", "genre"]].reset_index(drop=True)
    keys.insert(2, "change", change)
    return pd.concat([keys, pd.DataFrame(shares, columns=list(COLUMN.values()))], axis=1)


def wrong(genre: str) -> str:
    return GENRES[(GENRES.index(genre) + 1) % len(GENRES)]


def with_errors(run: Run, errors: int) -> list[str]:
    """Return decisions of which so many, the first ones, are wrong."""
    true = judged(run)["genre"].tolist()
    return [wrong(genre) if i < errors else genre for i, genre in enumerate(true)]


def write(run: Run, model: str, parts: list[pd.DataFrame]) -> Path:
    path = run.results / "robustness" / f"{model}.parquet"
    table = pd.concat(parts, ignore_index=True)
    tables.write_table(table, path, lineage.of_answers(model, run.params))
    return path


@dataclass(frozen=True)
class Found:
    """What the evaluation made of answers."""

    table: pd.DataFrame
    metrics: dict[str, dict[str, dict[str, object]]]


def evaluated(run: Run, answers: dict[str, Path]) -> Found:
    out, report = run.results / "tables", run.results / "shown"
    evaluate(run.params, run.trained, run.splits, run.tracks, out, report, answers)
    metrics = json.loads((report / "metrics.json").read_bytes())
    return Found(read_csv(out / "robustness.csv"), metrics)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("run"), models=MODELS, n_folds=2, windows=2)


ERRORS = {CLEAN: 3, "quieter": 3, "mp3_64": 10, "treble_up": 5}


@pytest.fixture(scope="module")
def answers(run: Run) -> dict[str, Path]:
    """Return what two models say, the one in another order than the other."""
    return {
        model: write(
            run,
            model,
            [answered(run, change, with_errors(run, ERRORS[change])) for change in changes],
        )
        for model, changes in zip(MODELS, ((*ASKED, CLEAN), (CLEAN, *ASKED)), strict=True)
    }


@pytest.fixture(scope="module")
def found(run: Run, answers: dict[str, Path]) -> Found:
    return evaluated(run, answers)


@pytest.fixture(scope="module")
def table(found: Found) -> pd.DataFrame:
    return found.table


def test_models_and_the_ensemble_stand_with_every_change_unchanged_ones_first(
    table: pd.DataFrame,
) -> None:
    assert tuple(table.columns) == COLUMNS
    assert table["model"].unique().tolist() == [*MODELS, ENSEMBLE]
    for _, rows in table.groupby("model"):
        assert rows["change"].tolist() == ORDER


def test_accuracy_and_its_interval_are_those_of_the_changed_tracks(
    run: Run, table: pd.DataFrame
) -> None:
    """Groups, which here are the tracks found twice, count as one."""
    tracks = judged(run)
    for _, row in table.iterrows():
        right = np.ones(len(tracks))
        right[: ERRORS[row["change"]]] = 0
        assert row["n"] == len(tracks)
        assert row["accuracy"] == pytest.approx(right.mean())
        interval = proportion_interval(right, tracks["group"].tolist(), 0.95)
        assert interval is not None
        assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))


def test_agreement_is_the_share_of_tracks_with_the_same_answer_as_unchanged(
    run: Run, table: pd.DataFrame
) -> None:
    n = len(judged(run))
    expected = {change: 1 - abs(errors - ERRORS[CLEAN]) / n for change, errors in ERRORS.items()}
    for _, row in table.iterrows():
        assert row["agreement"] == pytest.approx(expected[row["change"]])


def test_metrics_name_the_mean_and_the_worst_of_all_changes(run: Run, found: Found) -> None:
    n = len(judged(run))
    for model in (*MODELS, ENSEMBLE):
        track = found.metrics[model]["track"]
        assert track["unchanged_accuracy"] == pytest.approx(1 - ERRORS[CLEAN] / n)
        assert track["robust_accuracy"] == pytest.approx(1 - (3 + 10 + 5) / 3 / n)
        assert track["worst_accuracy"] == pytest.approx(1 - 10 / n)
        assert track["worst_change"] == "mp3_64"
    assert "robust_accuracy" not in found.metrics["cnn"]["window"]


@pytest.mark.parametrize(("share", "accuracy"), [(0.7, 1.0), (0.3, 0.0)])
def test_the_ensemble_mixes_answers_with_the_weights_of_the_fold(
    run: Run, share: float, accuracy: float
) -> None:
    errors = dict(zip(MODELS, (0, len(judged(run))), strict=True))
    paths = {
        model: write(run, model, [answered(run, CLEAN, with_errors(run, errors[model]))])
        for model in MODELS
    }
    answers = read_answers(run.params, paths)
    weights = pd.DataFrame({"fold": "0", "model": MODELS, "weight": [share, 1 - share]})
    together = mixed(answers, weights)[CLEAN]
    assert (together.actual == together.predicted).mean() == accuracy
    stack = np.stack([answers[model][CLEAN].probabilities for model in MODELS])
    np.testing.assert_allclose(
        together.probabilities, pool(stack, np.array([share, 1 - share])), rtol=1e-6
    )
    # A fold that not all of them judged is nobody's.
    assert mixed({MODELS[0]: answers[MODELS[0]]}, weights) == {}


def test_tracks_that_a_change_left_nothing_of_are_not_counted(run: Run, tmp_path: Path) -> None:
    lost = answered(run, "faster", with_errors(run, 2))[3:]
    path = write(run, "cnn", [answered(run, CLEAN, with_errors(run, 1)), lost])
    rows = evaluated(run, {"cnn": path}).table.set_index(["model", "change"])
    assert rows.loc[("cnn", "faster"), "n"] == len(judged(run)) - 3
    assert rows.loc[("cnn", "faster"), ["accuracy", "agreement"]].tolist() == [1, 1]


def test_where_nobody_asked_there_is_an_empty_table_and_no_metric(run: Run) -> None:
    found = evaluated(run, {})
    assert (tuple(found.table.columns), len(found.table)) == (COLUMNS, 0)
    for of_model in found.metrics.values():
        assert not {
            "unchanged_accuracy",
            "robust_accuracy",
            "worst_accuracy",
            "worst_change",
        } & set(of_model["track"])


def test_answers_that_cannot_be_compared_are_refused(run: Run) -> None:
    path = write(run, "cnn", [answered(run, "mp3_64", with_errors(run, 0))])
    with pytest.raises(PredictionsError, match=r"cnn\.parquet: says nothing of the unchanged"):
        evaluated(run, {"cnn": path})
    broken = answered(run, CLEAN, with_errors(run, 0))
    broken[COLUMN["rock"]] = np.float32(2)
    path = write(run, "cnn", [broken])
    with pytest.raises(PredictionsError, match=r"cnn\.parquet: holds probabilities that don't sum"):
        evaluated(run, {"cnn": path})
    tables.write_table(broken, path, lineage.of_answers("xgb_mel", run.params))
    with pytest.raises(StaleArtifactError, match=r"cnn\.parquet: made with"):
        evaluated(run, {"cnn": path})
