"""Models from their names: construct one to be trained, or load a trained one."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from genreflow import registry
from genreflow.models.base import Model, Signature
from genreflow.models.metadata import Metadata, read_metadata
from genreflow.registry.entry import ModelSection


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

    Raises
    ------
    genreflow.models.base.ModelFileError
        A file is missing or damaged.
    genreflow.registry.entry.RegistryError
        The model came with a package that isn't installed.
    """
    metadata = read_metadata(folder)
    entry = registry.entry(metadata.signature.model)
    section = entry.parameters.model_validate(metadata.section(entry.section))
    model = create(section, metadata.signature)
    model.load(folder)
    return model, metadata
