"""Whether the recording chain goes along with the genre, in words and as a small table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from genreflow.report import text
from genreflow.report.results import Results

_WORTH_NAMING = 0.03
"""What a trace must gain to have given something away."""


def _kilohertz(value: Any) -> str:
    return f"{value / 1000:g} kHz"


_TRACES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "codec": ("format", str),
    "decoder": ("decoder", str),
    "sample_rate": ("sample rate", _kilohertz),
    "channels": ("channels", text.integer),
    "bandwidth_hz": ("bandwidth", _kilohertz),
    "bits": ("bit depth", text.integer),
    "offset": ("constant offset", lambda value: f"{value:.3g}" if value else "none"),
    "peak_db": ("peak", lambda value: f"{value:.1f} dB"),
    "clipped": ("clipping", text.percent),
    "silent": ("digital silence", text.percent),
    "floor_db": ("noise floor", lambda value: f"{value:.1f} dB"),
}
"""What a trace is called, and how its values are written."""


def describe_chain(results: Results) -> dict[str, Any] | None:
    """Say how well the chain alone tells the genre and, where it does, by what; None if not tried.

    Returns
    -------
    dict or None
        Keys summary, level (what levels tell, which are the music's, too), told, and where told is
        true: giveaways (name and what it tells alone) and genres (name and a cell per giveaway).
    """
    found = results.chain
    if "skipped" in found:
        return None
    chain = found["chain"]
    named = _giveaways(chain) if chain["told"] else []
    return {
        "summary": _summary(found),
        "level": _level(found),
        "told": chain["told"],
        "giveaways": [
            {"name": _name(trace), "alone": text.percent(trace["alone"])} for trace in named
        ],
        "genres": [
            {"genre": genre, "cells": [_cell(trace, genre) for trace in named]}
            for genre in results.genres
        ],
    }


def warning(results: Results) -> list[str]:
    """Return a sentence for the plain answer; none unless the chain clearly tells the genre."""
    found = results.chain
    if not found.get("chain", {}).get("told"):
        return []
    names = [_name(trace) for trace in _giveaways(found["chain"])]
    return [
        "Without the music, the files alone tell the genre better than chance: balanced accuracy "
        f"{text.percent(found['chain']['balanced_accuracy'])}, chance "
        f"{text.percent(found['chance'])}, most of it by {text.listing(names)}. So models may "
        "know recordings rather than genres."
    ]


def _summary(found: dict[str, Any]) -> str:
    chain = found["chain"]
    if not chain["traces"]:
        return (
            "Every track came the same way, as far as files show it: format, sample rate, "
            "channels, bandwidth, bit depth and constant offset are the same for all."
        )
    told = text.percent(chain["balanced_accuracy"])
    interval = text.between(chain.get("low"), chain.get("high"), text.percent)
    return (
        "Format, sample rate, channels, bandwidth, bit depth and constant offset alone, without "
        f"the music, tell the genre with a balanced accuracy of {told}"
        f"{f' (interval {interval})' if interval else ''}; chance is "
        f"{text.percent(found['chance'])}. {_verdict(chain, found['chance'])}"
    )


def _verdict(chain: dict[str, Any], chance: float) -> str:
    p = text.p_value(chain["p_value"])
    if chain["told"]:
        return (
            f"That is clearly more than chance (p = {p}, groups permuted). A model can learn how "
            "the files came about instead of what is played; how much it did, accuracy on files "
            "like these can't tell."
        )
    if chain.get("low", 0.0) > chance:
        return (
            f"That is more than chance (p = {p}, groups permuted), but perhaps by so little that "
            "models learn nothing of it."
        )
    return f"That is not clearly more than chance (p = {p}, groups permuted)."


def _level(found: dict[str, Any]) -> str:
    level = found["level"]
    if not level["traces"]:
        return ""
    return (
        "Peak, clipping, digital silence and noise floor alone reach "
        f"{text.percent(level['balanced_accuracy'])} (p = {text.p_value(level['p_value'])}). "
        "Mastering makes them, and so does the music, by its pauses and quiet passages: that alone "
        "is no warning."
    )


def _giveaways(chain: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the traces that told something, at most three; at least the best."""
    shown = [trace for trace in chain["traces"] if "values" in trace]
    return [trace for trace in shown if trace["gain"] >= _WORTH_NAMING] or shown[:1]


def _name(trace: dict[str, Any]) -> str:
    return _TRACES[trace["trace"]][0]


def _cell(trace: dict[str, Any], genre: str) -> str:
    of_genre = trace["values"].get(genre)
    if of_genre is None:
        return text.NONE
    written = _TRACES[trace["trace"]][1](of_genre["value"])
    share = of_genre["share"]
    return written if share is None else f"{written} ({100 * share:.0f} %)"
