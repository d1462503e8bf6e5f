"""Read files with libsndfile, and tell when a file may hold more than libsndfile finds.

libsndfile believes headers: it stops where an mp3's first frames, an Ogg file's first stream or a
data size of 0 tell it to, without a word. What shows it is that the file goes on.
"""

from __future__ import annotations

import mmap
import os
import re
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager
from pathlib import Path

import soundfile as sf
from mutagen import MutagenError
from mutagen.mp3 import BitrateMode, MPEGInfo

from genreflow.audio.stream import Floats

BLOCK_FRAMES = 1 << 16
SALVAGE_FRAMES = 1 << 10
"""Frames read at a time, and where a read has failed: an error takes its whole block with it."""

MISSED_SECONDS = 0.1
"""What two decoders of one file may differ by: the delay of an encoder, a frame or two."""

_UNKNOWN_FRAMES = 1 << 62
"""libsndfile's number of frames where a header gives none."""

_PLACEHOLDER_BYTES = 0x7FFF0000
"""Programs that write to a pipe, and can't know the size, write one as large as this or larger."""

_BYTES = {
    **{"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8},
    **{"ULAW": 1, "ALAW": 1},
}


class SndfileStream(AbstractContextManager["SndfileStream"]):
    """A file that libsndfile can open; a :class:`genreflow.audio.stream.Stream`.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    doubt
        Why the file may hold more than libsndfile finds; ``""`` where nothing hints at it.

    Raises
    ------
    soundfile.LibsndfileError
        libsndfile can't read the file.
    """

    decoder = "libsndfile"

    def __init__(self, path: Path) -> None:
        self._path = path
        # As bytes, which soundfile leaves alone: a name need not be text. On Windows it always is.
        name = path if sys.platform == "win32" else os.fsencode(path)
        self._file = file = sf.SoundFile(name)
        self._position = 0
        self.codec = f"{file.format}/{file.subtype}"
        self.sample_rate: int = file.samplerate
        self.channels: int = file.channels
        known = 0 < file.frames < _UNKNOWN_FRAMES
        self._frames = file.frames if known else None
        self.claimed = _claimed_seconds(file) if known else None
        self.doubt = self._find_doubt(file)

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def length(self) -> float | None:
        """Return the length that libsndfile finds [s]."""
        return None if self._frames is None else self._frames / self.sample_rate

    def blocks(self, begin: float) -> Generator[Floats]:
        """Yield (frames, channels) from `begin` [s] to the end, or to where reading fails."""
        position, size = round(begin * self.sample_rate), BLOCK_FRAMES
        try:
            while True:
                if position != self._position:
                    self._file.seek(position)
                try:
                    block = self._file.read(size, dtype="float32", always_2d=True)
                except sf.LibsndfileError:
                    if size == SALVAGE_FRAMES:
                        return
                    size, self._position = SALVAGE_FRAMES, -1
                    continue
                if not len(block):
                    return
                position += len(block)
                self._position = position
                yield block
        except sf.LibsndfileError:  # of seek
            return

    def doubt_about_end(self, end: float) -> str:
        """Say why there may be more than what was read up to `end` [s]; "" where there can't be."""
        length = self.length()
        if self.codec.split("/")[1] in _BYTES and "FLAC" not in self.codec:
            return ""  # bytes are samples: all were seen
        if length is None or end > length - MISSED_SECONDS:
            return ""
        return f"libsndfile reads {end:.3g} s of the {length:.3g} s that its header claims"

    def _find_doubt(self, file: sf.SoundFile) -> str:
        if self._frames is None:
            return "its header doesn't say how long it is"
        match file.format:
            case "MP3":
                return self._doubt_mp3()
            case "OGG":
                return self._doubt_joined(b"OggS\x00\x02", "Ogg streams")
            case "FLAC":
                return self._doubt_joined(b"fLaC\x00\x00\x00\x22", "FLAC files")
        width = _BYTES.get(file.subtype)
        if width is not None:
            frame = width * self.channels
            left = self._path.stat().st_size - self._frames * frame
            if left >= frame * self.sample_rate and left >= self._path.stat().st_size / 10:
                return f"its header claims {self.length():.3g} s and the file goes on"
        return ""

    def _doubt_mp3(self) -> str:
        try:
            with self._path.open("rb") as file:
                about = MPEGInfo(file)
        except MutagenError:
            return "its first frame can't be found"
        if about.bitrate_mode == BitrateMode.UNKNOWN:
            self.claimed = None
            return "it has no Xing or VBRI header, so that its length is a guess"
        # The header gives the bytes of its own stream; without a second one they fill the file.
        described = about.bitrate * about.length / 8
        found = self._path.stat().st_size - about.frame_offset
        if abs(found - described) > 0.01 * described + 1024:
            return "its Xing header speaks for another number of bytes than the file holds"
        return ""

    def _doubt_joined(self, magic: bytes, what: str) -> str:
        """Tell whether what begins a file of this kind occurs later in it, too."""
        with (
            self._path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return f"it holds several {what}" if data.find(magic, len(magic)) >= 0 else ""


def _claimed_seconds(file: sf.SoundFile) -> float:
    """Return the length that the header claims [s]; libsndfile corrects it by the file's size."""
    corrected = re.search(r"^ *(?:data|SSND) : (\d+) \(should be (\d+)\)", file.extra_info, re.M)
    seconds = float(file.frames / file.samplerate)
    if corrected is None:
        return seconds
    claimed, found = (int(size) for size in corrected.groups())
    if claimed >= _PLACEHOLDER_BYTES or not found:
        return seconds
    return seconds * claimed / found
