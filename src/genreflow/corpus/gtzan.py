"""Fetch GTZAN through mirdata, which knows the checksum of every file.

GTZAN (Tzanetakis and Cook, 2002): 1,000 clips of 30 s, ten genres. It carries no licence for
redistribution, so nothing of it is part of genreflow. The server that mirdata's index points to
has often been down since 2022 (mirdata issue 549): a copy from elsewhere is welcome, and is
verified like a download.
"""

from __future__ import annotations

import fcntl
import io
import logging
import os
import shutil
import socket
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.error import URLError

from genreflow.errors import GenreflowError

_GENRES = Path("gtzan_genre", "genres")
"""Where mirdata keeps the genre folders, below its home."""

_SOME_GENRES = ("blues", "jazz")
"""By these a folder of genres is recognised, at any depth of a copy."""

_DAMAGED = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)
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
    not at all. What a killed download left there is removed by the next, which starts again.

    Parameters
    ----------
    destination
        Folder to make; it must not exist, or be empty.
    source
        A copy to use instead of a download: an archive (tar or zip), or a folder, in which the
        genre folders lie at any depth: ``genres.tar.gz``, Kaggle's ``archive.zip`` or ``Data``. It
        is only read.
    open_dataset
        Returns the dataset for a home folder.

    Raises
    ------
    GtzanError
        `destination` is not empty, another process fetches it, mirdata is not installed, the
        network or the server can't be reached, `source` holds no genres or only ``.au`` files,
        which mirdata can't verify, or files are missing or have a wrong checksum.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise GtzanError(
            f"{destination} exists and is not empty, and is left as it is. Delete it, "
            "or name another folder with --to."
        )
    if source is not None and not source.exists():
        raise GtzanError(f"{source}: there is no such archive or folder.")
    with _workplace(destination) as home:
        dataset = open_dataset(home)
        _obtain(dataset, home, source)
        n_files = _verify(dataset, home / _GENRES)
        if destination.exists():
            destination.rmdir()
        (home / _GENRES).rename(destination)
    return Fetched(destination, n_files)


@contextmanager
def _workplace(destination: Path) -> Iterator[Path]:
    """Yield an empty folder beside `destination`, for this process alone."""
    home = destination.with_name(f".{destination.name}.unfinished")
    home.mkdir(parents=True, exist_ok=True)
    lock = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise GtzanError(
            f"{home}: another process fetches GTZAN there; wait for its end."
        ) from None
    except OSError:
        pass  # some network drives know no locks
    try:
        for left in home.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os.close(lock)


def _obtain(dataset: Dataset, home: Path, source: Path | None) -> None:
    """Bring the index of checksums and the genre folders into `home`."""
    # mirdata keeps its index among its own files, where a broken one would stay for ever.
    with (
        _failures_of("the index of checksums", "Connect to the network and try again."),
        redirect_stderr(io.StringIO()),  # a progress bar for a small file
    ):
        dataset.download(["index"], force_overwrite=True)
    if source is not None:
        with _failures_of(f"a copy of {source}"):
            _copy(source, home)
        return
    with _failures_of(
        "the audio",
        "The server has often been down since 2022: try again later, or get genres.tar.gz or its "
        "genre folders elsewhere and run `genreflow corpus gtzan --from PATH`, which verifies "
        "every file the same way.",
    ):
        dataset.download(["all"], force_overwrite=False)


def _copy(source: Path, home: Path) -> None:
    """Copy or unpack the genre folders of a local copy; no server is asked."""
    place = source
    if not source.is_dir():
        place = home / "unpacked"
        _unpack(source, place)
    genres = _genres_in(place)
    if genres is None:
        raise GtzanError(
            f"{source}: there are no folders {', '.join(_SOME_GENRES)}, … with audio in it; name "
            "the archive or the folder that holds GTZAN's genres."
        )
    if not any(genres.glob("*/*.wav")):
        where = f"unpack {source} and set" if place != source else "set"
        name = genres.relative_to(place) if place != source else genres
        raise GtzanError(
            f"{source}: holds .au files, as GTZAN first came, of which mirdata has no checksums. "
            f"genreflow reads them as they are: {where} corpus.root to its folder {name}."
        )
    # Beside the audio there may be images and tables: what is verified is what is kept.
    take = shutil.copy2 if place == source else shutil.move
    shutil.copytree(genres, home / _GENRES, ignore=_no_audio, copy_function=take)


def _unpack(archive: Path, place: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(place)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as opened_tar:
            _unpack_files(opened_tar, place)
    else:
        raise GtzanError(f"{archive}: is no archive (tar or zip) that can be read.")


def _unpack_files(opened: tarfile.TarFile, place: Path) -> None:
    """Write an archive's files, and nothing outside of `place`.

    By hand: Python before 3.11.4, as some systems have it, knows no filters for what may lie in
    archives.
    """
    for member in opened:
        path = place / member.name
        content = opened.extractfile(member) if member.isfile() else None
        if content and path.resolve().is_relative_to(place.resolve()):
            path.parent.mkdir(parents=True, exist_ok=True)
            with content, path.open("wb") as to:
                shutil.copyfileobj(content, to)


def _genres_in(folder: Path) -> Path | None:
    """Return the folder of genre folders nearest to the top."""
    holders = (
        blues.parent
        for blues in sorted(
            [folder / _SOME_GENRES[0], *folder.rglob(_SOME_GENRES[0])],
            key=lambda path: (len(path.parts), path),
        )
        if any(path.suffix in (".wav", ".au") for path in blues.glob("*"))
    )
    return next(
        (path for path in holders if all((path / genre).is_dir() for genre in _SOME_GENRES)), None
    )


def _no_audio(folder: str, names: list[str]) -> set[str]:
    """Name what isn't copied: files that aren't ``.wav``."""
    return {name for name in names if not name.endswith(".wav") and not Path(folder, name).is_dir()}


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
    except (*_DAMAGED, ValueError) as error:
        # mirdata raises a ValueError for a part that another version of it calls otherwise.
        raise GtzanError(f"GTZAN: could not get {what}: {error}. {unreachable}".strip()) from None
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
