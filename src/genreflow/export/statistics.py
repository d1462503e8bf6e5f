"""In a graph: the statistics of a window's bands, as :mod:`genreflow.models.statistics`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import get_window

from genreflow.export.graph import Graph, axes
from genreflow.models.statistics import OCTAVES, QUANTILES


def describe(graph: Graph, windows: str, shape: tuple[int, ...]) -> str:
    """Return the statistics of each window, (windows, statistics).

    Parameters
    ----------
    windows
        (windows, time, frequency) [dB].
    shape
        Of a window: (time, frequency, 1).
    """
    time, frequency, _ = shape
    ordered = graph.several(2, "TopK", windows, axes(time), axis=1, largest=0)[0]
    at = np.round(np.array(QUANTILES) * (time - 1)).astype(np.int64)
    quantiles = graph.op("Gather", ordered, at, axis=1)
    moved = graph.op("ReduceSum", _steps(graph, windows, 1, time), axes(1), keepdims=0)
    change = graph.op("Div", moved, np.float32(max(time - 1, 1)))
    between = graph.op("ReduceMean", _steps(graph, windows, 2, frequency), axes(1))
    # The last band has no next one.
    between = graph.op("Pad", between, axes(0, 0, 0, 0, 0, 1), np.float32(0))
    pairs = _pairs(frequency)
    paired = graph.op("MatMul", windows, pairs)
    parts = [
        quantiles,
        change,
        graph.op("MatMul", between, pairs),
        _fluctuation(graph, paired, time),
    ]
    return graph.op("Concat", *(graph.op("Flatten", part) for part in parts), axis=1)


def _steps(graph: Graph, values: str, axis: int, size: int) -> str:
    """Return how much neighbours along an axis differ."""
    later, earlier = graph.cut(values, 1, size, axis), graph.cut(values, 0, size - 1, axis)
    return graph.op("Abs", graph.op("Sub", later, earlier))


def _pairs(frequency: int) -> npt.NDArray[np.float32]:
    """Return what averages bands two by two, (frequency, pairs); an odd last one is left out."""
    width, count = min(2, frequency), max(1, frequency // 2)
    weights = np.kron(np.eye(count), np.full((width, 1), 1 / width))
    return np.pad(weights, ((0, frequency - len(weights)), (0, 0))).astype(np.float32)


def _fluctuation(graph: Graph, levels: str, time: int) -> str:
    """Return the amplitude at each rate, (windows, rates, bands), of (windows, time, bands)."""
    rates = np.arange(min(OCTAVES[-1][1], time // 2 + 1))
    angle = 2 * np.pi * np.outer(rates, np.arange(time)) / time
    hann = get_window("hann", time)
    deviation = graph.op("Sub", levels, graph.op("ReduceMean", levels, axes(1)))
    squares = [
        graph.op("Mul", part, part)
        for wave in (np.cos(angle), np.sin(angle))
        for part in [graph.op("MatMul", (wave * hann).astype(np.float32), deviation)]
    ]
    amplitude = graph.op("Sqrt", graph.op("Add", *squares))
    means = np.zeros((len(OCTAVES), len(rates)), dtype=np.float32)
    for i, (first, last) in enumerate(OCTAVES):
        of_octave = rates[first:last]
        means[i, of_octave] = 1 / max(len(of_octave), 1)
    octaves = graph.op("MatMul", means, amplitude)
    return graph.op("Log", graph.op("Add", octaves, np.float32(1)))
