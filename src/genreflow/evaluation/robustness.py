"""What becomes of a model's answers when the same music has gone through another chain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow import lineage
from genreflow.columns import OF_CHANGED, genre_of
from genreflow.evaluation.agreement import paired
from genreflow.evaluation.compare import groups_of_tracks, units_of
from genreflow.evaluation.intervals import proportion_interval
from genreflow.evaluation.predictions import WHOLE_TRACK, Predictions, PredictionsError
from genreflow.models.pooling import pool
from genreflow.params import Params
from genreflow.registry.changes import CHANGES, CLEAN
from genreflow.store.tables import read_table

Answers = dict[str, Predictions]
"""What one model says of the test tracks, one row each, by the change they went through."""

COLUMNS = ("model", "change", "n", "accuracy", "low", "high", "agreement")


def read_answers(params: Params, paths: Mapping[str, Path]) -> dict[str, Answers]:
    """Read what models say of changed tracks, unchanged ones first and then as in the registry.

    Parameters
    ----------
    paths
        ``results/robustness/<model>.parquet`` by the model.

    Raises
    ------
    PredictionsError
        A model doesn't say anything of the unchanged tracks, or its probabilities aren't any.
    genreflow.store.stamp.StaleArtifactError
        A file was made by other parameters.
    """
    return {model: _read(params, model, path) for model, path in paths.items()}


def _read(params: Params, model: str, path: Path) -> Answers:
    table = read_table(path, lineage.of_answers(model, params))
    columns = [column for column in table.columns if column not in OF_CHANGED]
    genres = tuple(genre_of(column) for column in columns)
    sums = table[columns].to_numpy(np.float64).sum(axis=1)
    if not (np.abs(sums - 1) < 1e-3).all() or not set(table["genre"]) <= set(genres):
        raise PredictionsError(
            f"{path}: holds probabilities that don't sum to 1, or genres that the model doesn't "
            "know; delete it and rerun `snakemake`."
        )
    found = {}
    for change, rows in table.groupby("change"):
        ordered = rows.sort_values(["fold", "track_id"], kind="stable", ignore_index=True)
        shares = ordered[columns].to_numpy(np.float64)
        keys = ordered[["fold", "track_id", "genre"]]
        keys = keys.assign(seed=0, window=WHOLE_TRACK, role="test")
        found[str(change)] = Predictions(keys, shares / shares.sum(axis=1, keepdims=True), genres)
    if CLEAN not in found:
        raise PredictionsError(
            f"{path}: says nothing of the unchanged tracks; delete it and rerun `snakemake`."
        )
    return {change: found[change] for change in (CLEAN, *CHANGES) if change in found}


def mixed(answers: Mapping[str, Answers], weights: pd.DataFrame) -> Answers:
    """Return what the ensemble says: the members' pool, with the weights of each fold.

    Parameters
    ----------
    weights
        Columns fold, model, weight.
    """
    by_change = {
        change: [
            part
            for fold, of_fold in weights.groupby("fold", sort=False)
            if (part := _mixed_fold(answers, change, str(fold), of_fold)) is not None
        ]
        for change in (CLEAN, *CHANGES)
    }
    return {
        change: Predictions(
            pd.concat([part.keys for part in parts], ignore_index=True),
            np.concatenate([part.probabilities for part in parts]),
            parts[0].genres,
        )
        for change, parts in by_change.items()
        if parts
    }


def _mixed_fold(
    answers: Mapping[str, Answers], change: str, fold: str, weights: pd.DataFrame
) -> Predictions | None:
    """Mix one fold; None unless all members judged its tracks after this change."""
    parts = []
    for model in weights["model"]:
        whole = answers.get(model, {}).get(change)
        part = whole and whole.select((whole.keys["fold"] == fold).to_numpy())
        if not part:
            return None
        parts.append(part)
    stack = np.stack([part.probabilities for part in parts])
    pooled = pool(stack, weights["weight"].to_numpy(np.float64))
    return Predictions(parts[0].keys, pooled, parts[0].genres)


def robustness_table(
    answers: Mapping[str, Answers], splits: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Score every model after every change.

    Parameters
    ----------
    answers
        By model.
    splits
        Columns track_id and group: the groups are the units of the intervals.
    confidence
        Level of the intervals.

    Returns
    -------
    DataFrame
        Columns model, change, n (test tracks, counted in every fold that they are judged in),
        accuracy, low, high (its interval; missing where all tracks are of one group), agreement
        (share of tracks that get the same answer as unchanged).
    """
    groups = groups_of_tracks(splits)
    rows = []
    for model, of_model in answers.items():
        for change, part in of_model.items():
            right = (part.actual == part.predicted).astype(float)
            interval = proportion_interval(
                right, units_of(part.keys["track_id"], groups), confidence
            )
            before, after = paired(of_model[CLEAN], part)
            rows.append(
                {
                    "model": model,
                    "change": change,
                    "n": len(part),
                    "accuracy": float(right.mean()),
                    "low": interval.low if interval else np.nan,
                    "high": interval.high if interval else np.nan,
                    "agreement": float((before.predicted == after.predicted).mean()),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summaries(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return what ``metrics.json`` says of every model: how it does unchanged, and after changes.

    These are unchanged_accuracy, robust_accuracy (mean over changes), worst_accuracy, worst_change.

    Parameters
    ----------
    table
        What :func:`robustness_table` returned.
    """
    found = {}
    unchanged = table[table["change"] == CLEAN].set_index("model")["accuracy"]
    for model, rows in table[table["change"] != CLEAN].groupby("model"):
        worst = rows.iloc[int(rows["accuracy"].to_numpy().argmin())]
        found[str(model)] = {
            "unchanged_accuracy": float(unchanged[model]),
            "robust_accuracy": float(rows["accuracy"].mean()),
            "worst_accuracy": float(worst["accuracy"]),
            "worst_change": str(worst["change"]),
        }
    return found
