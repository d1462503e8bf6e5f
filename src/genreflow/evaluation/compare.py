"""All models side by side: scores, intervals, differences to the baseline, tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from genreflow.evaluation.calibration import expected_calibration_error, reliability
from genreflow.evaluation.intervals import (
    Interval,
    balanced_accuracy_interval,
    difference_interval,
    f1_interval,
    proportion_interval,
)
from genreflow.evaluation.metrics import luck, per_run, scores
from genreflow.evaluation.predictions import Codes, Predictions
from genreflow.evaluation.significance import holm, paired_p
from genreflow.params import Evaluation, Params
from genreflow.registry import BASELINE

Levels = dict[str, Predictions]
"""The test decisions of a model: ``track`` (soft vote), and ``window`` where it has windows."""

Metrics = dict[str, dict[str, dict[str, Any]]]
"""Model, level, metric. What isn't defined (the baseline's p-value) is absent."""


def compare(
    levels: Mapping[str, Levels],
    hard: Mapping[str, Codes],
    splits: pd.DataFrame,
    params: Params,
) -> tuple[Metrics, pd.DataFrame]:
    """Score all models at all levels and compare them with the baseline and with each other.

    Parameters
    ----------
    levels
        Test decisions per model and level.
    hard
        Hard-vote decisions of the models with windows, in the row order of their track level.
    splits
        Columns track_id and group: the groups are what intervals resample and the test flips.
    params
        The sections ``evaluation`` and ``splits`` are used.

    Returns
    -------
    metrics : dict
        Model, level, metric.
    pairs : DataFrame
        What :func:`compare_pairs` returns.
    """
    groups = groups_of_tracks(splits)
    settings = params.evaluation
    metrics = {
        model: {
            level: _metrics(decisions, groups, settings)
            | luck(per_run(decisions, params.splits))
            | _difference(decisions, levels.get(BASELINE, {}).get(level), groups, settings)
            | (_hard_metrics(decisions, hard.get(model)) if level == "track" else {})
            for level, decisions in of_model.items()
        }
        for model, of_model in levels.items()
    }
    pairs = compare_pairs(
        {m: of_model["track"] for m, of_model in levels.items()}, groups, settings
    )
    _add_significance(metrics, pairs)
    return metrics, pairs


def compare_pairs(
    decisions: Mapping[str, Predictions], groups: pd.Series[str], settings: Evaluation
) -> pd.DataFrame:
    """Compare every model with every other on the tracks that both decided.

    Only at track level: windows of one track are no independent trials.

    Parameters
    ----------
    decisions
        Of tracks, per model.
    groups
        What each track is resampled and flipped with, from :func:`groups_of_tracks`.
    settings
        Level of the intervals, and seed of the tests.

    Returns
    -------
    DataFrame
        Columns model, other, n, delta (accuracy of `model` less that of `other`), delta_low,
        delta_high, p_value, and p_adjusted (Holm, over all these pairs); each pair once.
    """
    rows = []
    right = {model: part.right() for model, part in decisions.items()}
    for model, other in combinations(decisions, 2):
        gained = _gained(right[model], right[other])
        if gained.empty:
            continue
        units = units_of(gained.index.get_level_values("track_id"), groups)
        values = np.asarray(gained, dtype=np.float64)
        rows.append(
            {
                "model": model,
                "other": other,
                "n": len(gained),
                "delta": float(values.mean()),
                **_bounds("delta", difference_interval(values, units, settings.confidence)),
                "p_value": paired_p(values, units, seed=settings.seed),
            }
        )
    columns = ["model", "other", "n", "delta", "delta_low", "delta_high", "p_value"]
    table = pd.DataFrame(rows).reindex(columns=columns)
    adjusted = holm({str(i): p for i, p in table["p_value"].items()})
    return table.assign(p_adjusted=list(adjusted.values()))


def groups_of_tracks(splits: pd.DataFrame) -> pd.Series[str]:
    """Return the resampled unit of each track: its group, or itself when it has none."""
    table = splits.drop_duplicates("track_id").set_index("track_id")
    names: pd.Series[str] = table["group"].fillna("").astype(str)
    return names.where(names != "", pd.Series(table.index, index=table.index))


def _metrics(
    decisions: Predictions, groups: pd.Series[str], settings: Evaluation
) -> dict[str, Any]:
    """Score one model at one level, with intervals."""
    actual, predicted = decisions.actual, decisions.predicted
    units = units_of(decisions.keys["track_id"], groups)
    right = (actual == predicted).astype(float)
    return {
        "n": int((decisions.keys["seed"] == 0).sum()),
        "n_tracks": int(decisions.keys["track_id"].nunique()),
        "n_groups": len(set(units)),
        "n_folds": int(decisions.keys["fold"].nunique()),
        "n_seeds": int(decisions.keys["seed"].nunique()),
        **asdict(scores(actual, predicted)),
        **_bounds("accuracy", proportion_interval(right, units, settings.confidence)),
        **_bounds("f1_macro", f1_interval(actual, predicted, units, settings)),
        **_bounds(
            "balanced_accuracy", balanced_accuracy_interval(actual, predicted, units, settings)
        ),
        "log_loss": float(
            log_loss(actual, decisions.probabilities, labels=np.arange(len(decisions.genres)))
        ),
        "ece": expected_calibration_error(reliability(decisions, settings.calibration_bins)),
    }


def _difference(
    decisions: Predictions,
    baseline: Predictions | None,
    groups: pd.Series[str],
    settings: Evaluation,
) -> dict[str, float]:
    """Return the difference to the baseline at one level, with its interval."""
    if baseline is None:
        return {}
    gained = _gained(decisions.right(), baseline.right())
    if gained.empty:
        return {}
    values = {"delta_accuracy": float(gained.mean())}
    if baseline is not decisions:
        units = units_of(gained.index.get_level_values("track_id"), groups)
        interval = difference_interval(
            np.asarray(gained, dtype=np.float64), units, settings.confidence
        )
        values |= _bounds("delta", interval)
    return values


def _gained(here: pd.Series[float], there: pd.Series[float]) -> pd.Series[float]:
    """Return by how much the one is more often right, row by row that both have."""
    if here.index.equals(there.index):
        return here - there
    return (here - there).dropna()


def units_of(tracks: pd.Series[str] | pd.Index[str], groups: pd.Series[str]) -> list[str]:
    """Return what each of `tracks` is resampled with; `groups` is of :func:`groups_of_tracks`."""
    return [str(groups.get(track, track)) for track in tracks]


def _bounds(name: str, interval: Interval | None) -> dict[str, float]:
    return {} if interval is None else {f"{name}_low": interval.low, f"{name}_high": interval.high}


def _hard_metrics(decisions: Predictions, predicted: Codes | None) -> dict[str, float]:
    if predicted is None:
        return {}
    of_vote = scores(decisions.actual, predicted)
    return {"accuracy_hard": of_vote.accuracy, "f1_macro_hard": of_vote.f1_macro}


def _add_significance(metrics: Metrics, pairs: pd.DataFrame) -> None:
    """Copy the tests against the baseline, adjusted as the family of their own that they are."""
    against = pairs[(pairs["model"] == BASELINE) | (pairs["other"] == BASELINE)]
    models = against["model"].where(against["other"] == BASELINE, against["other"])
    p_values = dict(zip(models, against["p_value"].astype(float), strict=True))
    adjusted = holm(p_values)
    for model, p_value in p_values.items():
        metrics[model]["track"] |= {"p_value": p_value, "p_adjusted": adjusted[model]}
