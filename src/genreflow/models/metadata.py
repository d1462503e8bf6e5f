"""``model.json``: what a reader of the model file must know, next to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from genreflow.models.base import ModelFileError, Signature
from genreflow.models.reading import complaint
from genreflow.registry.entry import METADATA
from genreflow.section import Section
from genreflow.store.files import write_json
from genreflow.store.stamp import FORMAT, Stamp

_LARGEST = 1_000_000
"""Bytes of a ``model.json``: a hundred times what 400 features and as many parameters take."""
_MOST_VALUES = 10_000_000
"""Numbers in one example, 40 MB; a window of 1.5 s has 16,512."""

Count = Annotated[int, Field(ge=0, lt=2**63)]
S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Metadata:
    """What a trained model says of itself.

    Attributes
    ----------
    signature
        Genres, feature names and the shape of one example.
    stamp
        All the parameters behind the model: audio, features, splits and its own.
    libraries
        Those that wrote its files, and their versions.
    best
        What training chose.
    n_parameters
        Numbers that training chose.
    model_bytes
        Size of the model's files.
    n_train, n_valid
        Tracks that it learnt from, and those that chose a number.
    """

    signature: Signature
    stamp: Stamp
    libraries: Mapping[str, str]
    best: Mapping[str, Any]
    n_parameters: Count
    model_bytes: Count
    n_train: Count
    n_valid: Count

    def section(self, name: str) -> dict[str, Any]:
        """Return a section of the parameters that the model was made with."""
        values: dict[str, Any] = self.stamp.params[name]
        return values

    def read_section(self, name: str, parameters: type[S]) -> S:
        """Return a section of the parameters, checked like one of ``params.yaml``.

        Raises
        ------
        ModelFileError
            There is no such section, or it holds what can't be.
        """
        try:
            return parameters.model_validate(self.stamp.params.get(name))
        except ValidationError as error:
            raise ModelFileError(
                f"{METADATA}: {name} is damaged, or of another version "
                f"({complaint(error)}); train the model anew"
            ) from None


_SCHEMA = TypeAdapter(Metadata)


def write_metadata(metadata: Metadata, folder: Path) -> None:
    """Write ``model.json``."""
    write_json(asdict(metadata), folder / METADATA)


def read_metadata(folder: Path) -> Metadata:
    """Read ``model.json``.

    Raises
    ------
    ModelFileError
        There is none, it is damaged, or it was written by another version.
    """
    path = folder / METADATA
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise ModelFileError(
            f"{path}: can't be read ({error.strerror}); expected the folder of a trained model, "
            "such as results/models/cnn/0"
        ) from None
    if len(text) > _LARGEST:
        raise ModelFileError(
            f"{path}: is larger than {_LARGEST} bytes, which no model's is; train the model anew"
        )
    try:
        metadata = _SCHEMA.validate_json(text, strict=True)
    except ValidationError as error:
        raise ModelFileError(
            f"{path}: is damaged, or of another version ({complaint(error)}); train the model anew"
        ) from None
    if contradiction := _contradiction(metadata.signature):
        raise ModelFileError(f"{path}: {contradiction}; train the model anew")
    if metadata.stamp.format != FORMAT:
        raise ModelFileError(
            f"{path}: has format {metadata.stamp.format}, but this version reads {FORMAT}; "
            "train the model anew"
        )
    return metadata


def _contradiction(signature: Signature) -> str:
    """Say what no model can have been made for; "" where there is nothing."""
    if len(set(signature.genres)) < max(2, len(signature.genres)):
        return (
            f"tells apart the genres {signature.genres}, of which two must differ, and no two agree"
        )
    if signature.feature_names and signature.shape != (len(signature.feature_names),):
        return f"has {len(signature.feature_names)} features, but the shape {signature.shape}"
    if math.prod(signature.shape) > _MOST_VALUES:
        return f"has the shape {signature.shape}, more than {_MOST_VALUES} numbers in one example"
    return ""
