"""Model files without pickle, without dates and without memory addresses.

skops and Keras both write zip archives. They record when they were written, and number objects by
their place in memory. Both are rewritten here, so that equal models are equal bytes and a rerun
that changes nothing leaves every digest as it was. (XGBoost's files are in
:mod:`genreflow.models.trees`.)

A model may come from anyone. Nothing in a file is executed, and nothing that it claims makes this
process take more memory than a small multiple of the file's own size.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genreflow.models.base import ModelFileError
from genreflow.models.reading import REMEDY, reading
from genreflow.store.archive import check_archive, read_members, write_members
from genreflow.store.files import unfinished

_WEIGHTS = "model.weights.h5"


def save_skops(value: Any, path: Path) -> None:
    """Write scikit-learn estimators, NumPy arrays and plain containers of them.

    Equal values make equal bytes, which the file of skops itself doesn't.

    Parameters
    ----------
    value
        What to write.
    path
        The file, ``.skops``.

    Examples
    --------
    >>> import numpy as np
    >>> save_skops({"mean": np.array([0.5])}, Path("model.skops"))
    >>> load_skops(Path("model.skops"))
    {'mean': array([0.5])}
    """
    import skops.io

    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw.skops")
        skops.io.dump(value, raw)
        members = read_members(raw)
    numbers: dict[int, int] = {}
    schema = json.loads(members.pop("schema.json"))
    _number(schema, "__id__", numbers)
    _rename_files(schema, numbers)
    renamed = {_rename(name, numbers): content for name, content in members.items()}
    write_members(renamed | {"schema.json": json.dumps(schema).encode()}, path)


def load_skops(path: Path, allowed: frozenset[str] = frozenset()) -> Any:
    """Read what :func:`save_skops` wrote.

    Parameters
    ----------
    path
        The file.
    allowed
        Types to construct besides those that skops itself trusts.

    Returns
    -------
    Any
        What was written.

    Raises
    ------
    ModelFileError
        The file is missing or damaged, or holds another type.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    with reading(path):
        check_archive(path)
        try:
            return skops.io.load(path, trusted=sorted(allowed))
        except UntrustedTypesFoundException as error:
            raise ModelFileError(
                f"{path}: holds types that no genreflow model consists of ({error}); {REMEDY}"
            ) from None


def save_keras(model: Any, path: Path) -> None:
    """Write a Keras model in the ``.keras`` format.

    Equal models make equal bytes, which the file of Keras itself doesn't.

    Parameters
    ----------
    model
        What to write.
    path
        The file, ``.keras``.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=unfinished(path)) as folder:
        raw = Path(folder, "raw.keras")
        model.save(raw)
        members = read_members(raw)
        metadata = json.loads(members["metadata.json"])
        del metadata["date_saved"]
        config = json.loads(members["config.json"])
        _number(config, "shared_object_id", {})
        plain = {"metadata.json": metadata, "config.json": config}
        write_members(members | {n: json.dumps(value).encode() for n, value in plain.items()}, path)


def load_keras(path: Path) -> Any:
    """Read a ``.keras`` file in safe mode, which refuses code in it; clear Keras's session.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    keras.Model
        The model, not compiled.

    Raises
    ------
    ModelFileError
        The file is missing or damaged, holds code, or describes a larger network than it holds.
    """
    import keras

    with reading(path):
        check_archive(path)
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            held = archive.getinfo(_WEIGHTS).file_size
        try:
            # The network as a sketch, whose weights take no memory yet.
            with keras.StatelessScope(initialize_variables=False):
                claimed = keras.saving.deserialize_keras_object(
                    config, safe_mode=True
                ).count_params()
        finally:
            keras.utils.clear_session()
        if claimed > held:
            raise ModelFileError(
                f"{path}: describes {claimed} weights, but holds {held} bytes of them; {REMEDY}"
            )
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def _number(node: Any, key: str, numbers: dict[int, int]) -> None:
    """Replace the addresses under `key` by numbers in the order of their appearance."""
    if isinstance(node, dict):
        if key in node:
            node[key] = numbers.setdefault(node[key], len(numbers))
        for inner in node.values():
            _number(inner, key, numbers)
    elif isinstance(node, list):
        for inner in node:
            _number(inner, key, numbers)


def _rename_files(node: Any, numbers: Mapping[int, int]) -> None:
    """Let a skops schema refer to its members by their new names."""
    if isinstance(node, dict):
        if "file" in node:
            node["file"] = _rename(node["file"], numbers)
        for inner in node.values():
            _rename_files(inner, numbers)
    elif isinstance(node, list):
        for inner in node:
            _rename_files(inner, numbers)


def _rename(file: str, numbers: Mapping[int, int]) -> str:
    address, dot, suffix = file.partition(".")
    return f"{numbers[int(address)]}{dot}{suffix}"
