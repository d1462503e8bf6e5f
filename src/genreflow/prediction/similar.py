"""The tracks of the corpus that sound most like a song.

A song and the tracks are compared by the cosine between their features: embeddings where this
project extracts them, handcrafted features otherwise. Features are standardised, and what tells
tracks of one genre apart counts less than what genres differ in. Measured with songs by artists
that the corpus doesn't hold (509 tracks of GTZAN, five folds), the nearest track has the song's
genre for 72 % by embeddings and 50 % by handcrafted features; without the whitening for 71 % and
46 %, by Euclidean distance for less.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from genreflow import lineage
from genreflow.audio.decode import RejectedError
from genreflow.audio.stretches import stretches
from genreflow.errors import GenreflowError
from genreflow.features.rows import FeatureRows, FeaturesError, Floats
from genreflow.models.whitening import WithinClassWhitening
from genreflow.params import Params
from genreflow.registry.entry import FeatureKind
from genreflow.steps import kinds_in_use
from genreflow.store.files import file_sha256
from genreflow.store.stamp import REMEDY
from genreflow.store.tables import read_stamp, read_table

Doubles = npt.NDArray[np.float64]

_KINDS = ("embedding", "handcrafted")
"""Kinds of features with one row per track, the best for this first."""

_SHRINKAGE = 0.3


class SimilarError(GenreflowError):
    """The corpus can't be compared with; the message says what is missing."""


@dataclass(frozen=True)
class Neighbour:
    """A track of the corpus.

    Attributes
    ----------
    track_id, genre
        Which it is.
    distance
        From the song: 1 minus the cosine, from 0 for the same to 2.
    """

    track_id: str
    genre: str
    distance: float


class Neighbourhood:
    """All tracks of the corpus, by their features.

    Parameters
    ----------
    results
        Folder of the pipeline's results.
    params
        What they must have been made with.

    Attributes
    ----------
    measure
        What distances are.

    Raises
    ------
    SimilarError
        The pipeline hasn't run, or the corpus has changed since.
    genreflow.store.stamp.StaleArtifactError
        Its results were made with other parameters.
    """

    def __init__(self, results: Path, params: Params) -> None:
        in_use = {kind.name: kind for kind in kinds_in_use(params)}
        self._kind = next(in_use[name] for name in _KINDS if name in in_use)
        self._params = params
        self._tracks = _usable_tracks(results, params)
        rows = _rows_of(self._kind, self._tracks, results, params)
        self._values = _matrix(rows, self._tracks)
        self._prepared = _Prepared(self._values, self._tracks["genre"])
        what = f"{self._kind.title}, standardised and whitened"
        self.measure = f"1 - cosine between {what}; {len(self._values)} tracks"

    def nearest(self, song: Path, count: int) -> list[Neighbour]:
        """Return the tracks that sound most like a song, the nearest first.

        A song that is itself a track comes first, with the distance 0.

        Raises
        ------
        genreflow.audio.decode.RejectedError
            The song can't be used.
        """
        try:
            digest = file_sha256(song)
            itself = (self._tracks["source_sha256"] == digest).to_numpy()
            # What the corpus holds is looked up: of a long track, it knows the excerpt.
            values = self._values[itself][0] if itself.any() else self._mean_over_stretches(song)
        except OSError as error:
            raise RejectedError(f"{song}: can't be opened ({error.strerror})") from None
        except RejectedError as error:
            raise RejectedError(f"{song}: {error}") from None
        distance = np.where(itself, 0, self._prepared.distances(values))
        order = np.lexsort([~itself, distance])[:count]
        tracks = self._tracks.iloc[order]
        return [
            Neighbour(*track)
            for track in zip(
                *(tracks["track_id"], tracks["genre"], distance[order].tolist()), strict=True
            )
        ]

    def _mean_over_stretches(self, song: Path) -> Floats:
        audio = self._params.audio
        extractor = import_module(self._kind.extractor)
        section = self._params.at(self._kind.section)
        total, seconds = np.zeros(self._values.shape[1]), 0.0
        for stretch in stretches(song, audio, audio.max_seconds):
            if stretch.samples is not None:
                (row,) = extractor.rows_of(stretch.samples, audio.sample_rate, section)
                total += stretch.seconds * row
                seconds += stretch.seconds
        mean: Floats = (total / seconds).astype(np.float32)
        return mean


class _Prepared:
    """Features in which directions are comparable."""

    def __init__(self, values: Floats, genre: pd.Series) -> None:
        self._mean = values.mean(axis=0, dtype=np.float64)
        spread = values.std(axis=0, dtype=np.float64)
        self._spread = np.where(spread > 0, spread, 1)
        standard = (values - self._mean) / self._spread
        label, _ = pd.factorize(genre)
        self._whitening = WithinClassWhitening(_SHRINKAGE).fit(standard, label).matrix_  # type: ignore[arg-type, unused-ignore]
        self._directions = _unit(standard @ self._whitening)

    def distances(self, values: Floats) -> Doubles:
        """Return the distance of each track from a song's features (n,)."""
        song = _unit(((values - self._mean) / self._spread) @ self._whitening)
        distances: Doubles = np.maximum(0, 1 - self._directions @ song)
        return distances


def _unit(vectors: Doubles) -> Doubles:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Doubles = vectors / np.where(length > 0, length, 1)
    return scaled


def _usable_tracks(results: Path, params: Params) -> pd.DataFrame:
    path = _made(results / "tracks.parquet")
    tracks = read_table(path, lineage.stamp("tracks", params))
    tracks = tracks[tracks["status"] == "ok"].reset_index(drop=True)
    tracks.attrs["audio"] = read_stamp(path).facts["audio"]
    return tracks


def _rows_of(kind: FeatureKind, tracks: pd.DataFrame, results: Path, params: Params) -> FeatureRows:
    names = sorted(tracks["shard"].unique())
    shards = [_made(results / kind.artifact(shard)) for shard in names]
    rows: FeatureRows = import_module(kind.reader).open_rows(
        shards, lineage.stamp(kind.name, params)
    )
    for shard, digest in rows.audio_digests.items():
        if digest != tracks.attrs["audio"][shard]:
            path = results / kind.artifact(shard)
            raise FeaturesError(f"{path}: is of other audio than tracks.parquet; {REMEDY}")
    return rows


def _made(path: Path) -> Path:
    if not path.is_file():
        raise SimilarError(
            f"{path}: isn't there; run `snakemake` first, and this command in the same folder"
        )
    return path


def _matrix(rows: FeatureRows, tracks: pd.DataFrame) -> Floats:
    """Return the features of each track, in the order of `tracks`, without those of copies."""
    own = np.flatnonzero(rows.row_copy == 0)
    names = [rows.track_id[i] for i in rows.row_track[own]]
    position = pd.Series(own, index=names).reindex(tracks["track_id"])
    if position.isna().any():
        missing = position.index[position.isna()][0]
        raise FeaturesError(f"{missing}: has no features; rerun `snakemake`, which makes them")
    return rows.source.read(position.to_numpy(dtype=np.int64))
