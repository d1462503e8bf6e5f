"""Take the weights of the music taggers out of the package `musicnn`.

The package holds TensorFlow 1 checkpoints, with the state of their optimizer, and old code to run
them. What inference needs of them is kept, in one file for each network.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genreflow.errors import GenreflowError
from genreflow.features.embedding.weights import ENCODERS, LAYERS, STORED, Encoder, Layer
from genreflow.features.rows import Floats
from genreflow.store.archive import member, new_archive
from genreflow.threads import without_native_notices

_PACKAGE = "the unpacked folder `musicnn` of the wheel of musicnn 0.1.0"
_NORM_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")
_NORM_EPSILON = 1e-3
"""What TensorFlow adds to a variance unless told otherwise."""


def convert(package: Path, name: str, output: Path) -> None:
    """Write the weights of a network, from an unpacked package; the same bytes each time.

    Needs TensorFlow. Of the package, data alone are read: none of its code is run.

    Parameters
    ----------
    package
        The folder ``musicnn`` of the unpacked wheel. Read are ``<encoder's folder>/.index`` and
        ``.data-00000-of-00001``, ``configuration.py`` (names of the tags), and beside the folder
        ``musicnn-*.dist-info/LICENSE*``.
    name
        Of the network, as in ``features.embedding.encoder``.
    output
        An uncompressed ``.npz``, which appears whole or not at all.

    Raises
    ------
    GenreflowError
        There is no such network, or the package lacks something or is damaged.
    """
    if name not in ENCODERS:
        raise GenreflowError(
            f"There is no music tagger {name!r}; there are: {', '.join(ENCODERS)}."
        )
    encoder = ENCODERS[name]
    members: dict[str, npt.NDArray[Any]] = {
        "encoder": np.array(name),
        "tags": np.array(_tags(package, encoder)),
        "licence": np.array(_licence(package)),
        **_folded(package / encoder.folder, LAYERS[encoder.architecture]),
    }
    with new_archive(output) as archive:
        for key in sorted(members):
            with member(archive, f"{key}.npy") as file:
                np.lib.format.write_array(file, members[key], (1, 0), allow_pickle=False)


def _folded(folder: Path, layers: tuple[Layer, ...]) -> dict[str, Floats]:
    """Read the layers of a checkpoint, by their names in our file."""
    arrays: dict[str, Floats] = {}
    for layer in layers:
        if layer.kernel:
            kernel, bias = _read(folder, layer.source, ("kernel", "bias"))
            arrays |= {f"{layer.name}.kernel": kernel, f"{layer.name}.bias": bias}
        if layer.norm:
            scale, offset = _scale_and_offset(*_read(folder, layer.norm, _NORM_PARTS))
            arrays |= {f"{layer.name}.scale": scale, f"{layer.name}.offset": offset}
        for part, shape in layer.shapes().items():
            if arrays[part].shape != shape:
                raise _unusable(folder, f"{part} is {arrays[part].shape}, not {shape}")
    return arrays


def _scale_and_offset(
    gamma: npt.NDArray[Any],
    beta: npt.NDArray[Any],
    mean: npt.NDArray[Any],
    variance: npt.NDArray[Any],
) -> tuple[Floats, Floats]:
    """Return what a batch norm with fixed statistics multiplies by, and what it adds."""
    scale = gamma / np.sqrt(variance.astype(np.float64) + _NORM_EPSILON)
    return scale.astype(STORED), (beta - mean * scale).astype(STORED)


def _read(folder: Path, place: str, parts: tuple[str, ...]) -> list[Floats]:
    with without_native_notices():
        import tensorflow as tf

    try:
        # The files have no name before the dot. `tf.train.load_checkpoint` would take the prefix
        # for a folder, and follow the path on its author's disk that `checkpoint` holds.
        reader = tf.compat.v1.train.NewCheckpointReader(f"{folder}/")
        return [np.asarray(reader.get_tensor(f"{place}/{part}")).astype(STORED) for part in parts]
    # TensorFlow raises its own errors and those of its bindings, which it doesn't list.
    except Exception as error:
        raise _unusable(folder, " ".join(str(error).split())) from error


def _unusable(where: Path, reason: str) -> GenreflowError:
    return GenreflowError(
        f"{where}: can't be used ({reason}); expected in {_PACKAGE}. Download it anew."
    )


def _tags(package: Path, encoder: Encoder) -> list[str]:
    """Read the names of the tags from the package's configuration, without running it."""
    source = package / "configuration.py"
    try:
        for statement in ast.parse(source.read_text(encoding="utf-8")).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=encoder.labels)], value=value):
                    tags = ast.literal_eval(value)
                    if [type(tag) for tag in tags] != [str] * encoder.n_tags:
                        raise ValueError(f"{encoder.labels} aren't {encoder.n_tags} names")
                    return list(tags)
        raise ValueError(f"it lacks {encoder.labels}")
    except (OSError, ValueError, SyntaxError, TypeError) as error:
        raise _unusable(source, str(error)) from error


def _licence(package: Path) -> str:
    """Read the notice that the package comes with; it has to stay with the weights."""
    found = sorted(package.absolute().parent.glob("musicnn-*.dist-info/LICENSE*"))
    if not found:
        raise GenreflowError(
            f"{package}: expected `musicnn-*.dist-info/LICENSE.md` beside it, which must go with "
            "the weights. Unpack the whole wheel of musicnn 0.1.0."
        )
    return found[0].read_text(encoding="utf-8")
