"""``model.json``: what a reader of the model file must know, next to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from genreflow.models.base import ModelFileError, Signature
from genreflow.registry.entry import METADATA
from genreflow.store.files import write_json
from genreflow.store.stamp import FORMAT, Stamp


@dataclass(frozen=True)
class Metadata:
    """What a trained model says of itself.

    Parameters
    ----------
    signature
        Genres, feature names and the shape of one example.
    stamp
        All the parameters behind the model: audio, features, splits and its own.
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
    best: Mapping[str, Any]
    n_parameters: int
    model_bytes: int
    n_train: int
    n_valid: int

    def section(self, name: str) -> dict[str, Any]:
        """Return a section of the parameters that the model was made with."""
        values: dict[str, Any] = self.stamp.params[name]
        return values


def write_metadata(metadata: Metadata, folder: Path) -> None:
    """Write ``model.json``."""
    write_json(asdict(metadata), folder / METADATA)


def read_metadata(folder: Path) -> Metadata:
    """Read ``model.json``.

    Raises
    ------
    ModelFileError
        There is none, or it was written by another version.
    """
    path = folder / METADATA
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        stamp = Stamp.from_json(json.dumps(fields["stamp"]), path)
        lists = fields["signature"]
        signature = Signature(
            model=lists["model"],
            genres=tuple(lists["genres"]),
            shape=tuple(lists["shape"]),
            feature_names=tuple(lists["feature_names"]),
        )
        metadata = Metadata(
            signature,
            stamp,
            **{
                name: fields[name]
                for name in ("best", "n_parameters", "model_bytes", "n_train", "n_valid")
            },
        )
    except OSError as error:
        raise ModelFileError(
            f"{path}: can't be read ({error.strerror}); expected the folder of a trained model, "
            "such as results/models/cnn/0"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path}: is damaged, or of another version ({error}); train the model anew"
        ) from None
    if stamp.format != FORMAT:
        raise ModelFileError(
            f"{path}: has format {stamp.format}, but this version reads {FORMAT}; "
            "train the model anew"
        )
    return metadata
