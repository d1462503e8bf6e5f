"""Models from their names: construct one to be trained, or load a trained one."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from genreflow import registry
from genreflow.features.rows import Floats
from genreflow.models.base import Model, ModelFileError, Signature
from genreflow.models.libraries import difference, libraries_of
from genreflow.models.metadata import Metadata, read_metadata
from genreflow.models.reading import reading
from genreflow.registry.entry import METADATA, ModelSection, RegistryError
from genreflow.threads import without_native_notices

log = logging.getLogger(__name__)


def create(section: ModelSection, signature: Signature) -> Model[Any]:
    """Import and construct the model that `signature` names, untrained.

    Raises
    ------
    genreflow.registry.entry.RegistryError
        There is no such model.
    """
    module, _, name = registry.entry(signature.model).implementation.partition(":")
    with without_native_notices():
        implementation = getattr(import_module(module), name)
    model: Model[Any] = implementation(section, signature)
    return model


def load_model(folder: Path, threads: int | None = None) -> tuple[Model[Any], Metadata]:
    """Load the model in a folder that training wrote.

    Where libraries have other versions than those that wrote it, a warning names both.

    Parameters
    ----------
    folder
        Such as ``results/models/cnn/0``.
    threads
        That it computes with; by default as many as in training.

    Raises
    ------
    genreflow.models.base.ModelFileError
        A file is missing or damaged; or the installed libraries can't read what others wrote; or
        the model came with a package that isn't installed.
    """
    _check_is_file(folder / METADATA)
    metadata = read_metadata(folder)
    try:
        entry = registry.entry(metadata.signature.model)
    except RegistryError as error:
        raise ModelFileError(
            f"{folder / METADATA}: {error}. Install the package that offers it"
        ) from None
    for name in entry.model_files:
        _check_is_file(folder / name)
    section = metadata.read_section(entry.section, entry.parameters)
    if threads is not None:
        section = section.model_copy(update={"threads": threads})
    model = create(section, metadata.signature)
    differs = difference(metadata.libraries, libraries_of(entry.model_files))
    try:
        model.load(folder)
        with reading(folder):
            answer(model, np.zeros((1, *model.signature.shape), dtype=np.float32))
    except ModelFileError as error:
        if not differs:
            raise
        raise ModelFileError(
            f"{error}. It was {differs}: install what it was made with, or train it anew"
        ) from error
    if differs:
        log.warning(
            "%s: the model was %s; it could be read, but may predict something else. "
            "Train it anew, or install what it was made with.",
            folder,
            differs,
        )
    return model, metadata


def answer(model: Model[Any], values: Floats) -> Floats:
    """Return a model's probabilities, (n, n_genres), of `values`.

    Raises
    ------
    ValueError
        They are none, as those of a model with damaged numbers.
    """
    probabilities = model.predict_proba(values)
    expected = (len(values), len(model.signature.genres))
    if probabilities.shape != expected or not np.isfinite(probabilities).all():
        raise ValueError(f"answers with no probabilities of the shape {expected}")
    return probabilities


def _check_is_file(path: Path) -> None:
    """Refuse what could be read forever: a pipe, a device, or a link to one."""
    if path.exists() and not path.is_file():
        raise ModelFileError(f"{path}: is no ordinary file; expected one that training wrote")
