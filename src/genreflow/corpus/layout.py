"""How a corpus says which genre a file has: by its folder, or by a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genreflow.corpus.labels import Labels, read_labels
from genreflow.corpus.scan import Scan, Shard, find_genres, scan_shards


@dataclass(frozen=True)
class Layout:
    """A corpus.

    Attributes
    ----------
    root
        The folder that holds all of its audio.
    genres
        Sorted by code point.
    labels
        The table; None where folders are genres.
    """

    root: Path
    genres: tuple[str, ...]
    labels: Labels | None = None

    @classmethod
    def of(cls, root: Path, labels: Labels | None) -> Layout:
        """Return the layout that a table says, or the folders in `root`."""
        return cls(root, find_genres(root) if labels is None else labels.genres, labels)

    def scan(self, shard: Shard) -> Scan:
        """List the files of a shard; see :func:`~genreflow.corpus.scan.scan_shard`."""
        return self.scan_all([shard])[shard.name]

    def scan_all(self, shards: Sequence[Shard]) -> dict[str, Scan]:
        """List the files of several shards of one genre, by the shards' names, in one walk."""
        if self.labels is not None:
            return self.labels.scan_all(shards)
        return scan_shards(self.root, shards)


def read_layout(root: Path, table: Path | None) -> Layout:
    """Read which genres there are, from `table` if it has rows, else from the folders in `root`.

    Raises
    ------
    CorpusError
        See :func:`~genreflow.corpus.scan.find_genres` and
        :func:`~genreflow.corpus.labels.read_labels`.
    """
    return Layout.of(root, None if table is None else read_labels(table, root))
