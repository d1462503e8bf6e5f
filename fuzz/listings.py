"""Listings of groups, roles, artists: any bytes are a table, or the error that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fuzz.outcome import result_or
from genreflow.errors import GenreflowError
from genreflow.tracks.artists import list_groups
from genreflow.tracks.listings import match_listing, read_listing

TRACKS = ("blues/1.wav", "blues/é.flac", "rock/1.wav", "rock/live/a b.mp3")
"""What the corpus has that is listed."""


def run(data: bytes, folder: Path) -> None:
    """Read `data` as every kind of listing, and find its tracks in a small corpus."""
    path = folder / "listing.csv"
    path.write_bytes(data)
    for column in ("group", "role"):
        with result_or(GenreflowError, str(path)):
            listing = read_listing(path, column)
            assert list(listing.columns) == ["track_id", column]
            assert listing.map(lambda cell: isinstance(cell, str) and cell != "").all(axis=None)
            found = match_listing(listing, TRACKS, str(path))
            assert set(found["track_id"]) <= set(TRACKS)
    out = folder / "groups.csv"
    out.unlink(missing_ok=True)
    with result_or(GenreflowError, str(path)):
        list_groups(_corpus(folder), out, source=path)
        assert len(read_listing(out, "group")), "what was written can't be read"


def _corpus(folder: Path) -> Path:
    root = folder / "corpus"
    for track in TRACKS:
        if not (root / track).exists():
            (root / track).parent.mkdir(parents=True, exist_ok=True)
            (root / track).touch()
    return root


def seeds() -> Iterator[bytes]:
    """Yield listings to begin from."""
    yield "track_id,group\nblues/1.wav,A\nblues/é.flac,B\nrock/1.wav,NA\n".encode()
    yield b'\xef\xbb\xbf"track_id" , role\r\nblues\\1,train\r\n"rock/1.wav","te""st"\r\n'
    yield b"file,artist\n1.wav,x\na b,'=y\n"
    yield "blues/1.wav ::: Someone ::: Title\nrock/1.wav ::: ? ::: é\n".encode()
    yield "track_id,group\nblues/1.wav,A\n".encode("utf-16")
