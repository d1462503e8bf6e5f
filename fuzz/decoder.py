"""Audio: any bytes in a file of any extension are samples, or the reason why they aren't.

The first byte chooses the extension, and with it who reads the file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fuzz.outcome import result_or
from genreflow.audio.decode import RejectedError, decode
from genreflow.corpus.scan import FFMPEG_EXTENSIONS, LIBSNDFILE_EXTENSIONS
from genreflow.params import Audio

AUDIO = Audio(sample_rate=8000, min_seconds=0.05, max_seconds=5.0)
# Those that libsndfile reads more often than those for which ffmpeg is started.
EXTENSIONS = (*sorted(LIBSNDFILE_EXTENSIONS) * 8, *sorted(FFMPEG_EXTENSIONS))


def run(data: bytes, folder: Path) -> None:
    """Decode `data`, and hold the result to what is promised of it."""
    path = folder / f"track{EXTENSIONS[data[0] % len(EXTENSIONS)] if data else '.wav'}"
    path.write_bytes(data[1:])
    try:
        with result_or(RejectedError):
            samples = decode(path, AUDIO).samples
            assert samples.dtype == np.int16
            assert samples.ndim == 1
            assert AUDIO.min_seconds * 0.99 <= len(samples) / AUDIO.sample_rate
            assert len(samples) / AUDIO.sample_rate <= AUDIO.max_seconds * 1.01
    finally:
        path.unlink()


def seeds() -> Iterator[bytes]:
    """Yield a tenth of a second in every format that can be written here."""
    import soundfile

    tone = 0.3 * np.sin(np.arange(800) * 0.3)
    for kind in sorted(soundfile.available_formats()):
        extension = f".{kind.lower()}"
        if extension in LIBSNDFILE_EXTENSIONS:
            buffer = io.BytesIO()
            try:
                soundfile.write(buffer, tone, 8000, format=kind)
            except soundfile.LibsndfileError:
                continue
            yield bytes([EXTENSIONS.index(extension)]) + buffer.getvalue()
