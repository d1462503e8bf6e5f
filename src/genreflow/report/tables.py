"""The comparison as a CSV file and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from genreflow.registry import BASELINE
from genreflow.report import robustness, text
from genreflow.report.costs import Cost
from genreflow.report.results import Results

CONTRACT = [
    "model",
    "level",
    "n",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "delta_accuracy",
    "p_value",
    "p_adjusted",
    "fit_seconds",
    "predict_ms_per_track",
    "peak_rss_mb",
    "parameters",
]
"""The columns of ``comparison.csv`` that others rely on, in their order."""

EXTRA = [
    "n_tracks",
    "outside_data",
    "n_train",
    "n_valid",
    "n_seeds",
    "sd_repeats",
    "sd_seeds",
    "balanced_accuracy",
    "balanced_accuracy_low",
    "balanced_accuracy_high",
    "f1_macro_low",
    "f1_macro_high",
    "delta_low",
    "delta_high",
    "accuracy_hard",
    "f1_macro_hard",
    "log_loss",
    "ece",
    "log_loss_calibrated",
    "ece_calibrated",
    "model_mb",
    "unchanged_accuracy",
    "robust_accuracy",
    "worst_accuracy",
]
"""The columns behind them."""


def comparison(results: Results, costs: Mapping[str, Cost]) -> pd.DataFrame:
    """Return one row per model and level: track rows first, best first; empty where undefined."""
    rows = [
        {
            "model": model,
            "level": level,
            "outside_data": " + ".join(results.outside_data(model)),
            **dict(zip(("n_train", "n_valid"), results.learnt_from(model), strict=True)),
            **results.metrics[model][level],
            **asdict(costs[model]),
        }
        for level in ("track", "window")
        for model in results.models
        if level in results.metrics[model]
    ]
    table = pd.DataFrame(rows).reindex(columns=CONTRACT + EXTRA)
    return table.astype({"parameters": "Int64"})


def comparison_markdown(results: Results, table: pd.DataFrame, answer: str) -> str:
    """Write the comparison for pasting into a paper or a pull request."""
    confidence = f"{results.params.evaluation.confidence:.0%}".replace("%", " %")
    track = table[table["level"] == "track"]
    window = table[table["level"] == "window"]
    parts = [
        f"### {results.params.report.title}",
        answer,
        _markdown(_headline(results, track, confidence)),
    ]
    if len(window):
        of_windows = _windows(results, window, confidence)
        parts += ["Per window, before the vote:", _markdown(of_windows)]
    baseline = (
        f" Δ is the difference to the baseline `{BASELINE}` in percentage points; p is from the "
        f"{results.test} on paired tracks, Holm-corrected over the models."
        if results.has_baseline
        else ""
    )
    robust = robustness.in_the_comparison(results)
    parts.append(
        f"{text.count(int(track['n_tracks'].max()), 'test track')}, "
        f"{text.count(len(results.folds), 'fold')}, decisions by soft vote. "
        f"Brackets: {confidence} intervals over tracks (over groups where tracks are "
        f"grouped), one comparison at a time.{baseline} Outside data: what a model, its "
        "features or a member of an ensemble was trained on before; compare like with like. Learns "
        "from: training tracks, and validation tracks held out. Calibrated: with a temperature "
        "fitted on validation tracks. Fit: seconds to train one fold."
        + (f" {robust}" if robust else "")
    )
    return "\n\n".join(parts) + "\n"


def _headline(results: Results, track: pd.DataFrame, confidence: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "model": f"`{row['model']}`",
                f"accuracy [{confidence}]": text.percent_interval(
                    row["accuracy"], row["accuracy_low"], row["accuracy_high"]
                ),
                "balanced accuracy": text.percent(row["balanced_accuracy"]),
                f"macro F1 [{confidence}]": text.ratio_interval(
                    row["f1_macro"], row["f1_macro_low"], row["f1_macro_high"]
                ),
                "precision": text.ratio(row["precision_macro"]),
                "recall": text.ratio(row["recall_macro"]),
                f"Δ [{confidence}]": "baseline"
                if row["model"] == BASELINE
                else text.points_interval(
                    row["delta_accuracy"], row["delta_low"], row["delta_high"]
                ),
                "p": text.p_value(row["p_adjusted"]),
                "hard vote": text.percent(row["accuracy_hard"]),
                "outside data": _outside(results, row["model"]),
                "learns from": text.learnt_from(row["n_train"], row["n_valid"]),
                "unchanged": text.percent(row["unchanged_accuracy"]),
                "robust": text.percent(row["robust_accuracy"]),
                "worst": text.percent(row["worst_accuracy"]),
                "ECE": text.ratio(row["ece"]),
                "ECE calibrated": text.ratio(row["ece_calibrated"]),
                "fit [s]": text.number(row["fit_seconds"]),
                "predict [ms/track]": text.number(row["predict_ms_per_track"]),
                "peak memory [MB]": text.number(row["peak_rss_mb"]),
                "parameters": text.integer(row["parameters"]),
            }
            for row in track.to_dict("records")
        ]
    )


def _windows(results: Results, window: pd.DataFrame, confidence: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "model": f"`{row['model']}`",
                "windows": text.integer(row["n"]),
                f"accuracy [{confidence}]": text.percent_interval(
                    row["accuracy"], row["accuracy_low"], row["accuracy_high"]
                ),
                f"macro F1 [{confidence}]": text.ratio_interval(
                    row["f1_macro"], row["f1_macro_low"], row["f1_macro_high"]
                ),
                "outside data": _outside(results, row["model"]),
            }
            for row in window.to_dict("records")
        ]
    )


def _outside(results: Results, model: str) -> str:
    return text.markdown(text.outside_data(results.outside_data(model)))


def _markdown(table: pd.DataFrame) -> str:
    """Write a pipe table; the first column is left-aligned, the others right-aligned."""
    lines = [
        list(table.columns),
        [":--", *["--:"] * (len(table.columns) - 1)],
        *table.to_numpy().tolist(),
    ]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
