"""In a graph: the layers of Keras's functional networks that genreflow's networks consist of.

Keras's own export goes through tf2onnx, which makes inputs of what normalisation layers know
(tf2onnx 1.17). Images are (n, channels, height, width) here, as ONNX has them, and
(n, height, width, channels) in Keras.

References
----------
"Keras 3 API: layers", https://keras.io/api/layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from genreflow.export.error import ExportError
from genreflow.export.graph import Graph, axes
from genreflow.export.memory import bidirectional, numbers
from genreflow.models.neural.network import KerasNetwork

layers = keras.layers


def of_network(graph: Graph, values: str, model: KerasNetwork[Any]) -> str:
    """Return a network's probabilities, (n, genres).

    Parameters
    ----------
    values
        (n, height, width) images of one channel, or (n, m) numbers.

    Raises
    ------
    ExportError
        The network holds a layer that isn't known here.
    """
    network = model.network
    if len(network.input_shape) == 4:
        values = graph.op("Unsqueeze", values, axes(1))
    found = {id(network.inputs[0]): values}
    for layer in network.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = [found[id(tensor)] for tensor in given]
        found[id(layer.output)] = _writer(layer)(graph, layer, *inputs)
    return found[id(network.outputs[0])]


def _writer(layer: Any) -> Callable[..., str]:
    for kind, write in _WRITERS.items():
        if type(layer) is kind:
            return write
    raise ExportError(
        f"layer {layer.name}: {type(layer).__name__} has no counterpart in the export; expected a "
        "network of " + ", ".join(sorted(kind.__name__ for kind in _WRITERS))
    )


def _is_image(layer: Any) -> bool:
    tensor = layer.input[0] if isinstance(layer.input, list) else layer.input
    return len(tensor.shape) == 4


def _turned(graph: Graph, value: str, *order: int) -> str:
    return graph.op("Transpose", value, perm=list(order))


def _along(layer: Any, array: npt.ArrayLike, axis: int) -> npt.NDArray[np.float32]:
    """Shape numbers for an axis of Keras's so that they apply to that axis here."""
    values, rank = np.asarray(array, dtype=np.float32), len(layer.output.shape)
    axis %= rank
    if rank == 4:
        axis = {1: 2, 2: 3, 3: 1}[axis]
    return values.reshape([-1 if i == axis else 1 for i in range(rank)])


def _affine(graph: Graph, value: str, scale: Any, offset: Any) -> str:
    return graph.op("Add", graph.op("Mul", value, scale), offset)


def _normalization(graph: Graph, layer: Any, value: str) -> str:
    (axis,) = layer.axis
    mean, variance = (np.ravel(numbers(x)) for x in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    centred = graph.op("Sub", value, _along(layer, mean, axis))
    return graph.op("Div", centred, _along(layer, deviation, axis))


def _batch_normalization(graph: Graph, layer: Any, value: str) -> str:
    mean, variance = numbers(layer.moving_mean), numbers(layer.moving_variance)
    scale = (numbers(layer.gamma) if layer.scale else 1) / np.sqrt(variance + layer.epsilon)
    offset = (numbers(layer.beta) if layer.center else 0) - mean * scale
    both = (_along(layer, array, layer.axis) for array in (scale, offset))
    return _affine(graph, value, *both)


def _activated(graph: Graph, layer: Any, value: str, *, axis: int = -1) -> str:
    name = layer.activation.__name__
    if name == "linear":
        return value
    if name == "softmax":
        return graph.op("Softmax", value, axis=axis)
    if name not in _ACTIVATIONS:
        raise ExportError(
            f"layer {layer.name}: the activation {name} isn't known to the export; "
            f"expected linear, softmax, {', '.join(_ACTIVATIONS)}"
        )
    return graph.op(_ACTIVATIONS[name], value)


_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}


def _conv(graph: Graph, layer: Any, value: str) -> str:
    kernel = numbers(layer.kernel).transpose(3, 2, 0, 1)
    bias = [numbers(layer.bias)] if layer.use_bias else []
    made = graph.op(
        "Conv",
        value,
        kernel,
        *bias,
        strides=list(layer.strides),
        dilations=list(layer.dilation_rate),
        group=layer.groups,
        auto_pad=_padding(layer),
    )
    return _activated(graph, layer, made, axis=1)


def _padding(layer: Any) -> str:
    return {"same": "SAME_UPPER", "valid": "VALID"}[layer.padding]


def _pool(kind: str) -> Callable[..., str]:
    def write(graph: Graph, layer: Any, value: str) -> str:
        return graph.op(
            kind,
            value,
            kernel_shape=list(layer.pool_size),
            strides=list(layer.strides),
            auto_pad=_padding(layer),
        )

    return write


def _zero_padding(graph: Graph, layer: Any, value: str) -> str:
    (top, bottom), (left, right) = layer.padding
    return graph.op("Pad", value, axes(0, 0, top, left, 0, 0, bottom, right), np.float32(0))


def _resizing(graph: Graph, layer: Any, value: str) -> str:
    if layer.interpolation != "bilinear" or layer.crop_to_aspect_ratio or layer.antialias:
        raise ExportError(f"layer {layer.name}: expected bilinear resizing without cropping")
    size = graph.op(
        "Concat",
        graph.op("Shape", value, start=0, end=2),
        axes(layer.height, layer.width),
        axis=0,
    )
    return graph.op(
        "Resize", value, "", "", size, mode="linear", coordinate_transformation_mode="half_pixel"
    )


def _over(kind: str) -> Callable[..., str]:
    """Reduce images over both of their sides, sequences over time."""

    def write(graph: Graph, layer: Any, value: str) -> str:
        over = axes(2, 3) if _is_image(layer) else axes(1)
        return graph.op(kind, value, over, keepdims=int(layer.keepdims))

    return write


def _reshape(graph: Graph, layer: Any, value: str) -> str:
    flat = _turned(graph, value, 0, 2, 3, 1) if _is_image(layer) else value
    made = graph.reshape(flat, 0, *layer.output.shape[1:])
    return _turned(graph, made, 0, 3, 1, 2) if len(layer.output.shape) == 4 else made


def _dense(graph: Graph, layer: Any, value: str) -> str:
    made = graph.op("MatMul", value, numbers(layer.kernel))
    if layer.use_bias:
        made = graph.op("Add", made, numbers(layer.bias))
    return _activated(graph, layer, made)


def _concatenate(graph: Graph, layer: Any, *values: str) -> str:
    rank = len(layer.output.shape)
    axis = layer.axis % rank
    return graph.op("Concat", *values, axis={1: 2, 2: 3, 3: 1}[axis] if rank == 4 else axis)


def _dot(graph: Graph, layer: Any, first: str, second: str) -> str:
    if layer.axes != 1 or layer.normalize or len(layer.output.shape) != 3:
        raise ExportError(f"layer {layer.name}: expected a product over axis 1 of two sequences")
    return graph.op("MatMul", _turned(graph, first, 0, 2, 1), second)


def _softmax(graph: Graph, layer: Any, value: str) -> str:
    return graph.op("Softmax", value, axis=layer.axis)


def _relu(graph: Graph, layer: Any, value: str) -> str:
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise ExportError(f"layer {layer.name}: expected a plain ReLU")
    return graph.op("Relu", value)


def _rescaling(graph: Graph, layer: Any, value: str) -> str:
    return _affine(graph, value, np.float32(layer.scale), np.float32(layer.offset))


def _add(graph: Graph, layer: Any, *values: str) -> str:  # noqa: ARG001
    return graph.op("Sum", *values)


def _nothing(graph: Graph, layer: Any, value: str) -> str:  # noqa: ARG001
    return value


_WRITERS: dict[Any, Callable[..., str]] = {
    layers.Activation: lambda graph, layer, value: _activated(
        graph, layer, value, axis=1 if _is_image(layer) else -1
    ),
    layers.Add: _add,
    layers.AveragePooling2D: _pool("AveragePool"),
    layers.BatchNormalization: _batch_normalization,
    layers.Bidirectional: bidirectional,
    layers.Concatenate: _concatenate,
    layers.Conv2D: _conv,
    layers.Dense: _dense,
    layers.Dot: _dot,
    layers.Dropout: _nothing,
    layers.Flatten: _reshape,
    layers.GlobalAveragePooling2D: _over("ReduceMean"),
    layers.GlobalMaxPooling1D: _over("ReduceMax"),
    layers.MaxPooling2D: _pool("MaxPool"),
    layers.Normalization: _normalization,
    layers.ReLU: _relu,
    layers.Rescaling: _rescaling,
    layers.Reshape: _reshape,
    layers.Resizing: _resizing,
    layers.Softmax: _softmax,
    layers.ZeroPadding2D: _zero_padding,
}
"""What each layer becomes. Training's layers, dropout, become nothing."""
