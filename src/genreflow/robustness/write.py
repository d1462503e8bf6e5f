"""The step `changed`: test tracks after some changes, described as training's tracks were.

A track at a time is changed and described through the code that its features came from, so that
no second copy of the corpus comes about. What a change leaves too short or silent would be set
aside by the decoder, too: it is left out, and the number of tracks judged tells.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.decode import RejectedError, swing_of
from genreflow.audio.samples import FULL_SCALE, Samples
from genreflow.features.rows import Floats, Integers
from genreflow.folds import changed_folds
from genreflow.params import Params
from genreflow.registry.changes import CLEAN, FAMILIES, FROM_SOURCE
from genreflow.robustness.apply import apply
from genreflow.robustness.cache import new_file
from genreflow.robustness.sources import Sources
from genreflow.steps import kinds_in_use
from genreflow.store.stamp import StaleArtifactError
from genreflow.store.tables import read_stamp, read_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Track:
    track_id: str
    genre: str
    samples: Samples


def write_changed(
    family: str,
    params: Params,
    audio: Sequence[Path],
    manifests: Sequence[Path],
    splits: Path,
    out: Path,
) -> None:
    """Make a family of changes of the chosen folds' test tracks, and write what models see of them.

    Parameters
    ----------
    family
        One of the parameters' `robustness.families`.
    params
        All parameters.
    audio, manifests
        The cache and the manifest of every shard.
    splits
        The splits.
    out
        File to write (:mod:`genreflow.robustness.cache`): the tracks in the order of the shards,
        each with its changes; none where ``robustness.enabled`` is false.

    Raises
    ------
    StaleArtifactError
        An input was made by other parameters, or the splits of other audio.
    genreflow.robustness.sources.SourceError
        A recording that must be decoded once more is gone, or another one.
    """
    tested = _tested(splits, params) if params.robustness.enabled else set()
    changes = [change for change in params.robustness.variants if change in FAMILIES[family]]
    kinds = [kind.name for kind in kinds_in_use(params)]
    with new_file(out, kinds, lineage.of_family(family, params)) as file:
        if not tested:
            return
        sources = Sources(params, manifests)
        for track in _tracks(audio, splits, params, tested):
            for change in changes:
                try:
                    samples = _changed(track, change, params, sources)
                except RejectedError as error:
                    log.info("%s is left out: after %s it %s", track.track_id, change, error)
                else:
                    file.add(track.track_id, track.genre, change, _rows(samples, params))


def _changed(track: _Track, change: str, params: Params, sources: Sources) -> Samples:
    """Return the samples of a changed track.

    Raises
    ------
    RejectedError
        The decoder wouldn't let it pass.
    """
    if change == CLEAN:
        return track.samples
    if change == FROM_SOURCE:
        return sources.first_channel(track.track_id, track.samples)
    rate, seed = params.audio.sample_rate, params.robustness.seed
    samples = apply(change, track.samples, rate, seed, track.track_id)
    # Resampling rounds: a track of the least length may lack a sample of it.
    if len(samples) + 1 < params.audio.min_seconds * rate:
        raise RejectedError(f"lasts {len(samples) / rate:.3g} s")
    if swing_of(samples) / FULL_SCALE < 10 ** (params.audio.silence_db / 20):
        raise RejectedError("is silent")
    return samples


def spread(count: int, most: int) -> Integers:
    """Return at most so many of `count` rows, evenly spaced, and as far from both ends."""
    kept = min(count, most)
    return (2 * np.arange(kept, dtype=np.int64) + 1) * count // (2 * max(kept, 1))


def _rows(samples: Samples, params: Params) -> Mapping[str, Floats]:
    found = {}
    for kind in kinds_in_use(params):
        extractor = import_module(kind.extractor)
        rows = extractor.rows_of(samples, params.audio.sample_rate, params.at(kind.section))
        found[kind.name] = rows[spread(len(rows), params.robustness.windows_per_track)]
    return found


def _tested(splits: Path, params: Params) -> set[str]:
    table = read_table(splits, lineage.stamp("splits", params))
    here = table["fold"].isin(changed_folds(params.splits, params.robustness))
    return set(table.loc[here & (table["role"] == "test"), "track_id"])


def _tracks(
    audio: Sequence[Path], splits: Path, params: Params, tested: set[str]
) -> Iterator[_Track]:
    known: Mapping[str, str] = read_stamp(splits).facts["audio"]
    stamp = lineage.stamp("audio", params)
    for path in sorted(audio):
        with AudioShard(path, stamp) as shard:
            if known.get(path.stem) != shard.digest:
                raise StaleArtifactError(
                    f"{path}: is other audio than {splits} was made of; delete both and rerun "
                    "`snakemake`, which makes them anew"
                )
            for i, track_id in enumerate(shard.track_id):
                if track_id in tested:
                    yield _Track(track_id, shard.genre[i], shard.samples(i))
