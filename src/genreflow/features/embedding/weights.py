"""Weights of the music taggers of the package `musicnn`, as plain arrays.

:mod:`genreflow.features.embedding.convert` writes them, and they are read without TensorFlow.

References
----------
J. Pons, X. Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging",
late-breaking demo, ISMIR 2019; https://github.com/jordipons/musicnn, ISC licence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from genreflow.errors import GenreflowError
from genreflow.features.rows import Floats
from genreflow.store.archive import check_archive

STORED = np.dtype("<f4")
REMEDY = "`make transfer` writes it anew"

Pool = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Encoder:
    """One of the networks.

    Attributes
    ----------
    folder
        Its checkpoint's folder within the package.
    labels
        What its tags are called in the package's configuration.
    pools
        Sizes of a `vgg`'s pools, (time, frequency), and the steps from one to the next.
    """

    name: str
    architecture: Literal["musicnn", "vgg"]
    folder: str
    labels: str
    pools: tuple[Pool, ...] = ()
    n_tags: int = 50


_LATE_POOLS: tuple[Pool, ...] = (((2, 2), (2, 2)), ((2, 2), (2, 2)), ((4, 4), (4, 4)))
_MTT_POOLS: tuple[Pool, ...] = (((4, 1), (2, 2)), ((2, 2), (2, 2)), *_LATE_POOLS)
# By the graph that was saved as it was trained. The package runs it with the other one's pools,
# which fit, but aren't what its weights have learned to read.
_MSD_POOLS: tuple[Pool, ...] = (((4, 1), (4, 1)), ((1, 4), (1, 4)), *_LATE_POOLS)

ENCODERS: Mapping[str, Encoder] = {
    encoder.name: encoder
    for encoder in (
        Encoder("musicnn-msd", "musicnn", "MSD_musicnn", "MSD_LABELS"),
        Encoder("musicnn-mtt", "musicnn", "MTT_musicnn", "MTT_LABELS"),
        Encoder("vgg-msd", "vgg", "MSD_vgg", "MSD_LABELS", _MSD_POOLS),
        Encoder("vgg-mtt", "vgg", "MTT_vgg", "MTT_LABELS", _MTT_POOLS),
    )
}


@dataclass(frozen=True)
class Layer:
    """A layer with weights.

    Attributes
    ----------
    kernel
        Its shape, as TensorFlow lays it out; none if the layer only scales and shifts.
    source
        The kernel's and the bias's place in the checkpoint.
    norm
        The place of the batch norm that comes after it, or is it.
    width
        Of how many channels, or values, the batch norm is.
    """

    name: str
    kernel: tuple[int, ...] = ()
    source: str = ""
    norm: str = ""
    width: int = 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of its arrays, by their names in the file."""
        parts: dict[str, tuple[int, ...]] = {}
        if self.kernel:
            parts |= {"kernel": self.kernel, "bias": self.kernel[-1:]}
        if self.norm:
            parts |= {"scale": (self.width,), "offset": (self.width,)}
        return {f"{self.name}.{part}": shape for part, shape in parts.items()}


def _musicnn() -> Iterator[Layer]:
    def norm(number: int) -> str:
        return f"batch_normalization_{number}"

    yield Layer("input", norm="batch_normalization", width=1)
    yield Layer("timbral_38", (7, 38, 1, 204), "conv2d", norm(1), 204)
    yield Layer("timbral_67", (7, 67, 1, 204), "conv2d_1", norm(2), 204)
    yield Layer("temporal_128", (128, 1, 1, 51), "conv2d_2", norm(3), 51)
    yield Layer("temporal_64", (64, 1, 1, 51), "conv2d_3", norm(4), 51)
    yield Layer("temporal_32", (32, 1, 1, 51), "conv2d_4", norm(5), 51)
    yield Layer("middle_1", (7, 561, 1, 64), "conv2d_5", norm(6), 64)
    yield Layer("middle_2", (7, 64, 1, 64), "conv2d_6", norm(7), 64)
    yield Layer("middle_3", (7, 64, 1, 64), "conv2d_7", norm(8), 64)
    yield Layer("pools", norm=norm(9), width=1506)
    yield Layer("hidden", (1506, 200), "dense", norm(10), 200)
    yield Layer("tags", (200, 50), "dense_1")


def _vgg() -> Iterator[Layer]:
    yield Layer("input", norm="batch_normalization", width=1)
    for number in range(1, 6):
        kernel = (3, 3, 1 if number == 1 else 128, 128)
        yield Layer(
            f"conv_{number}", kernel, f"{number}CNN", f"batch_normalization_{number}", kernel[-1]
        )
    yield Layer("tags", (256, 50), "dense")


LAYERS: Mapping[str, tuple[Layer, ...]] = {"musicnn": tuple(_musicnn()), "vgg": tuple(_vgg())}
"""The layers with weights of each architecture, in the order in which they compute."""


@dataclass(frozen=True)
class Weights:
    """The weights of a network.

    Attributes
    ----------
    arrays
        Kernels, biases, and the scales and offsets that batch norms come to, float32, by
        ``<layer>.<part>``; see :data:`LAYERS`.
    tags
        Names of the network's outputs, in their order.
    licence
        The notice that must go with every copy.
    """

    encoder: Encoder
    arrays: Mapping[str, Floats]
    tags: tuple[str, ...]
    licence: str


def load(path: Path) -> Weights:
    """Read the weights of a network.

    Raises
    ------
    GenreflowError
        The file is missing or damaged, or holds something else than the weights of one of the
        networks.
    """
    if not path.is_file():
        raise GenreflowError(f"{path}: missing; expected the weights of a music tagger; {REMEDY}")
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
        return _checked(members)
    # NumPy and zipfile say nowhere what they raise over damage; it differs by its place.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise GenreflowError(
            f"{path}: can't be used ({reason}); expected the weights of a music tagger, as "
            f"genreflow writes them; {REMEDY}"
        ) from error


def _checked(members: Mapping[str, npt.NDArray[Any]]) -> Weights:
    """Raise a ValueError unless these are the weights of a network."""
    encoder = ENCODERS.get(_text(members, "encoder"))
    if encoder is None:
        raise ValueError(f"its network is {members['encoder']}, none of {', '.join(ENCODERS)}")
    shapes = {
        name: shape
        for layer in LAYERS[encoder.architecture]
        for name, shape in layer.shapes().items()
    }
    for name, shape in shapes.items():
        if name not in members:
            raise ValueError(f"it lacks {name}, {shape}")
        array = members[name]
        if array.shape != shape or array.dtype != STORED:
            raise ValueError(f"{name} is {array.shape} {array.dtype}, not {shape} {STORED}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} isn't finite")
    tags = members.get("tags")
    if tags is None or tags.dtype.kind != "U" or tags.shape != (encoder.n_tags,):
        raise ValueError(f"it lacks the names of {encoder.n_tags} tags")
    arrays = {name: members[name].astype(np.float32) for name in shapes}
    return Weights(encoder, arrays, tuple(tags.tolist()), _text(members, "licence"))


def _text(members: Mapping[str, npt.NDArray[Any]], name: str) -> str:
    if name not in members:
        raise ValueError(f"it lacks {name}")
    if members[name].dtype.kind != "U" or members[name].shape != ():
        raise ValueError(f"its {name} is no text")
    return str(members[name])
