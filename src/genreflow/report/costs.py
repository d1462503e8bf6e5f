"""What a model costs: time, memory, size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genreflow.registry import ENSEMBLES, entry
from genreflow.report.results import Results


@dataclass(frozen=True)
class Cost:
    """Cost of one model; None where nothing was measured.

    Attributes
    ----------
    fit_seconds
        Time to train one fold (mean over folds) [s].
    predict_ms_per_track
        Time to decide a track [ms].
    peak_rss_mb
        Largest resident memory of a training job [MB].
    parameters
        Learned numbers (mean over folds).
    model_mb
        Size of the model file (mean over folds) [MB].
    """

    fit_seconds: float | None = None
    predict_ms_per_track: float | None = None
    peak_rss_mb: float | None = None
    parameters: int | None = None
    model_mb: float | None = None


def read_costs(results: Results) -> dict[str, Cost]:
    """Return the cost of every model, and of an ensemble that of its members together.

    A measurement counts only if it belongs to the predictions at hand, by their digest: a run
    that fetched its models from a cache has no timings of its own.
    """
    costs = {model: _read_cost(results, model) for model in results.trained}
    return costs | {
        name: _combined([costs[model] for model in results.members(name)])
        for name in ENSEMBLES
        if name in results.metrics
    }


def read_steps(results: Results) -> pd.DataFrame:
    """Sum up what every step cost.

    Returns
    -------
    DataFrame
        Columns step, jobs, seconds (summed over jobs), peak_rss_mb (largest job), in order of time.
    """
    measured = [
        {"step": step, "seconds": cost["seconds"], "peak_rss_mb": cost["peak_rss_mb"]}
        for (step, _), cost in results.costs.items()
    ]
    if not measured:
        return pd.DataFrame(columns=["step", "jobs", "seconds", "peak_rss_mb"])
    steps = (
        pd.DataFrame(measured)
        .groupby("step", as_index=False)
        .agg(
            jobs=("seconds", "size"), seconds=("seconds", "sum"), peak_rss_mb=("peak_rss_mb", "max")
        )
    )
    return steps.sort_values("seconds", ascending=False, ignore_index=True)


def _read_cost(results: Results, model: str) -> Cost:
    facts = results.model_facts[model]
    timings = [
        timing
        for fold, fact in facts.items()
        if (timing := results.costs.get((entry(model).step, fold)))
        and timing["predictions_sha256"] == fact["predictions_sha256"]
    ]
    tracks = sum(timing["n_tracks_predicted"] for timing in timings)
    return Cost(
        fit_seconds=_mean(timing["fit_seconds"] for timing in timings),
        predict_ms_per_track=1000 * sum(timing["predict_seconds"] for timing in timings) / tracks
        if tracks
        else None,
        peak_rss_mb=max((float(timing["peak_rss_mb"]) for timing in timings), default=None),
        parameters=round(float(np.mean([fact["n_parameters"] for fact in facts.values()]))),
        model_mb=_mean(fact["model_bytes"] / 1e6 for fact in facts.values()),
    )


def _combined(costs: list[Cost]) -> Cost:
    """Add up what running all models one after another costs."""

    def total(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) if len(known) == len(values) else None

    memory = [cost.peak_rss_mb for cost in costs if cost.peak_rss_mb is not None]
    parameters = total([cost.parameters for cost in costs])
    return Cost(
        fit_seconds=total([cost.fit_seconds for cost in costs]),
        predict_ms_per_track=total([cost.predict_ms_per_track for cost in costs]),
        peak_rss_mb=max(memory) if len(memory) == len(costs) else None,
        parameters=None if parameters is None else int(parameters),
        model_mb=total([cost.model_mb for cost in costs]),
    )


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return float(np.mean(known)) if known else None
