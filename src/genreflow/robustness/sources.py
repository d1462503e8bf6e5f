"""The recordings that the cache was decoded from, for what a mono cache can't show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path

import pandas as pd

from genreflow import lineage
from genreflow.audio.decode import decode
from genreflow.audio.samples import Samples
from genreflow.corpus.layout import read_layout
from genreflow.corpus.scan import list_shards
from genreflow.errors import GenreflowError
from genreflow.params import Params
from genreflow.store.files import file_sha256
from genreflow.store.tables import read_table


class SourceError(GenreflowError):
    """A recording isn't there any more, or is another one."""


class Sources:
    """The recordings of a corpus.

    Parameters
    ----------
    params
        All parameters.
    manifests
        Of all shards of the cache: they say how many channels a recording has, and which it was.
    """

    def __init__(self, params: Params, manifests: Sequence[Path]) -> None:
        self._params = params
        self._manifests = manifests
        # Listing takes time, and the files of mono recordings aren't needed.
        self._files_of = cache(self._list_files)

    def first_channel(self, track_id: str, mixed: Samples) -> Samples:
        """Return the first channel alone; of a mono recording that is what the cache holds.

        Parameters
        ----------
        mixed
            The track in the cache, (n,) int16.

        Raises
        ------
        SourceError
            The recording is gone, or has changed since it was decoded.
        genreflow.audio.decode.RejectedError
            The channel is silent.
        genreflow.store.stamp.StaleArtifactError
            A manifest was made by other parameters.
        """
        facts = self._facts.loc[track_id]
        if facts["channels"] == 1:
            return mixed
        path = self._files_of(str(facts["shard"])).get(track_id)
        try:
            found = None if path is None else file_sha256(path)
        except OSError:
            found = None
        if path is None or found != facts["source_sha256"]:
            what = "can't be read any more" if found is None else "has changed"
            raise SourceError(
                f"{track_id}: {what} since it was decoded, and its channels are judged one by one "
                "(one_channel); rerun `snakemake`, or take one_channel out of robustness.changes"
            )
        return decode(path, self._params.audio, channel=0).samples

    @cached_property
    def _facts(self) -> pd.DataFrame:
        stamp = lineage.stamp("audio", self._params)
        columns = ["track_id", "shard", "channels", "source_sha256"]
        tables = [read_table(path, stamp, columns=columns) for path in self._manifests]
        return pd.concat(tables).set_index("track_id")

    def _list_files(self, shard: str) -> dict[str, Path]:
        corpus = self._params.corpus
        layout = read_layout(Path(corpus.root), Path(corpus.labels))
        shards = list_shards(layout.genres, corpus.shards_per_genre)
        return {file.track_id: file.path for file in layout.scan(shards[shard]).files}
