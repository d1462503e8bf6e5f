"""All models side by side: scores, intervals, differences to the baseline, tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from genreflow.evaluation.agreement import paired
from genreflow.evaluation.calibration import expected_calibration_error, reliability
from genreflow.evaluation.intervals import Interval, accuracy_interval, f1_interval
from genreflow.evaluation.metrics import scores
from genreflow.evaluation.predictions import Codes, Predictions
from genreflow.evaluation.significance import holm, paired_p
from genreflow.params import Evaluation
from genreflow.registry import BASELINE

Levels = dict[str, Predictions]
"""The test decisions of a model: ``track`` (soft vote), and ``window`` where it has windows."""

Metrics = dict[str, dict[str, dict[str, Any]]]
"""Model, level, metric. What isn't defined (the baseline's p-value) is absent."""


def compare(
    levels: Mapping[str, Levels],
    hard: Mapping[str, Codes],
    splits: pd.DataFrame,
    settings: Evaluation,
) -> Metrics:
    """Score all models at all levels and compare them with the baseline.

    Parameters
    ----------
    levels
        Test decisions per model and level.
    hard
        Hard-vote decisions of the models with windows, in the row order of their track level.
    splits
        track_id and group: the groups are what the bootstrap resamples and the test flips.
    """
    groups = _groups(splits)
    metrics = {
        model: {
            level: _metrics(decisions, groups, levels, level, settings)
            | (_hard_metrics(decisions, hard.get(model)) if level == "track" else {})
            for level, decisions in of_model.items()
        }
        for model, of_model in levels.items()
    }
    _add_significance(metrics, levels, groups, settings)
    return metrics


def _groups(splits: pd.DataFrame) -> pd.Series[str]:
    """Return the resampled unit of each track: its group, or itself when it has none."""
    table = splits.drop_duplicates("track_id").set_index("track_id")
    names: pd.Series[str] = table["group"].fillna("").astype(str)
    return names.where(names != "", pd.Series(table.index, index=table.index))


def _metrics(
    decisions: Predictions,
    groups: pd.Series[str],
    levels: Mapping[str, Levels],
    level: str,
    settings: Evaluation,
) -> dict[str, Any]:
    """Score one model at one level, with intervals and the difference to the baseline."""
    actual, predicted = decisions.actual, decisions.predicted
    units = _units(decisions, groups)
    right = (actual == predicted).astype(float)
    values: dict[str, Any] = {
        "n": len(decisions),
        "n_tracks": int(decisions.keys["track_id"].nunique()),
        "n_groups": len(set(units)),
        "n_folds": int(decisions.keys["fold"].nunique()),
        **asdict(scores(actual, predicted)),
        **_bounds("accuracy", accuracy_interval(right, units, settings)),
        **_bounds("f1_macro", f1_interval(actual, predicted, units, settings)),
        "log_loss": float(
            log_loss(actual, decisions.probabilities, labels=np.arange(len(decisions.genres)))
        ),
        "ece": expected_calibration_error(reliability(decisions, settings.calibration_bins)),
    }
    baseline = levels.get(BASELINE, {}).get(level)
    if baseline is None:
        return values
    here, there = paired(decisions, baseline)
    if not len(here):
        return values
    gained = (here.actual == here.predicted).astype(float) - (there.actual == there.predicted)
    values["delta_accuracy"] = float(gained.mean())
    if baseline is not decisions:
        values |= _bounds("delta", accuracy_interval(gained, _units(here, groups), settings))
    return values


def _units(decisions: Predictions, groups: pd.Series[str]) -> list[str]:
    tracks = decisions.keys["track_id"]
    return [str(unit) for unit in tracks.map(groups).fillna(tracks)]


def _bounds(name: str, interval: Interval | None) -> dict[str, float]:
    return {} if interval is None else {f"{name}_low": interval.low, f"{name}_high": interval.high}


def _hard_metrics(decisions: Predictions, predicted: Codes | None) -> dict[str, float]:
    if predicted is None:
        return {}
    of_vote = scores(decisions.actual, predicted)
    return {"accuracy_hard": of_vote.accuracy, "f1_macro_hard": of_vote.f1_macro}


def _add_significance(
    metrics: Metrics, levels: Mapping[str, Levels], groups: pd.Series[str], settings: Evaluation
) -> None:
    """Test every model against the baseline on the tracks both decided.

    Only at track level: windows of one track are no independent trials.
    """
    if BASELINE not in levels:
        return
    p_values = {}
    for model, of_model in levels.items():
        here, there = paired(of_model["track"], levels[BASELINE]["track"])
        if model != BASELINE and len(here):
            p_values[model] = paired_p(
                here.actual == here.predicted,
                there.actual == there.predicted,
                _units(here, groups),
                seed=settings.seed,
            )
    adjusted = holm(p_values)
    for model, p_value in p_values.items():
        metrics[model]["track"] |= {"p_value": p_value, "p_adjusted": adjusted[model]}
