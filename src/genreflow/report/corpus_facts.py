"""What the corpus is: tracks, lengths, formats, what was set aside, roles per genre."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from genreflow.columns import SAME_LENGTH
from genreflow.report import text
from genreflow.report.results import Results
from genreflow.report.theme import ACCENT, Drawing


def corpus_facts(results: Results) -> list[tuple[str, str]]:
    """Return what there is to know about the corpus as pairs of name and value."""
    tracks = results.tracks
    usable = tracks[tracks["status"] == "ok"]
    n_ignored = len(results.tracks_stamp.facts.get("ignored", []))
    lengths = usable["seconds"].astype(float)
    sizes = usable["genre"].value_counts()
    even = sizes.min() == sizes.max()
    return [
        ("Tracks", text.integer(len(usable))),
        ("Music", _music(usable)),
        (
            "Genres",
            f"{len(sizes)}, {text.integer(sizes.min())} tracks each"
            if even
            else f"{len(sizes)}, {text.integer(sizes.min())} to {text.integer(sizes.max())} tracks",
        ),
        (
            "Track length",
            f"{lengths.median():.1f} s"
            if not _lengths_differ(lengths)
            else f"{lengths.min():.1f} to {lengths.max():.1f} s, median {lengths.median():.1f} s",
        ),
        ("Format", _counted(usable["codec"])),
        ("Decoded by", _counted(usable["decoder"])),
        ("Sample rate", _counted(usable["sample_rate"].map(lambda rate: f"{rate:g} Hz"))),
        ("Channels", _counted(usable["channels"].map({1: "mono", 2: "stereo"}).fillna("more"))),
        (
            "Set aside",
            text.count(int((tracks["status"] != "ok").sum()), "file")
            + f"; {text.count(n_ignored, 'file')} ignored: no audio, or not in a table of labels",
        ),
    ]


def set_aside(results: Results) -> list[dict[str, Any]]:
    """Return track_id and reason of every file that couldn't be used."""
    rejected = results.tracks[results.tracks["status"] != "ok"].sort_values("track_id")
    return [
        {"track_id": row["track_id"], "reason": row["reason"]}
        for row in rejected.to_dict("records")
    ]


def remarks(results: Results) -> list[dict[str, Any]]:
    """Return track_id and remark of every file that was used though something is odd about it."""
    odd = results.tracks[results.tracks["remark"] != ""].sort_values("track_id")
    return [
        {"track_id": row["track_id"], "remark": row["remark"]} for row in odd.to_dict("records")
    ]


def class_balance(results: Results) -> list[dict[str, Any]]:
    """Count tracks per genre and role in the first fold, with widths for the page [%]."""
    first = results.splits[results.splits["fold"] == results.folds[0]]
    counts = pd.crosstab(first["genre"], first["role"])
    counts = counts.reindex(columns=["train", "valid", "test"], fill_value=0)
    largest = int(counts.sum(axis=1).max())
    return [
        {
            "genre": genre,
            "parts": [
                {"role": role, "n": int(row[role]), "width": f"{100 * row[role] / largest:.2f}"}
                for role in counts.columns
            ],
            "n": int(row.sum()),
        }
        for genre, row in counts.iterrows()
    ]


def fold_balance(results: Results) -> list[tuple[str, list[int]]]:
    """Count test tracks per genre in every fold; [] where there is one fold."""
    if len(results.folds) < 2:
        return []
    tested = results.splits[results.splits["role"] == "test"]
    counts = pd.crosstab(tested["genre"], tested["fold"])
    counts = counts.reindex(columns=results.folds, fill_value=0)
    return [(str(genre), row.tolist()) for genre, row in counts.iterrows()]


def length_histogram(results: Results) -> Drawing | None:
    """Show how long tracks are; None when all are about as long."""
    usable = results.tracks[results.tracks["status"] == "ok"]
    lengths = usable["seconds"].astype(float)
    if not _lengths_differ(lengths):
        return None
    counts, edges = np.histogram(lengths, bins=20)
    table = pd.DataFrame({"from": edges[:-1].round(2), "to": edges[1:].round(2), "tracks": counts})
    chart: Drawing = (
        alt.Chart(table, height=140)
        .mark_bar(color=ACCENT)
        .encode(
            x=alt.X("from:Q", title="length [s]", bin="binned", axis=alt.Axis(tickCount=6)),
            x2="to",
            y=alt.Y("tracks:Q", title="tracks", axis=alt.Axis(tickCount=4)),
            tooltip=[
                alt.Tooltip("from", title="from [s]"),
                alt.Tooltip("to", title="to [s]"),
                "tracks",
            ],
        )
    )
    return chart


def _music(usable: pd.DataFrame) -> str:
    lengths = usable["seconds"].astype(float)
    heard = text.duration(float(usable["decoded_seconds"].astype(float).sum()))
    if lengths.sum() - usable["decoded_seconds"].astype(float).sum() < 1:
        return heard
    unknown = int(usable["claimed_seconds"].isna().sum())
    more = f"; the length of {text.count(unknown, 'track')} isn't known" if unknown else ""
    return f"{text.duration(float(lengths.sum()))}, {heard} of it decoded{more}"


def _lengths_differ(lengths: pd.Series[float]) -> bool:
    return bool(lengths.max() - lengths.min() > SAME_LENGTH * lengths.max())


def _counted(values: pd.Series[Any]) -> str:
    """Write ``FLAC, 498; MP3, 2``, or the one value that all have."""
    counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    if len(counts) == 1:
        return str(counts.index[0])
    return "; ".join(f"{value}: {text.integer(n)}" for value, n in counts.items())
