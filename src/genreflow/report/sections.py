"""What the sections of the page show, gathered from the results.

Every function returns what its template needs; those that take `specs` add their charts to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from genreflow import registry
from genreflow.folds import name_order
from genreflow.registry import ENSEMBLES
from genreflow.report import answer, artists, audit, chain, charts, pairs, robustness, text, theme
from genreflow.report.confusion import matrices
from genreflow.report.costs import Cost, read_steps
from genreflow.report.leaderboard import axis, leaderboard
from genreflow.report.results import Results

_CONFUSED = 12
_HARDEST = 20


def answer_section(results: Results, comparison: pd.DataFrame) -> dict[str, Any]:
    """Return the headline, the explanation and the leaderboard."""
    tested = [model for model in results.models if "p_value" in results.track(model)]
    return {
        "headline": answer.headline(results),
        "explanation": answer.explanation(results),
        "leaderboard": leaderboard(results, comparison),
        "knows_outside_data": results.knows_outside_data,
        "axis": axis(results),
        "test": results.test,
        "artists_known": artists.artists_known(results),
        "n_tests": text.count(len(tested), "comparison"),
        "weights": _weights(results),
        "figures": answer.key_figures(results),
        "pairs": pairs.matrix(results) if len(results.models) > 1 else [],
        "pairs_summary": pairs.in_short(results),
    }


def _weights(results: Results) -> str:
    """Return the ensembles' mean weights over folds, heaviest first; "" without an ensemble."""
    table = results.table("ensemble")
    names = [name for name in ENSEMBLES if name in results.metrics]
    parts = []
    for name in names:
        means = table[table["ensemble"] == name].groupby("model")["weight"].mean()
        means = means[means >= 0.005].sort_values(ascending=False, kind="stable")
        listed = ", ".join(f"{model} {weight:.2f}" for model, weight in means.items())
        parts.append(f"{name}: {listed}" if len(names) > 1 else listed)
    return ("mean over folds: " if parts and len(results.folds) > 1 else "") + "; ".join(parts)


def robustness_section(results: Results, specs: dict[str, theme.Spec]) -> dict[str, Any]:
    """Return what changes to the sound cost every model; draw it."""
    table = robustness.measured(results)
    if table.empty:
        return {"robustness": None}
    specs["chart-robustness"] = theme.interactive(
        charts.robustness(table, results.models, robustness.UNCHANGED)
    )
    said = robustness.describe(results, table)
    return {"robustness": {**said, "most_lost": f"{100 * charts.MOST_LOST:.0f} points"}}


def confusion_section(results: Results) -> dict[str, Any]:
    """Return the confusion matrices and which of them is shown first."""
    found = matrices(results.table("confusion"), results.models)
    return {
        "matrices": found,
        "chosen_model": results.trained[0],
        "thumbnails": [matrix for matrix in found if matrix.level == "track"],
        "has_windows": any(matrix.level == "window" for matrix in found),
    }


def genres_section(results: Results, specs: dict[str, theme.Spec]) -> dict[str, Any]:
    """Return the most confused pairs; draw F1 per genre."""
    table = results.table("per_genre")
    specs["chart-genres"] = theme.interactive(
        charts.genre_f1(table[table["level"] == "track"].drop(columns="level"), results.models)
    )
    confused = results.table("confused_pairs").head(_CONFUSED)
    return {
        "confused": [
            {**row, "share": text.percent(row["share"])} for row in confused.to_dict("records")
        ]
    }


def stability_section(results: Results, specs: dict[str, theme.Spec]) -> dict[str, Any]:
    """Return the reliability curves; draw folds, agreement and lengths."""
    folds = results.table("per_fold")
    if len(results.folds) > 1:
        specs["chart-folds"] = theme.interactive(
            charts.fold_spread(folds[folds["level"] == "track"], results.models)
        )
    if len(results.models) > 1:
        specs["chart-agreement"] = theme.interactive(
            charts.agreement(results.table("agreement"), results.models)
        )
    lengths = results.table("by_length")
    if len(lengths):
        specs["chart-length"] = theme.interactive(
            charts.accuracy_by_length(lengths, results.trained)
        )
    bins = results.table("calibration")
    return {
        "luck": _luck(results),
        **_corpus_size(results, specs),
        "calibration": [
            {
                "model": model,
                "ece": text.ratio(results.track(model)["ece"]),
                "calibrated": text.ratio(results.track(model)["ece_calibrated"]),
                "svg": Markup(
                    theme.static_svg(
                        charts.reliability(
                            bins[(bins["model"] == model) & (bins["level"] == "track")]
                        ),
                        f"Reliability curve of {model}",
                    )
                ),
            }
            for model in results.models
        ],
    }


def _luck(results: Results) -> list[dict[str, str]]:
    """Return mean and deviation over runs of every model; [] where there is one run."""
    rows = []
    for model in results.models:
        metrics = results.track(model)
        if "sd_repeats" in metrics or "sd_seeds" in metrics:
            rows.append(
                {
                    "model": model,
                    "accuracy": text.percent(metrics["accuracy"]),
                    "interval": text.between(
                        metrics.get("accuracy_low"), metrics.get("accuracy_high"), text.percent
                    ),
                    "repeats": text.deviation(metrics.get("sd_repeats")),
                    "seeds": text.deviation(metrics.get("sd_seeds")),
                }
            )
    return rows


def _corpus_size(results: Results, specs: dict[str, theme.Spec]) -> dict[str, Any]:
    """Draw accuracy against training tracks, and say whether more would help."""
    points = pd.DataFrame(results.corpus_size.get("points", []))
    if points.empty:
        return {"corpus_size": ""}
    # Where all test tracks are of one group, there are no intervals.
    points = points.assign(low=points.get("low", np.nan), high=points.get("high", np.nan))
    specs["chart-size"] = theme.interactive(charts.corpus_size(points))
    gains = []
    for model, part in points.groupby("model", sort=False):
        before, last = part.sort_values("fraction").tail(2).to_dict("records")
        gain = text.points(last["accuracy"] - before["accuracy"])
        gains.append(f"{gain} points for {model}")
    return {
        "corpus_size": f"From {before['fraction']:.0%} to {last['fraction']:.0%} of the training "
        f"tracks accuracy changes by {text.listing(gains)}. Where it still rises by "
        "more than the intervals allow for, more tracks like these would help that model."
    }


def learning_section(results: Results, specs: dict[str, theme.Spec]) -> dict[str, Any]:
    """Return learning curves and what grid searches chose; draw the curves."""
    table = results.table("learning_curves")
    curves = []
    for model in results.trained:
        part = table[table["model"] == model]
        if part.empty:
            continue
        id_ = f"chart-curve-{model}"
        specs[id_] = theme.interactive(charts.learning_curve(part))
        curves.append({"model": model, "id": id_, "kept": _kept(part)})
    return {"curves": curves, "grids": _grids(results), "tuned": _tuned(results)}


def _tuned(results: Results) -> list[dict[str, str]]:
    """Return what each model's trainings choose, in the order of the leaderboard."""
    return [
        {"model": model, "tuned": tuned}
        for model in results.trained
        if (tuned := registry.entry(model).tuned)
    ]


def _kept(curves: pd.DataFrame) -> str:
    """Say which epochs of a model's folds were kept; "" where training didn't say."""
    epochs = curves.loc[curves["kept"].astype(str) == "True", "epoch"].astype(int)
    last = curves.groupby("fold")["epoch"].max().astype(int)
    if epochs.empty:
        return ""
    if len(epochs) == 1:
        return f"kept epoch {epochs.iloc[0]} of {last.iloc[0]}"
    return f"kept epochs {epochs.min()}–{epochs.max()} of up to {last.max()}"


def _grids(results: Results) -> list[dict[str, Any]]:
    """Return what the grid searches chose, one row per model and fold."""
    table = results.table("grids").sort_values("rank", kind="stable")
    rows = []
    for model in results.trained:
        of_model = table[table["model"] == model]
        for fold in sorted(of_model["fold"].unique(), key=name_order):
            grid = of_model[of_model["fold"] == fold]
            best = grid.iloc[0]
            chosen = json.loads(str(best["params"]))
            rows.append(
                {
                    "model": model,
                    "fold": fold,
                    "chosen": ", ".join(
                        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
                        for key, value in chosen.items()
                    ),
                    "accuracy": f"{text.percent(best['mean'])} ± {100 * best['std']:.1f}",
                    "candidates": len(grid),
                }
            )
    return rows


def hardest_section(results: Results) -> dict[str, Any]:
    """Return the tracks that most models got wrong."""
    table = results.table("hardest_tracks")
    tested = len(results.decisions.drop_duplicates(["fold", "track_id"]))
    n_tested = text.count(tested, f"test {results.decision}")
    by_all = int((table["wrong"] == table["models"]).sum())
    return {
        "hardest": [
            {**row, "probability_text": text.ratio(row["probability"])}
            for row in table.head(_HARDEST).to_dict("records")
        ],
        "hardest_summary": f"{text.integer(by_all)} of {n_tested} "
        f"defeated every model; {text.integer(tested - len(table))} were right for all.",
    }


def audit_section(results: Results) -> dict[str, Any]:
    """Return the duplicates, what other protocols claim, and whether the chain tells the genre."""
    return {
        "audit": audit.describe_audit(results),
        "artists": artists.for_the_audit(results),
        "ungrouped": audit.describe_ungrouped(results),
        "naive": audit.describe_naive(results),
        "chain": chain.describe_chain(results),
        "not_tried": audit.not_tried(results),
    }


def cost_section(
    results: Results,
    costs: Mapping[str, Cost],
    comparison: pd.DataFrame,
    specs: dict[str, theme.Spec],
) -> dict[str, Any]:
    """Return what every model and step cost; draw accuracy against time."""
    track = comparison[comparison["level"] == "track"]
    measured = track.dropna(subset="fit_seconds")
    if len(measured) > 1:
        specs["chart-cost"] = theme.interactive(
            charts.cost_scatter(
                measured[
                    ["model", "accuracy", "fit_seconds", "predict_ms_per_track", "peak_rss_mb"]
                ]
            )
        )
    steps = read_steps(results)
    return {
        "costs": [_cost_row(model, costs[model]) for model in results.models],
        "missing_costs": any(cost.fit_seconds is None for cost in costs.values()),
        "steps": [
            {
                "step": step["step"],
                "jobs": step["jobs"],
                "seconds": text.duration(step["seconds"]),
                "memory": text.with_unit(text.number(step["peak_rss_mb"]), "MB"),
            }
            for step in steps.to_dict("records")
        ],
    }


def _cost_row(model: str, cost: Cost) -> dict[str, Any]:
    milliseconds, memory = cost.predict_ms_per_track, cost.peak_rss_mb
    cells = [
        (cost.fit_seconds, text.duration(cost.fit_seconds)),
        (milliseconds, text.with_unit(text.number(milliseconds), "ms")),
        (memory, text.with_unit(text.number(memory), "MB")),
        (cost.parameters, text.integer(cost.parameters)),
        (cost.model_mb, text.with_unit(text.number(cost.model_mb), "MB")),
    ]
    return {
        "model": model,
        "cells": [
            {"value": "" if value is None else value, "text": words} for value, words in cells
        ],
    }
