"""Export a model to a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genreflow.export.error import ExportError
from genreflow.store.files import atomic


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes
    ----------
    path
        The file.
    reads
        What must be put in, in words.
    """

    path: Path
    reads: str


def export(
    model: str | Path,
    to: Literal["onnx", "html"],
    out: Path | None = None,
    *,
    runtime: Path | None = None,
    force: bool = False,
) -> Exported:
    """Write a model as a file that runs without Python.

    Parameters
    ----------
    model
        As :func:`genreflow.load` finds it.
    to
        Format: ``"onnx"``, or ``"html"``, a page that runs it.
    out
        The file; by default the model's name, in the current folder.
    runtime
        Of a page: see :func:`genreflow.export.runtime.read_runtime`.
    force
        Replace a file that is there.

    Raises
    ------
    ExportError
        The file is there already, onnx isn't installed, the model has no counterpart in ONNX, or
        a page can't run it.
    genreflow.models.base.ModelFileError
        There is no such model, or it can't be read.
    """
    try:
        from genreflow.export.build import FEATURES, SAMPLES, build
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ExportError("onnx isn't installed; run `pip install onnx`") from None
    from genreflow.export.page import render
    from genreflow.export.runtime import read_runtime
    from genreflow.prediction.load import load

    found = read_runtime(runtime) if to == "html" else None
    if out is not None:
        _check_is_free(out, force)
    classifier = load(model)
    path = out or Path(f"{classifier.release.name}.{to}")
    _check_is_free(path, force)
    graph = build(classifier)
    if found is None:
        content = graph.SerializeToString(deterministic=True)
    else:
        content = render(graph, found).encode()
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    of = {
        SAMPLES: f"`{SAMPLES}`, mono at {classifier.sample_rate} Hz",
        FEATURES: f"`{FEATURES}`, in the order of its metadata",
    }
    return Exported(path, "reads " + " and ".join(of[given.name] for given in graph.graph.input))


def _check_is_free(path: Path, force: bool) -> None:
    if path.is_dir():
        raise ExportError(f"{path}: is a folder; expected the name of a file (--out)")
    if path.exists() and not force:
        raise ExportError(f"{path}: is there already; name another file (--out), or add --force")
