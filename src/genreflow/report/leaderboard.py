"""The rows of the leaderboard, with the positions of their drawn intervals."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from genreflow import registry
from genreflow.registry import BASELINE, ENSEMBLE, ENSEMBLES
from genreflow.registry.changes import CHANGES
from genreflow.report import text
from genreflow.report.results import Results


def axis(results: Results) -> dict[str, Any]:
    """Return the ticks of the interval column and the baseline's position [% of its width]."""
    low, high = _range(results)
    step = 5 if high - low <= 30 else 10 if high - low <= 40 else 20
    return {
        "ticks": [
            {"at": f"{_position(tick / 100, low, high):.2f}", "label": f"{tick} %"}
            for tick in range(low, high + 1)
            if tick % step == 0
        ],
        "baseline": f"{_position(results.track(BASELINE)['accuracy'], low, high) / 100:.4f}"
        if results.has_baseline
        else None,
    }


def leaderboard(results: Results, comparison: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row per model, best first; see the template for the keys."""
    low, high = _range(results)
    windows = comparison[comparison["level"] == "window"].set_index("model")["accuracy"]
    best = _best(results)
    rows = []
    for model in results.models:
        metrics = results.track(model)
        get = metrics.get
        has_interval = "accuracy_low" in metrics
        left = _position(metrics["accuracy_low"], low, high) if has_interval else None
        window = windows.get(model)
        is_baseline = model == BASELINE
        outside = results.outside_data(model)
        rows.append(
            {
                "model": model,
                "about": _about(results, model),
                "is_baseline": is_baseline,
                "best": best.get(model, ""),
                "accuracy": metrics["accuracy"],
                "accuracy_text": text.percent(metrics["accuracy"]),
                "interval_text": text.between(
                    get("accuracy_low"), get("accuracy_high"), text.percent
                ),
                "at": f"{_position(metrics['accuracy'], low, high):.2f}",
                "low": None if left is None else f"{left:.2f}",
                "width": None
                if left is None
                else f"{_position(metrics['accuracy_high'], low, high) - left:.2f}",
                "f1": metrics["f1_macro"],
                "f1_text": text.ratio(metrics["f1_macro"]),
                "delta": _value(get("delta_accuracy")),
                "delta_text": text.NONE if is_baseline else text.points(get("delta_accuracy")),
                "delta_interval": text.between(get("delta_low"), get("delta_high"), text.points),
                "p": _value(get("p_adjusted")),
                "p_text": text.p_value(get("p_adjusted")),
                "significant": "p_adjusted" in metrics and metrics["p_adjusted"] < results.alpha,
                "luck": _luck(metrics),
                "balanced": metrics["balanced_accuracy"],
                "balanced_text": text.percent(metrics["balanced_accuracy"]),
                "robust": _value(get("robust_accuracy")),
                "robust_text": text.percent(get("robust_accuracy")),
                "robust_of": text.percent(get("unchanged_accuracy")),
                "robust_worst": _worst(metrics),
                "outside": text.outside_data(outside),
                "outside_names": outside,
                "learnt": results.learnt_from(model)[0],
                "learnt_text": text.learnt_from(*results.learnt_from(model)),
                "hard": _value(get("accuracy_hard")),
                "hard_text": text.percent(get("accuracy_hard")),
                "window": _value(window),
                "window_text": text.percent(window),
                "ece": metrics["ece"],
                "ece_text": text.ratio(metrics["ece"]),
            }
        )
    return rows


def _about(results: Results, model: str) -> str:
    """Say in a few words what `model` is."""
    if model not in ENSEMBLES:
        return registry.entry(model).title
    some = model == ENSEMBLE and results.knows_outside_data
    return f"weighted vote of {'models without outside data' if some else 'all models'}"


def _best(results: Results) -> dict[str, str]:
    """Return the best single model of each kind, and what it is called for that."""
    best = [kind[0] for kind in results.kinds]
    if len(best) == 1:
        return {best[0]: "best model"}
    return dict(zip(best, ("best without outside data", "best with outside data"), strict=True))


def _luck(metrics: dict[str, Any]) -> str:
    """Write how far runs lie apart by luck of the split and of the training; "" for one run."""
    parts = [
        f"± {100 * metrics[key]:.1f} {name}"
        for key, name in (("sd_repeats", "by split"), ("sd_seeds", "by seed"))
        if key in metrics
    ]
    return ", ".join(parts)


def _worst(metrics: dict[str, Any]) -> str:
    """Write the change that costs most, and what it leaves; "" where none was measured."""
    if "worst_change" not in metrics:
        return ""
    return f"{CHANGES[metrics['worst_change']]}: {text.percent(metrics['worst_accuracy'])}"


def _value(value: float | None) -> float | str:
    """Return what a column is sorted by; "" goes to the end."""
    return "" if value is None else value


def _range(results: Results) -> tuple[int, int]:
    """Return the axis' ends [%], multiples of five around all intervals."""
    of_models = [results.track(model) for model in results.models]
    low = min(metrics.get("accuracy_low", metrics["accuracy"]) for metrics in of_models)
    high = max(metrics.get("accuracy_high", metrics["accuracy"]) for metrics in of_models)
    bottom = 5 * math.floor(20 * low)
    return bottom, max(5 * math.ceil(20 * high), bottom + 5)


def _position(share: float, low: int, high: int) -> float:
    return 100 * (100 * share - low) / (high - low)
