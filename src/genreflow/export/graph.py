"""Build an ONNX graph node by node, as one would write NumPy.

References
----------
"ONNX operators", https://onnx.ai/onnx/operators (version 18; of ai.onnx.ml, version 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

OPSET, ML_OPSET, IR_VERSION = 18, 3, 9
"""Old enough for runtimes of 2023; STFT came with 17."""

ML = "ai.onnx.ml"
"""Domain of the operators for trees."""

Value = str | npt.NDArray[Any] | np.generic
"""A tensor: the name of one that a node makes, or a constant."""

Dimensions = Sequence[int | str]


class Graph:
    """Nodes in the order of their computation, and constants, each of them once."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[TensorProto] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._count = 0

    def input(self, name: str, shape: Dimensions) -> str:
        """Declare an input, float32; a dimension of any size has a name."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def output(self, name: str, value: Value, shape: Dimensions) -> None:
        """Declare an output, float32."""
        self._nodes.append(helper.make_node("Identity", [self._name(value)], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def op(self, kind: str, *inputs: Value, domain: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its first output."""
        return self.several(1, kind, *inputs, domain=domain, **attributes)[0]

    def several(
        self, count: int, kind: str, *inputs: Value, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node and return the names of its outputs."""
        self._count += 1
        outputs = [f"{kind}_{self._count}_{i}" for i in range(count)]
        names = [self._name(value) for value in inputs]
        self._nodes.append(helper.make_node(kind, names, outputs, domain=domain, **attributes))
        return outputs

    def cast(self, value: Value, kind: npt.DTypeLike) -> str:
        """Convert a tensor to another type."""
        return self.op("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def size(self, value: Value, axis: int) -> str:
        """Return the size along an axis, int64 (1,)."""
        return self.op("Shape", value, start=axis, end=axis + 1)

    def cut(self, value: Value, start: Value | int, end: Value | int, axis: int = 0) -> str:
        """Return the part from `start` to before `end`, each a number or int64 (1,)."""
        first, last = (axes(at) if isinstance(at, int) else at for at in (start, end))
        return self.op("Slice", value, first, last, axes(axis))

    def reshape(self, value: Value, *shape: int) -> str:
        """Return the same values in another shape; 0: as before, -1: what remains."""
        return self.op("Reshape", value, axes(*shape))

    def model(self, about: Mapping[str, str]) -> ModelProto:
        """Return the whole, checked, with what it says of itself."""
        graph = helper.make_graph(
            self._nodes, "genreflow", self._inputs, self._outputs, self._initializers
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
        model = helper.make_model(
            graph, producer_name="genreflow", opset_imports=opsets, ir_version=IR_VERSION
        )
        helper.set_model_props(model, dict(about))
        checker.check_model(model)
        return model

    def _name(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = name
            self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return self._constants[key]


def axes(*numbers: int) -> npt.NDArray[np.int64]:
    """Return numbers as operators take axes, shapes and positions: int64 (n,)."""
    return np.array(numbers, dtype=np.int64)
