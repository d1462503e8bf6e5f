"""An encoder as users bring one: how strong 24 frequencies are in half a second."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

_RATE, _LENGTH, _VALUES = 8000, 4000, 24


_folder = TemporaryDirectory(prefix="genreflow-encoder-")


@cache
def tiny_encoder() -> str:
    """Return the name of the model in ``features.embedding.encoder``; always the same one."""
    path = Path(_folder.name) / "tiny.onnx"
    time = np.arange(_LENGTH) / _RATE
    waves = np.sin(2 * np.pi * np.outer(time, np.geomspace(60, 3500, _VALUES)))
    weights = numpy_helper.from_array((waves / 100).astype(np.float32), "waves")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["sound", "waves"], ["sums"]),
            helper.make_node("Abs", ["sums"], ["strength"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, ["n", _LENGTH])],
        [helper.make_tensor_value_info("strength", TensorProto.FLOAT, ["n", _VALUES])],
        [weights],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    described = {"sample_rate": _RATE, "input": "samples", "patch_seconds": _LENGTH / _RATE}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    return f"onnx:{path}"
