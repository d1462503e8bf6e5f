"""What models say of music of no genre they know, in words and a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genreflow.report import text
from genreflow.report.results import Results

_SCORES = ("auroc", "auroc_familiarity", "auroc_both")
_SHARES = ("known_unsure", "unknown_unsure", "known_unfamiliar", "unknown_unfamiliar")

_CLEAR = 0.6
"""From here on, lower confidence is worth a word; a coin has 0.5."""


def describe_unknown(results: Results) -> dict[str, Any]:
    """Return the reason why nothing was measured, or rows of every probe and a summary."""
    found = results.unknown
    if reason := found.get("skipped", ""):
        return {"skipped": reason}
    models: Mapping[str, Any] = found["models"]
    return {
        "skipped": "",
        "models": list(models),
        "summary": _summary(models),
        "unsure_below": text.ratio(found["unsure_below"]),
        "unfamiliar_below": text.ratio(found["unfamiliar_below"]),
        "means": [_mean(model, of_model) for model, of_model in models.items()],
        "left_out": _rows(models, "left_out"),
        "strangers": _rows(models, "strangers"),
        "folder": results.params.unknown.folder,
    }


def _summary(models: Mapping[str, Any]) -> str:
    """Say whether models are less sure of what they can't know."""
    parts = [
        f"{text.ratio(of['auroc'])} for the confidence of {model}" for model, of in models.items()
    ]
    familiar = next(iter(models.values()))["auroc_familiarity"]
    parts.append(f"{text.ratio(familiar)} for familiarity")
    lowest = min(of["auroc"] for of in models.values())
    verdict = (
        "So they are less sure of a genre they don't know, but far from always: a low confidence "
        "is a hint, a high one no proof."
        if lowest >= _CLEAR
        else "So confidence alone hardly tells a genre that models don't know from hard tracks of "
        "genres they know."
    )
    return f"Without a genre at a time, the mean AUROC is {text.listing(parts)}. {verdict}"


def _mean(model: str, of_model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the means over genres."""
    scores = [text.ratio(of_model[name]) for name in _SCORES]
    return {"model": model, "cells": [*scores, *(text.percent(of_model[n]) for n in _SHARES)]}


def _rows(models: Mapping[str, Any], what: str) -> list[dict[str, Any]]:
    """Return a row for each genre or kind of sound, the least familiar first; cells by probe."""
    of_first = next(iter(models.values()))[what]

    def place(name: str) -> tuple[float, str]:
        return -of_first[name]["auroc_familiarity"], name

    return [
        {
            "name": name,
            "n": of_first[name]["n_unknown"],
            "familiarity": of_first[name]["auroc_familiarity"],
            "familiarity_text": text.ratio(of_first[name]["auroc_familiarity"]),
            "unfamiliar": text.percent(of_first[name]["unknown_unfamiliar"]),
            "cells": [_cell(of[what][name]) for of in models.values()],
        }
        for name in sorted(of_first, key=place)
    ]


def _cell(scored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "auroc": scored["auroc"],
        "text": text.ratio(scored["auroc"]),
        "unsure": text.percent(scored["unknown_unsure"]),
    }
