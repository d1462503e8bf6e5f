"""What is known of the artists, in words: the largest leak that audio alone can't show."""

from __future__ import annotations

from typing import Any

from genreflow.report import text
from genreflow.report.results import Results

_HIDDEN = (
    "A model that has heard an artist recognises the voice, the band and the studio: how much of "
    "the accuracy is that can't be told from this run."
)


def artists_known(results: Results) -> bool:
    """Tell whether artists are kept apart: by the user's word, or by a partition made so."""
    listed = results.n_grouped > 0 and results.groups_are_artists
    return listed or results.params.splits.strategy == "fault_filtered"


def in_short(results: Results) -> str:
    """Say in one sentence for whom the accuracy holds."""
    listing = results.params.corpus.groups
    if results.n_grouped and not results.groups:
        return "Artists are kept apart: each of the demo's bands plays on one side of a split only."
    if results.params.splits.strategy == "fault_filtered":
        said = "The partition keeps artists apart: these numbers hold for music by others."
        if results.n_grouped:
            return said
        return (
            f"{said} Which test tracks share an artist isn't known ({listing} lists none), so that "
            "intervals are too narrow and p-values too small."
        )
    if not results.n_grouped:
        return (
            f"No artists are known ({listing} lists none), so that training and test may share "
            "them: on music by artists it has never heard, expect less."
        )
    usable = int((results.tracks["status"] == "ok").sum())
    unknown = usable - results.n_grouped
    rest = (
        f"; {text.count(unknown, 'track has', 'tracks have')} no known artist and "
        f"{'stands' if unknown == 1 else 'stand'} alone"
        if unknown > 0
        else ""
    )
    if not results.groups_are_artists:
        return (
            f"Tracks of one group are kept apart, as {results.groups} finds them "
            f"({text.count(results.n_grouped, 'track')}). Whether these groups are artists isn't "
            "known: if they aren't, training and test may share artists."
        )
    lists = "list" if " and " in results.groups else "lists"
    return (
        f"Artists are kept apart, as far as {results.groups} {lists} them "
        f"({text.count(results.n_grouped, 'track')}{rest})."
    )


def ignored(results: Results) -> list[str]:
    """Say what ignoring artists would have claimed; empty where that wasn't tried."""
    claims = claimed(results)
    if not claims:
        return []
    own = {model: text.percent(results.track(model)["accuracy"]) for model in claims}
    if all(text.percent(claim["accuracy"]) == own[model] for model, claim in claims.items()):
        parts = [f"{model} ({accuracy})" for model, accuracy in own.items()]
        return [f"Ignoring artists would have claimed the same of {text.listing(parts)}."]
    parts = [
        f"{model} {text.percent(claim['accuracy'])} instead of {own[model]}"
        for model, claim in claims.items()
    ]
    return [f"Ignoring artists would have claimed {text.listing(parts)}."]


def claimed(results: Results) -> dict[str, dict[str, Any]]:
    """Return what models of this comparison would claim where artists are ignored."""
    claims = results.ungrouped.get("models", {})
    return {model: claim for model, claim in claims.items() if model in results.metrics}


def for_the_audit(results: Results) -> str:
    """Say what is known of artists, and what it hides where nothing is."""
    if artists_known(results):
        return in_short(results)
    return (
        f"{in_short(results)} {_HIDDEN} List artists or albums in {results.params.corpus.groups}, "
        "and no group is ever divided."
    )
