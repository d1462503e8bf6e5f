"""Find the audio files of a corpus: a root folder that holds one folder per genre.

(Where a table says the genres, :mod:`genreflow.corpus.labels` does the same.)

Nothing here opens a file; whether a file really is audio shows when it is decoded. The unit of
work is the shard: one genre, or a stable share of its files.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genreflow.errors import GenreflowError


def _extensions(words: str) -> frozenset[str]:
    return frozenset(f".{word}" for word in words.split())


LIBSNDFILE_EXTENSIONS = _extensions(
    "aif aifc aiff au bwf caf flac mp1 mp2 mp3 oga ogg opus rf64 snd sph voc w64 wav wave"
)
"""What libsndfile reads."""

FFMPEG_EXTENSIONS = _extensions(
    "3gp aac ac3 adts amr ape asf dff dsf dts eac3 m4a m4b mka mp4 mpc ra shn spx tak tta webm "
    "wma wv"
)
"""What needs ffmpeg."""

AUDIO_EXTENSIONS = LIBSNDFILE_EXTENSIONS | FFMPEG_EXTENSIONS
"""A file with another extension (in any case) is no audio and is ignored."""

_SAFE = frozenset(" -_.&+()")
_LONGEST_NAME = 180
"""Bytes of a file's name; most file systems have room for 255, suffixes included."""

_REPEATED = re.compile(r"(.+)\1{9}$")


class CorpusError(GenreflowError):
    """The corpus folder can't be used; the message says what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class TrackFile:
    """One audio file.

    Attributes
    ----------
    track_id
        Path relative to the root, POSIX, with extension.
    genre
        Name of the folder in the root, or what a table says.
    path
        Where the file lies.
    """

    track_id: str
    genre: str
    path: Path


@dataclass(frozen=True)
class Shard:
    """A genre, or the share `bucket` of the `of` shares of its files."""

    name: str
    genre: str
    bucket: int
    of: int

    def holds(self, track_id: str) -> bool:
        """Tell whether a file of this genre belongs to this shard."""
        return _bucket(track_id, self.of) == self.bucket


@dataclass(frozen=True)
class Scan:
    """The files of a shard, sorted.

    Attributes
    ----------
    files
        Audio files, by track_id.
    ignored
        Paths, relative to the root, of all other files: hidden, no audio by their extension, or
        with a name that is no text.
    """

    files: tuple[TrackFile, ...]
    ignored: tuple[str, ...]


def find_genres(root: Path) -> tuple[str, ...]:
    """Return the names of the genre folders in `root`, sorted by code point.

    Folders that begin with a dot are skipped. A genre folder may be a symbolic link, and may be
    empty.

    Raises
    ------
    CorpusError
        `root` is missing, is no folder, or holds no genre folders.
    """
    if not root.exists():
        raise CorpusError(f"{root}: there is no such folder. {_expected(root)}")
    if not root.is_dir():
        raise CorpusError(f"{root}: is a file, not a folder. {_expected(root)}")
    names = [folder.name for folder in folders_in(root)]
    for name in names:
        if not _is_text(name):
            raise CorpusError(
                f"{root}: the name of the genre folder {_printable(name)!r} is not valid UTF-8. "
                "Rename it and run again."
            )
    if not names:
        loose = sum(Path(name).suffix.lower() in AUDIO_EXTENSIONS for name in loose_files(root))
        found = (
            f"{loose} audio {'file lies' if loose == 1 else 'files lie'} directly in it, but "
            "there are no genre folders; move each into the folder of its genre."
            if loose
            else "holds no genre folders."
        )
        raise CorpusError(f"{root}: {found} {_expected(root)}")
    return tuple(sorted(names))


def folders_in(folder: Path) -> list[Path]:
    """List the folders in `folder` that aren't hidden, sorted.

    Raises
    ------
    CorpusError
        `folder` can't be listed.
    """
    found = [entry for entry in _list(folder) if entry.is_dir() and not _is_hidden(entry.name)]
    return sorted(Path(entry.path) for entry in found)


def loose_files(root: Path) -> tuple[str, ...]:
    """Return the names of the files directly in `root`, which belong to no genre, sorted."""
    return tuple(sorted(_printable(entry.name) for entry in _list(root) if not entry.is_dir()))


def list_shards(genres: Sequence[str], shards_per_genre: int) -> dict[str, Shard]:
    """Divide every genre into `shards_per_genre` shards, keyed by their names.

    A shard is named like its genre if it is the only one, else ``<genre>-<bucket>``; see
    :func:`file_name`.
    """
    shards = [
        Shard(name if of == 1 else f"{name}-{bucket}", genre, bucket, of)
        for of in [shards_per_genre]
        for genre in genres
        for name in [file_name(genre)]
        for bucket in range(of)
    ]
    return {shard.name: shard for shard in shards}


def file_name(genre: str) -> str:
    """Return what files are called that are made of a genre: like it, where that is safe.

    The name goes through Snakemake, for which braces and angle brackets have a meaning, and through
    the shells of clusters. So few of ASCII's punctuation marks stay as they are, and nothing that
    can't be seen; the others become ``~`` and the digits of their UTF-8 bytes. A name that leaves
    no room for suffixes, or repeats itself, which Snakemake takes for a loop, ends in a digest.
    Different genres have different names.
    """
    encoded = "".join(
        character if _is_plain(character) else _escaped(character) for character in genre
    )
    # A blank at the end is what people and file systems lose.
    inner = encoded.strip(" ")
    before, after = encoded.split(inner, 1) if inner else (encoded, "")
    encoded = f"{_escaped(before)}{inner}{_escaped(after)}"
    if len(encoded.encode()) <= _LONGEST_NAME and not _REPEATED.search(encoded):
        return encoded
    digest = hashlib.sha256(genre.encode()).hexdigest()[:16]
    kept = encoded.encode()[: _LONGEST_NAME - len(digest) - 2].decode(errors="ignore")
    return f"{kept}~~{digest}"


def scan_shard(root: Path, shard: Shard) -> Scan:
    """List the files of a shard, recursively below its genre folder.

    Symbolic links are followed. A link that leads nowhere is listed like any other file, so that
    it is set aside with a reason instead of disappearing.

    Raises
    ------
    CorpusError
        The genre folder, or a folder in it, can't be listed.
    """
    return scan_shards(root, [shard])[shard.name]


def scan_shards(root: Path, shards: Sequence[Shard]) -> dict[str, Scan]:
    """List the files of several shards of one genre, by the shards' names, in one walk.

    Raises
    ------
    CorpusError
        See :func:`scan_shard`.
    """
    return deal(walk(root, root / shards[0].genre), shards)


def deal(found: Iterable[tuple[str, Path, bool]], shards: Sequence[Shard]) -> dict[str, Scan]:
    """Deal the files of a genre out to its shards, or to some of them.

    Parameters
    ----------
    found
        What :func:`walk` yields.
    shards
        Of one genre, all of the same number of shares.
    """
    genre, of = shards[0].genre, shards[0].of
    files: dict[int, list[TrackFile]] = {shard.bucket: [] for shard in shards}
    ignored: dict[int, list[str]] = {shard.bucket: [] for shard in shards}
    for name, path, is_audio in found:
        bucket = _bucket(name, of)
        if bucket not in files:
            continue
        if is_audio:
            files[bucket].append(TrackFile(name, genre, path))
        else:
            ignored[bucket].append(name)
    return {
        shard.name: Scan(
            tuple(sorted(files[shard.bucket], key=lambda file: file.track_id)),
            tuple(sorted(ignored[shard.bucket])),
        )
        for shard in shards
    }


def walk(root: Path, folder: Path, *, text_alone: bool = True) -> Iterator[tuple[str, Path, bool]]:
    """Yield every file below `folder`: its name, its path, and whether it may be audio.

    The name is the path relative to `root`, POSIX, with whatever is no text replaced. What may be
    audio is not hidden, has a name that is text, an extension of audio, and doesn't block a reader.

    Parameters
    ----------
    text_alone
        Whether names must be text: tables hold no others.

    Raises
    ------
    CorpusError
        A folder can't be listed.
    """
    start = folder.relative_to(root).as_posix()
    for name, entry, hidden in _walk(folder, "" if start == "." else f"{start}/"):
        is_text = _is_text(name)
        is_audio = not hidden and (is_text or not text_alone) and _may_be_audio(entry)
        yield name if is_text else _printable(name), Path(entry.path), is_audio


def _walk(
    folder: Path, start: str, hidden: bool = False, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, os.DirEntry[str], bool]]:
    """Yield every file below `folder`, and whether it or a folder above it is hidden.

    With each goes its name, `start` and the path from `folder`: of a million paths, to make them
    relative one by one takes longer than all the rest.
    """
    here = os.path.realpath(folder)
    if here in above:  # a symbolic link back to a folder that is being listed
        return
    for entry in _list(folder):
        name, covered = start + entry.name, hidden or _is_hidden(entry.name)
        if entry.is_dir():
            yield from _walk(Path(entry.path), f"{name}/", covered, (*above, here))
        else:
            yield name, entry, covered


def _list(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise CorpusError(
            f"{_printable(str(folder))}: the folder can't be listed ({error.strerror}). "
            "Check that it exists and that you may read it."
        ) from None


def _may_be_audio(entry: os.DirEntry[str]) -> bool:
    """Tell by the extension; pipes, sockets and devices, which block a reader, never are."""
    if os.path.splitext(entry.name)[1].lower() not in AUDIO_EXTENSIONS:  # noqa: PTH122 - see _walk
        return False
    if entry.is_file():  # as the folder says, without a look at the file
        return True
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return True


def _bucket(track_id: str, of: int) -> int:
    # Not hash(): Python's differs from process to process.
    return int.from_bytes(hashlib.sha256(track_id.encode()).digest()[:8], "big") % of


def _is_plain(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in _SAFE
    return character.isprintable()


def _escaped(characters: str) -> str:
    return "".join(f"~{byte:02X}" for byte in characters.encode())


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _is_text(name: str) -> bool:
    """Tell whether a file name, which the system hands over as bytes, is valid UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(name: str) -> str:
    """Replace what isn't valid UTF-8."""
    return os.fsencode(name).decode(errors="replace")


def _expected(root: Path) -> str:
    return (
        f"Expected {root}/<genre>/<audio files>: run `make gtzan` to fetch GTZAN into data/genres, "
        "or set corpus.root in params.yaml to your own folder of genre folders."
    )
