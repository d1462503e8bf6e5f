"""Decode with ffmpeg what libsndfile can't read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from genreflow.audio.stream import Floats
from genreflow.errors import GenreflowError

SECONDS_TO_WAIT = 300
"""A file that keeps ffmpeg busy for longer than this without a result is set aside."""

BLOCK_FRAMES = 1 << 16
"""Frames taken from ffmpeg at a time."""

LONGEST_PACKET = 0.5
"""Time stamps tell where the last packet begins; it may last so long [s]."""

_FFMPEG = ("ffmpeg", "-nostdin", "-v", "error")
_PROGRESS = ("-map", "0:a:0", "-f", "null", "-progress", "pipe:1", "-")


class FfmpegError(GenreflowError):
    """A file that can't be read, or no ffmpeg; the message is short enough for a table."""


class FfmpegMissingError(FfmpegError):
    """No ffmpeg, or no ffprobe, is installed."""


class FfmpegStream:
    """The first audio stream of a file; a :class:`genreflow.audio.stream.Stream`.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    goes_on
        Whether the file holds many more bytes than uncompressed samples of its length take.

    Raises
    ------
    FfmpegError
        ffmpeg or ffprobe is not installed, or finds no audio stream that makes sense.
    """

    decoder = "ffmpeg"

    def __init__(self, path: Path) -> None:
        for tool in ("ffmpeg", "ffprobe"):
            if shutil.which(tool) is None:
                raise FfmpegMissingError(
                    f"{tool}, which may read it, is not installed; install ffmpeg"
                )
        self._path = path
        about = _probe(path)
        self.codec = str(about["codec_name"])
        self.channels, self.sample_rate = int(about["channels"]), int(about["sample_rate"])
        self.claimed = float(about["duration"]) if "duration" in about else None
        bytes_read = int(about.get("bits_per_sample", 0)) / 8 * self.channels * self.sample_rate
        left = path.stat().st_size - bytes_read * (self.claimed or 0)
        self.goes_on = 0 < bytes_read <= left and path.stat().st_size <= 10 * left

    def length(self) -> float | None:
        """Return the length [s] by the time stamps of all packets: a header may only guess."""
        lines = _run([*_FFMPEG, *_input(self._path), "-c", "copy", *_PROGRESS]).stdout
        times = re.findall(rb"^out_time_us=(\d+)$", lines, re.M)
        if not times:
            return self.claimed
        last_packet = int(times[-1]) / 1e6
        right = self.claimed is not None and 0 <= self.claimed - last_packet < LONGEST_PACKET
        return self.claimed if right else last_packet

    def blocks(self, begin: float) -> Generator[Floats]:
        """Yield (frames, channels) from `begin` [s] to the end, or to where decoding fails.

        Raises
        ------
        FfmpegError
            ffmpeg decodes nothing, or takes too long.
        """
        # Decoding from the beginning: to seek, ffmpeg trusts what the header says of the length.
        command = [*_FFMPEG, *_input(self._path), "-ss", str(begin), *_as_floats(self)]
        size, got = 4 * self.channels * BLOCK_FRAMES, False
        with _pipe(command) as (read, complaint):
            while data := read(size):
                whole = len(data) - len(data) % (4 * self.channels)
                got = got or whole > 0
                yield np.frombuffer(data[:whole], dtype="<f4").reshape(-1, self.channels)
            if not got:
                raise FfmpegError(f"ffmpeg decoded nothing ({complaint()})")

    def close(self) -> None:
        """Do nothing: between blocks, no file is open."""


def _probe(path: Path) -> dict[str, Any]:
    """Return codec_name, sample_rate, channels, bits_per_sample and, if it's claimed, duration."""
    entries = "stream=codec_name,sample_rate,channels,bits_per_sample:format=duration"
    found = _run(
        [
            *("ffprobe", "-v", "error", *_input(path), "-select_streams", "a:0"),
            *("-show_entries", entries, "-of", "json"),
        ]
    )
    # ffprobe prints half an object when it fails.
    about = json.loads(found.stdout) if found.returncode == 0 else {}
    if not about.get("streams"):
        raise FfmpegError(f"ffmpeg finds no audio stream ({_complaint(found.stderr)})")
    stream: dict[str, Any] = about["streams"][0]
    known = (stream.get("codec_name"), int(stream.get("channels", 0)))
    if not all(known) or not int(stream.get("sample_rate", 0)):
        raise FfmpegError(
            "ffmpeg finds an audio stream without a known encoding, channels or sample rate"
        )
    return {**about.get("format", {}), **stream}


def _input(path: Path) -> list[str]:
    # A playlist among the files must not make ffmpeg reach for the network.
    return ["-protocol_whitelist", "file", "-i", f"file:{path}"]


def _as_floats(stream: FfmpegStream) -> list[str]:
    # A chained stream may change both on the way.
    layout = ["-ar", str(stream.sample_rate), "-ac", str(stream.channels)]
    return ["-map", "0:a:0", *layout, "-f", "f32le", "-"]


@contextmanager
def _pipe(command: list[str]) -> Iterator[tuple[Callable[[int], bytes], Callable[[], str]]]:
    """Yield what reads the output of a command, and its last complaint; stop it at the end.

    Raises
    ------
    FfmpegError
        A single read took SECONDS_TO_WAIT. What happens between two reads takes as long as it does.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdout is not None
        output = process.stdout
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        def read(size: int) -> bytes:
            timer = threading.Timer(SECONDS_TO_WAIT, give_up)
            timer.daemon = True
            timer.start()
            try:
                return output.read(size)
            finally:
                timer.cancel()

        def complaint() -> str:
            process.wait()
            errors.seek(0)
            return _complaint(errors.read())

        try:
            yield read, complaint
        finally:
            process.kill()
            process.wait()
            output.close()
            if late.is_set():
                raise FfmpegError(_did_not_finish(command))


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS_TO_WAIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FfmpegError(_did_not_finish(command)) from None


def _did_not_finish(command: list[str]) -> str:
    return f"{command[0]} did not finish within {SECONDS_TO_WAIT} s"


def _complaint(stderr: bytes) -> str:
    """Return the last line that ffmpeg printed, without the path."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].rpartition(": ")[2] if lines else "no message"
