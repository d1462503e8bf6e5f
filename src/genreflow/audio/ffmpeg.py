"""Decode with ffmpeg what libsndfile can't read."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genreflow.errors import GenreflowError

SECONDS_TO_WAIT = 300
"""A file that keeps ffmpeg busy for longer than this is set aside."""


class FfmpegError(GenreflowError):
    """ffmpeg is missing or can't read the file; the message is short enough for a table."""


@dataclass(frozen=True)
class Stream:
    """The first audio stream of a file.

    Parameters
    ----------
    samples
        float32, (frames, channels), at the stream's own rate.
    sample_rate
        Frames per second.
    codec
        ffmpeg's name of the codec.
    seconds
        Length that the file claims, or that was decoded if it claims none.
    """

    samples: npt.NDArray[np.float32]
    sample_rate: int
    codec: str
    seconds: float


def read(path: Path, max_seconds: float) -> Stream:
    """Decode at most the first `max_seconds` of the first audio stream.

    Raises
    ------
    FfmpegError
        ffmpeg or ffprobe is not installed, finds no audio stream, or decodes nothing.
    """
    for tool in ("ffmpeg", "ffprobe"):
        if shutil.which(tool) is None:
            raise FfmpegError(f"{tool}, which may read it, is not installed; install ffmpeg")
    about = _probe(path)
    channels, sample_rate = int(about["channels"]), int(about["sample_rate"])
    decoded = _run(
        [
            *("ffmpeg", "-nostdin", "-v", "error", *_input(path), "-map", "0:a:0"),
            *("-t", str(max_seconds), "-f", "f32le", "-"),
        ]
    )
    whole = len(decoded.stdout) - len(decoded.stdout) % (4 * channels)
    # A copy, because bytes can't be written to.
    samples = np.frombuffer(decoded.stdout[:whole], dtype="<f4").reshape(-1, channels).copy()
    if not len(samples):
        raise FfmpegError(f"ffmpeg decoded nothing ({_complaint(decoded.stderr)})")
    seconds = float(about.get("duration", len(samples) / sample_rate))
    return Stream(samples, sample_rate, str(about["codec_name"]), seconds)


def _probe(path: Path) -> dict[str, Any]:
    """Return codec_name, sample_rate, channels and, if the file says so, duration."""
    entries = "stream=codec_name,sample_rate,channels:format=duration"
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
    if not int(stream.get("channels", 0)) or not int(stream.get("sample_rate", 0)):
        raise FfmpegError("ffmpeg finds an audio stream without channels or sample rate")
    return {**about.get("format", {}), **stream}


def _input(path: Path) -> list[str]:
    # A playlist among the files must not make ffmpeg reach for the network.
    return ["-protocol_whitelist", "file", "-i", f"file:{path}"]


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
        raise FfmpegError(f"{command[0]} did not finish within {SECONDS_TO_WAIT} s") from None


def _complaint(stderr: bytes) -> str:
    """Return the last line that ffmpeg printed, without the path."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].rpartition(": ")[2] if lines else "no message"
