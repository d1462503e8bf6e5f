"""Models from their names: construct one to be trained, or load a trained one."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

from genreflow import registry
from genreflow.models.base import Model, ModelFileError, Signature
from genreflow.models.libraries import difference, libraries_of
from genreflow.models.metadata import Metadata, read_metadata
from genreflow.registry.entry import METADATA, ModelSection

log = logging.getLogger(__name__)


def create(section: ModelSection, signature: Signature) -> Model[Any]:
    """Import and construct the model that `signature` names, untrained.

    Raises
    ------
    genreflow.registry.entry.RegistryError
        There is no such model.
    """
    module, _, name = registry.entry(signature.model).implementation.partition(":")
    model: Model[Any] = getattr(import_module(module), name)(section, signature)
    return model


def load_model(folder: Path) -> tuple[Model[Any], Metadata]:
    """Load the model in a folder that training wrote.

    Where libraries have other versions than those that wrote it, a warning names both.

    Raises
    ------
    genreflow.models.base.ModelFileError
        A file is missing or damaged; or the installed libraries can't read what others wrote.
    genreflow.registry.entry.RegistryError
        The model came with a package that isn't installed.
    """
    _check_is_file(folder / METADATA)
    metadata = read_metadata(folder)
    entry = registry.entry(metadata.signature.model)
    for name in entry.model_files:
        _check_is_file(folder / name)
    section = metadata.read_section(entry.section, entry.parameters)
    model = create(section, metadata.signature)
    differs = difference(metadata.libraries, libraries_of(entry.model_files))
    try:
        model.load(folder)
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


def _check_is_file(path: Path) -> None:
    """Refuse what could be read forever: a pipe, a device, or a link to one."""
    if path.exists() and not path.is_file():
        raise ModelFileError(f"{path}: is no ordinary file; expected one that training wrote")
