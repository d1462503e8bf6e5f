"""Fetch GTZAN through mirdata, which knows the checksum of every file.

GTZAN (Tzanetakis and Cook, 2002): 1,000 clips of 30 s, ten genres. It carries no licence for
redistribution, so nothing of it is part of genreflow. The server that mirdata's index points to
has often been down since 2022 (mirdata issue 549): a copy from elsewhere is welcome, and is
verified like a download.
"""

from __future__ import annotations

import io
import logging
import shutil
import socket
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.error import URLError

from genreflow.errors import GenreflowError

_GENRES = Path("gtzan_genre", "genres")
"""Where mirdata keeps the genre folders, below its home."""

_ARCHIVE = Path("gtzan_genre", "genres.tar.gz")
"""Where mirdata looks for an archive before it downloads one."""

_TIMEOUT = 30.0
_LISTED = 5


class GtzanError(GenreflowError):
    """GTZAN can't be fetched; the message says why and what to do. Nothing was left behind."""


class Dataset(Protocol):
    """What is needed of a mirdata dataset."""

    def download(self, partial_download: list[str], force_overwrite: bool) -> None:
        """Download and unpack some parts; raise OSError on failure or a wrong checksum."""

    def validate(self, verbose: bool) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return the missing files and those with a wrong checksum: part → track → paths."""


@dataclass(frozen=True)
class Fetched:
    """What was fetched: the folder of genre folders, and the number of verified audio files."""

    folder: Path
    n_files: int


def open_mirdata(home: Path) -> Dataset:
    """Return mirdata's GTZAN with its files below `home`.

    Raises
    ------
    GtzanError
        mirdata is not installed.
    """
    try:
        import mirdata
    except ImportError:
        raise GtzanError(
            "mirdata, which fetches and verifies GTZAN, is not installed: "
            "run `make gtzan`, or `pip install -e '.[gtzan]'`."
        ) from None
    dataset: Dataset = mirdata.initialize("gtzan_genre", data_home=str(home))
    return dataset


def fetch_gtzan(
    destination: Path,
    *,
    source: Path | None = None,
    open_dataset: Callable[[Path], Dataset] = open_mirdata,
) -> Fetched:
    """Download GTZAN, verify every checksum, and move the genre folders to `destination`.

    Everything happens in a temporary folder beside `destination`, which appears in one step, or
    not at all.

    Parameters
    ----------
    destination
        Folder to make; it must not exist, or be empty.
    source
        A copy to use instead of a download: ``genres.tar.gz``, or a folder of genre folders. It
        is only read.
    open_dataset
        Returns the dataset for a home folder.

    Raises
    ------
    GtzanError
        `destination` is not empty, mirdata is not installed, the network or the server can't be
        reached, or files are missing or have a wrong checksum.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise GtzanError(
            f"{destination} exists and is not empty, and is left as it is. Delete it, "
            "or name another folder with --to."
        )
    if source is not None and not source.exists():
        raise GtzanError(f"{source}: there is no such archive or folder.")
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".gtzan-", dir=destination.parent) as name:
        home = Path(name)
        dataset = open_dataset(home)
        _obtain(dataset, home, source)
        n_files = _verify(dataset, home / _GENRES)
        if destination.exists():
            destination.rmdir()
        (home / _GENRES).rename(destination)
    return Fetched(destination, n_files)


def _obtain(dataset: Dataset, home: Path, source: Path | None) -> None:
    """Bring the index of checksums and the genre folders into `home`."""
    # mirdata keeps its index among its own files, where a broken one would stay for ever.
    with (
        _failures_of("the index of checksums", "Connect to the network and try again."),
        redirect_stderr(io.StringIO()),  # a progress bar for a small file
    ):
        dataset.download(["index"], force_overwrite=True)
    if source is not None and source.is_dir():
        with _failures_of(f"a copy of {source}"):
            shutil.copytree(source, home / _GENRES)
        return
    if source is not None:
        (home / _ARCHIVE).parent.mkdir()
        (home / _ARCHIVE).symlink_to(source.resolve())
    what = "the audio" if source is None else f"the audio in {source}"
    with _failures_of(
        what,
        "The server has often been down since 2022: try again later, or get genres.tar.gz or its "
        "genre folders elsewhere and run `genreflow corpus gtzan --from PATH`, which verifies "
        "every file the same way.",
    ):
        dataset.download(["all"], force_overwrite=False)


@contextmanager
def _failures_of(what: str, unreachable: str = "") -> Iterator[None]:
    """Turn what mirdata raises and logs into one sentence; give up on a silent server."""
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    logging.disable(logging.CRITICAL)
    try:
        yield
    except (URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise GtzanError(f"GTZAN: could not reach {what} ({reason}). {unreachable}") from None
    except (OSError, EOFError, tarfile.TarError) as error:
        raise GtzanError(f"GTZAN: could not get {what}: {error}") from None
    finally:
        logging.disable(logging.NOTSET)
        socket.setdefaulttimeout(timeout)


def _verify(dataset: Dataset, genres: Path) -> int:
    """Check every audio file against mirdata's index and return their number."""
    logging.disable(logging.CRITICAL)
    try:
        reports = dataset.validate(verbose=sys.stderr.isatty())
    finally:
        logging.disable(logging.NOTSET)
    problems = [
        f"{len(paths)} {what}: {', '.join(paths[:_LISTED])}{', …' * (len(paths) > _LISTED)}"
        for what, report in zip(("missing", "with a wrong checksum"), reports, strict=True)
        # The index also lists annotations of beats, which nothing here needs.
        if (paths := sorted(_below(genres, report)))
    ]
    if problems:
        raise GtzanError(f"GTZAN is not as it should be. {'; '.join(problems)}. Nothing was kept.")
    return sum(path.suffix == ".wav" for path in genres.rglob("*"))


def _below(genres: Path, report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files in a report of mirdata's that lie in `genres`, relative to it."""
    for paths in report.get("tracks", {}).values():
        for path in map(Path, paths):
            if path.is_relative_to(genres):
                yield path.relative_to(genres).as_posix()
