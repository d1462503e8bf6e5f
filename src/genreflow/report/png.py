"""Small images for the page, as data URLs."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Palette = npt.NDArray[np.uint8]

# From dark to light through the page's blue and orange; lightness rises throughout, so that the
# scale also reads in grey.
_HEAT_STOPS = ["#0d1220", "#15335e", "#2a5f9e", "#8a7f94", "#cf7d45", "#f3b877", "#fff3da"]
_POSITIVE, _NEGATIVE = "#1f5fa8", "#b54c07"


def heat_palette() -> Palette:
    """Return 256 opaque colours of rising lightness, (256, 4) RGBA."""
    stops = np.array([_rgb(stop) for stop in _HEAT_STOPS], dtype=float)
    at = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(at, np.arange(len(stops)), stops[:, i]) for i in range(3)]
    return np.column_stack([*channels, np.full(256, 255)]).round().astype(np.uint8)


def diverging_palette() -> Palette:
    """Return colours for -1 … 1 as 0 … 254, (255, 4) RGBA; zero is clear, so any ground fits."""
    share = np.linspace(-1, 1, 255)
    colours = np.where(share[:, None] < 0, _rgb(_NEGATIVE), _rgb(_POSITIVE))
    return np.column_stack([colours, np.abs(share) * 255]).round().astype(np.uint8)


def data_url(pixels: Pixels, palette: Palette) -> str:
    """Encode (height, width) palette indices as a PNG data URL.

    Notes
    -----
    PNG specification, third edition: a palette image is a header, the palette, its alpha, and
    the rows, each after a filter byte, deflated.
    """
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = pixels
    image = b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette[:, :3].tobytes()),
            _chunk(b"tRNS", palette[:, 3].tobytes()),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            _chunk(b"IEND", b""),
        ]
    )
    return "data:image/png;base64," + base64.b64encode(image).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
