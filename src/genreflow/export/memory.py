"""In a graph: a long short-term memory over a sequence, in both directions."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from genreflow.export.error import ExportError
from genreflow.export.graph import Graph

_PLAIN = {"activation": "tanh", "recurrent_activation": "sigmoid", "return_sequences": True}


def bidirectional(graph: Graph, layer: Any, value: str) -> str:
    """Return (n, steps, 2 * units) of a sequence (n, steps, inputs).

    Raises
    ------
    ExportError
        It is another memory than a plain LSTM that answers at each step.
    """
    ways = (layer.forward_layer, layer.backward_layer)
    for way in ways:
        said = {name: way.get_config().get(name) for name in _PLAIN}
        if said != _PLAIN or not way.use_bias or layer.merge_mode != "concat":
            raise ExportError(
                f"layer {layer.name}: expected an LSTM with tanh and sigmoid gates, a bias and an "
                "answer at each step, both directions side by side"
            )
    weights, recurrent, bias = (
        np.stack([_gates(getattr(way.cell, name)) for way in ways])
        for name in ("kernel", "recurrent_kernel", "bias")
    )
    steps = graph.op(
        "LSTM",
        graph.op("Transpose", value, perm=[1, 0, 2]),
        weights,
        recurrent,
        np.concatenate([bias, np.zeros_like(bias)], axis=1),
        direction="bidirectional",
        hidden_size=ways[0].units,
    )
    # (steps, directions, n, units)
    return graph.reshape(graph.op("Transpose", steps, perm=[2, 0, 1, 3]), 0, 0, -1)


def numbers(variable: Any) -> npt.NDArray[np.float32]:
    """Return what a variable of Keras's holds, whatever its backend."""
    held: npt.NDArray[np.float32] = keras.ops.convert_to_numpy(variable)
    return held


def _gates(array: Any) -> npt.NDArray[np.float32]:
    """Reorder Keras's gates (input, forget, cell, output) as ONNX has them, one row each unit."""
    of_input, forget, cell, output = np.split(numbers(array), 4, axis=-1)
    return np.concatenate([of_input.T, output.T, forget.T, cell.T])
