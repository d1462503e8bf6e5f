"""The leak audit in words: duplicates, label conflicts, and what other protocols claim."""

from __future__ import annotations

from typing import Any

from genreflow.registry import BASELINE
from genreflow.report import artists, text
from genreflow.report.results import Results

_LARGE = 5
"""Copies of a recording that are plausible; more are rather tracks that share a loop."""


def describe_audit(results: Results) -> dict[str, Any]:
    """Summarise ``results/evaluation/duplicates.json`` and list its groups."""
    found = results.duplicates
    return {
        "summary": _summary(found, results),
        "pieces": _pieces(results.pieces),
        "groups": [
            {
                "tracks": [track["track_id"] for track in group["tracks"]],
                "kind": "same samples"
                if all(track["kind"] == "exact" for track in group["tracks"])
                else "same recording",
                "genres": ", ".join(sorted({track["genre"] for track in group["tracks"]})),
                "conflict": group["label_conflict"],
            }
            for group in found["groups"]
        ],
    }


def describe_naive(results: Results) -> dict[str, Any] | None:
    """Compare the naive protocol's claim with the honest number; None without either."""
    naive = results.naive
    if not results.has_baseline or "skipped" in naive:
        return None
    window = results.metrics[BASELINE]["window"]["accuracy"]
    track = results.track(BASELINE)["accuracy"]
    bars = [
        ("Windows split at random", naive["accuracy"], "naive"),
        ("Windows of unseen tracks", window, "honest"),
        ("Unseen tracks, soft vote", track, "honest"),
    ]
    gap = naive["accuracy"] - window
    verdict = (
        f"{text.points(gap)[1:]} points {'more' if gap > 0 else 'less'} than"
        if text.points(gap) != "0.0"
        else "as many as"
    )
    return {
        "bars": [_bar(*bar) for bar in bars],
        "summary": f"What the naive protocol would have claimed: the same model ({BASELINE}), "
        "trained once, for fewer rounds, on as many windows, but divided at random, so that "
        f"{text.integer(naive['n_shared'])} of {text.count(naive['n_tracks'], 'test track')} also "
        f"have windows in training. It claims {text.percent(naive['accuracy'])} of windows right, "
        f"{verdict} on tracks it has never heard.",
    }


def describe_ungrouped(results: Results) -> dict[str, Any] | None:
    """Compare what ignoring artists claims with the honest numbers; None where it wasn't tried."""
    claims = artists.claimed(results)
    if not claims:
        return None
    bars = []
    for model, claim in claims.items():
        bars += [
            (f"{model}, artists ignored", claim["accuracy"], "naive"),
            (f"{model}, artists apart", results.track(model)["accuracy"], "honest"),
        ]
    n_tested = min(claim["n"] for claim in claims.values())
    gaps = [
        text.points(claim["accuracy"] - results.track(model)["accuracy"])
        for model, claim in claims.items()
    ]
    return {
        "bars": [_bar(*bar) for bar in bars],
        "summary": "What ignoring artists would have claimed: the same models, trained once more "
        "with the same parameters on the same tracks, divided as if no artist were known. What "
        f"that adds ({text.listing(gaps)} points) is artists recognised, not genres, and chance: "
        f"a few points, of {text.count(n_tested, 'test track')} divided once.",
    }


def not_tried(results: Results) -> str:
    """Name the parameters that keep a study from being tried; "" where none does."""
    off = [
        f"{study}.enabled: false"
        for study in ("naive", "ungrouped", "chain_audit")
        if not results.params.at(study).enabled
    ]
    return f"Not tried ({text.listing(off)})." if off else ""


def _bar(label: str, share: float, kind: str) -> dict[str, str]:
    return {
        "label": label,
        "text": text.percent(share),
        "width": f"{100 * share:.1f}",
        "kind": kind,
    }


def _pieces(found: dict[str, Any] | None) -> dict[str, str] | None:
    """Say which names look like parts of recordings, and what would keep these together."""
    if found is None:
        return None
    fewest, most = found["fewest"], found["most"]
    parts = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return {
        "said": f"{text.count(found['names'], 'name')} with {parts} numbered parts each, such as "
        f"{found['example']}…: parts of one recording? Nothing keeps them together, so that "
        f"{text.count(found['tracks'], 'track')} may stand on both sides of a split. If they are "
        "parts, results are too good; set",
        "setting": f"corpus.group_pattern: '{found['pattern']}'",
    }


def _summary(found: dict[str, Any], results: Results) -> str:
    compared = results.params.tracks.near_duplicates
    not_compared = (
        "The same recording at another level, offset or codec was not looked for "
        "(tracks.near_duplicates: false)."
    )
    if not found["n_groups"]:
        return (
            "No recording occurs twice: the audio of all tracks was compared, for equal samples "
            "and for the same recording at another level, offset or codec."
            if compared
            else f"No two tracks have equal samples. {not_compared}"
        )
    conflicts = found["n_label_conflicts"]
    large = [group["tracks"] for group in found["groups"] if len(group["tracks"]) > _LARGE]
    parts = [
        f"{text.count(found['n_groups'], 'recording occurs', 'recordings occur')} more than once "
        f"({text.count(found['n_tracks'], 'track')}; "
        f"{text.count(found['n_exact_pairs'], 'pair')} with equal samples"
        + (
            f", {text.integer(found['n_near_pairs'])} at another level, offset or codec)."
            if compared
            else "). " + not_compared
        )
    ]
    if large:
        names = [f"{tracks[0]['track_id']} ({len(tracks)} tracks)" for tracks in large]
        parts.append(
            f"{text.count(len(large), 'group holds', 'groups hold')} more than {_LARGE} tracks: "
            f"{text.listing(names)}. If they are different music over one loop, raise "
            f"tracks.min_correlation ({results.params.tracks.min_correlation:g})."
        )
    if conflicts:
        parts.append(
            f"{text.count(conflicts, 'of them carries', 'of them carry')} more than one genre: "
            "no model can get all of these right."
        )
    leaking = found["n_leaking"]
    if leaking:
        parts.append(
            f"{text.count(leaking, 'test track has', 'test tracks have')} a duplicate in training "
            "or validation, so that the results are too good."
        )
        if not results.params.splits.keep_duplicates_together:
            parts.append("splits.keep_duplicates_together: true prevents that.")
    else:
        parts.append("None of them stands on both sides of a split.")
    return " ".join(parts)
