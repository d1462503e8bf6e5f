"""Trained models: any bytes in place of a file are a model, or the error that names the file.

The first byte chooses the model and which of its files the others replace. In an archive it is a
member that they replace, so that checksums don't stand in the way.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from fuzz.outcome import result_or
from genreflow.models.base import ModelFileError
from genreflow.models.loading import answer, load_model
from genreflow.registry import entry
from genreflow.store.archive import read_members, write_members
from genreflow.training import train

NAMES = ("xgb_mel", "svm_mel", "svm_handcrafted", "xgb_handcrafted")
"""Those that are trained in a second."""

Place = tuple[str, str, str]
"""Model, file, and member of the file or ""."""


@cache
def trained() -> dict[str, Path]:
    """Train the models, on tracks that tests invent."""
    from tests.synthetic_features import make_corpus

    base = Path(mkdtemp(prefix="genreflow-fuzz-"))
    corpus = make_corpus(base / "corpus")
    for name in NAMES:
        features = corpus.features(*entry(name).reads)
        train(name, "0", corpus.params, features, corpus.splits, base / name)
    return {name: base / name for name in NAMES}


def places(models: Mapping[str, Path]) -> list[Place]:
    """Return what can be replaced, in an order that stays."""
    found = []
    for name in NAMES:
        found += [(name, "model.json", "")]
        if (models[name] / "model.xgb.json").exists():
            found += [(name, "model.xgb.json", "")]
        if (archive := models[name] / "model.skops").exists():
            members = read_members(archive)
            array = next(member for member in sorted(members) if member.endswith(".npy"))
            found += [(name, "model.skops", part) for part in ("", "schema.json", array)]
    return found


def run(data: bytes, folder: Path, models: Mapping[str, Path] | None = None) -> None:
    """Load a model of which one file, or one member of it, is `data`; use it if it loads."""
    models = models or trained()
    choices = places(models)
    name, file, member = choices[data[0] % len(choices)] if data else choices[0]
    shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(models[name], folder / name)
    path = folder / name / file
    if member:
        write_members(read_members(path) | {member: data[1:]}, path)
    else:
        path.write_bytes(data[1:])
    # Not always the file itself: one may be whole, and not fit the others.
    with result_or(ModelFileError, "model"):
        model, _ = load_model(folder / name)
        answer(model, np.zeros((2, *model.signature.shape), dtype=np.float32))


def seeds() -> Iterator[bytes]:
    """Yield the files of the models themselves."""
    models = trained()
    for number, (name, file, member) in enumerate(places(models)):
        path = models[name] / file
        yield bytes([number]) + (read_members(path)[member] if member else path.read_bytes())
