"""Which models can be told apart: the tests of all pairs, in words and as a matrix."""

from __future__ import annotations

from typing import Any

import pandas as pd

from genreflow.report import text
from genreflow.report.results import Results


def matrix(results: Results) -> list[dict[str, Any]]:
    """Return a row per model, best first, of its differences to all others; see the template."""
    found = _found(results)
    return [
        {
            "model": model,
            "cells": [_cell(found, model, other, results.alpha) for other in results.models],
        }
        for model in results.models
    ]


def between(results: Results, model: str, other: str) -> dict[str, Any] | None:
    """Return how `model` differs from `other`, as in :func:`matrix`; None where there is none."""
    return _cell(_found(results), model, other, results.alpha)


def _found(results: Results) -> dict[tuple[str, str], dict[Any, Any]]:
    table = results.table("pairs")
    return {(row["model"], row["other"]): row for row in table.to_dict("records")}


def _cell(
    found: dict[tuple[str, str], dict[Any, Any]], model: str, other: str, alpha: float
) -> dict[str, Any] | None:
    """Return a difference as the row's model sees it; None where there is none."""
    if (model, other) in found:
        pair, sign = found[model, other], 1
    elif (other, model) in found:
        pair, sign = found[other, model], -1
    else:
        return None
    bounds = sorted(sign * pair[f"delta_{side}"] for side in ("low", "high"))
    return {
        "other": other,
        "delta": text.points(sign * pair["delta"]),
        "interval": f"{text.points(bounds[0])} to {text.points(bounds[1])}",
        "p": text.p_value(pair["p_adjusted"]),
        "significant": pair["p_adjusted"] < alpha,
        "better": sign * pair["delta"] > 0,
        "strength": f"{min(1.0, abs(pair['delta']) / 0.3):.3f}",
    }


def in_short(results: Results) -> str:
    """Say which models can't be told apart; "" where there are no two."""
    if len(results.models) < 2:
        return ""
    runs = _alike(results.models, _told_apart(results.table("pairs"), results.alpha))
    if not runs:
        return "Every model can be told apart from every other."
    if runs == [results.models]:
        return "With these test tracks, no two models can be told apart."
    return f"Not to be told apart with these test tracks: {'; '.join(map(text.listing, runs))}."


def rivals(results: Results, ranked: list[str]) -> list[str]:
    """Return the models that can't be told apart from the first, of some that are `ranked`."""
    apart = _told_apart(results.table("pairs"), results.alpha)
    best, *others = ranked
    return [model for model in others if frozenset((best, model)) not in apart]


def _told_apart(pairs: pd.DataFrame, alpha: float) -> set[frozenset[str]]:
    significant = pairs[pairs["p_adjusted"] < alpha]
    return {
        frozenset(pair) for pair in zip(significant["model"], significant["other"], strict=True)
    }


def _alike(models: list[str], apart: set[frozenset[str]]) -> list[list[str]]:
    """Return the longest runs of neighbours in the ranking without a significant difference."""
    runs: list[list[str]] = []
    for start in range(len(models)):
        run = [models[start]]
        for model in models[start + 1 :]:
            if any(frozenset((model, member)) in apart for member in run):
                break
            run.append(model)
        if len(run) > 1 and not (runs and run[-1] == runs[-1][-1]):
            runs.append(run)
    return runs
