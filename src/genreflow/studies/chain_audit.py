"""Whether the recording chain goes along with the genre: predicted from the chain alone, no music.

Where the jazz came as MP3 and the metal from CDs, a model can tell them apart without listening,
and its accuracy is one of telling files apart. A decision tree is given what is known of each
track's file, and what the chain left in its samples (:mod:`genreflow.audio.traces`).

References
----------
B. L. Sturm, "A simple method to determine if a music information retrieval system is a 'horse'",
IEEE Trans. Multimedia 16(6), 2014.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.traces import measure
from genreflow.params import Evaluation, Params
from genreflow.store.files import write_json
from genreflow.store.stamp import Stamp
from genreflow.store.tables import read_table
from genreflow.studies.giveaway import giveaway

FILES = ("codec", "decoder", "sample_rate", "channels")
"""What the manifest says of a file."""

SETS = {
    "chain": (*FILES, "bandwidth_hz", "bits", "offset"),
    "level": ("peak_db", "clipped", "silent", "floor_db"),
}
"""What is predicted from. Levels are mastered, but the music has a part in them: quiet passages and
rests are no fault of a chain. So they are asked about on their own, and are no reason to warn."""

_KINDS = (*FILES, "bits", "offset")
"""Of these a genre's commonest value says more than its median."""

_TOLD_BY = 0.05
_REJECTED_AT = 0.01
"""The chain tells the genre where the interval begins so far above chance, and p is no larger."""

_SHOWN = 3


def chain_audit(
    params: Params, audio: Sequence[Path], tracks: Path, splits: Path, out: Path
) -> None:
    """Predict the genre from traces of the chain, and write how well that goes.

    Parameters
    ----------
    params
        All parameters.
    audio
        The cache of all shards.
    tracks, splits
        The manifest, and the splits, which say what belongs together.
    out
        JSON to write, what :func:`audit` returns; or skipped, the reason why nothing was measured.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        An input was made by other parameters.
    """
    if not params.chain_audit.enabled:
        write_json({"skipped": "chain_audit.enabled is false"}, out)
        return
    groups = read_table(splits, lineage.stamp("splits", params), columns=["track_id", "group"])
    manifest = read_table(tracks, lineage.stamp("tracks", params))
    manifest = manifest[["track_id", "genre", *FILES]]
    table = manifest.merge(groups.drop_duplicates("track_id"), on="track_id")
    table = table.merge(_traces(audio, lineage.stamp("audio", params)), on="track_id")
    if table.groupby("genre")["group"].nunique().max() < 2:
        write_json({"skipped": "no genre has two groups to compare"}, out)
        return
    write_json(audit(table, params.evaluation.confidence), out)


def audit(table: pd.DataFrame, confidence: float) -> dict[str, Any]:
    """Predict the genre from each set of traces.

    Parameters
    ----------
    table
        One row per track: track_id, genre, group, and all columns of :data:`SETS`.
    confidence
        Level of the intervals.

    Returns
    -------
    dict
        Keys n (tracks), n_groups, chance (the balanced accuracy of whatever doesn't know the genre,
        be genres of one size or not) and, for ``chain`` and ``level`` each, what
        :func:`~genreflow.studies.giveaway.giveaway` found, with told (whether that is clearly more
        than chance) and, of the best three traces, values: genre → value, its commonest, and the
        share of its tracks that have it; or the median, and None.
    """
    settings = Evaluation(confidence=confidence)
    chance = 1 / table["genre"].nunique()
    found: dict[str, Any] = {
        "n": len(table),
        "n_groups": int(table["group"].nunique()),
        "chance": chance,
    }
    for name, columns in SETS.items():
        result = giveaway(table, columns, settings)
        low, p = result.get("low", 0.0), result["p_value"]
        told = bool(low > chance + _TOLD_BY and p <= _REJECTED_AT)
        for trace in result["traces"][:_SHOWN]:
            trace["values"] = _by_genre(table, trace["trace"])
        found[name] = {**result, "told": told}
    return found


def _traces(audio: Sequence[Path], expected: Stamp) -> pd.DataFrame:
    return pd.DataFrame(row for path in audio for row in _of_shard(path, expected))


def _of_shard(path: Path, expected: Stamp) -> Iterator[dict[str, Any]]:
    with AudioShard(path, expected) as shard:
        for row, track in enumerate(shard.track_id):
            yield {"track_id": track, **asdict(measure(shard.samples(row), shard.sample_rate))}


def _by_genre(table: pd.DataFrame, trace: str) -> dict[str, dict[str, Any]]:
    """Return the commonest value of each genre with its share, or the median."""
    values = {}
    for genre, part in table.groupby("genre")[trace]:
        if trace in _KINDS:
            shares = part.value_counts(normalize=True).sort_index()
            value, share = shares.idxmax(), float(shares.max())
            values[str(genre)] = {"value": _plain(value), "share": share}
        else:
            values[str(genre)] = {"value": round(float(part.median()), 6), "share": None}
    return values


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else round(float(value), 6)
