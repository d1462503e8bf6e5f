"""A model as one HTML file: it hears a file of the reader's, and opens no connection.

Model and runtime stand in the page, compressed; what a browser needs is WebAssembly and
``DecompressionStream``: those of 2023 and later.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from genreflow.export.error import ExportError
from genreflow.export.runtime import Runtime

if TYPE_CHECKING:
    from onnx import ModelProto

_TEMPLATES = Environment(
    loader=PackageLoader("genreflow.export"), autoescape=True, undefined=StrictUndefined
)


def render(model: ModelProto, runtime: Runtime) -> str:
    """Return the page of a model that hears samples and needs nothing else.

    Raises
    ------
    ExportError
        It reads features, which no browser can make.
    """
    if [given.name for given in model.graph.input] != ["samples"]:
        raise ExportError(
            "a page can run models that hear samples alone, such as cnn; this one reads features, "
            "which are made in Python. Export it with --to onnx"
        )
    packed = {
        "runtime-script": _packed(runtime.script),
        "runtime-wasm": _packed(runtime.wasm),
        "model": _packed(model.SerializeToString(deterministic=True)),
    }
    script = Markup(_TEMPLATES.get_template("try.js").render())
    return _TEMPLATES.get_template("try.html.j2").render(
        about=_about(model), runtime=runtime, packed=packed, script=script
    )


def _packed(content: bytes) -> Markup:
    return Markup(base64.b64encode(gzip.compress(content, mtime=0)).decode())


def _about(model: ModelProto) -> Mapping[str, Any]:
    said = {entry.key: entry.value for entry in model.metadata_props}
    numbers = ("sample_rate", "stretch_seconds", "min_seconds", "silence_db")
    return {
        "model": said["model"],
        "genreflow_version": said["genreflow_version"],
        "genres": json.loads(said["genres"]),
        **{name: float(said[name]) for name in numbers},
    }
