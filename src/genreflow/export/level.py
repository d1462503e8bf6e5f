"""In a graph: what is done to samples before their spectra are taken.

It repeats :mod:`genreflow.audio.decode`, :mod:`genreflow.features.sounding` and
:mod:`genreflow.features.gain` operator by operator.
"""

from __future__ import annotations

import numpy as np

from genreflow.audio.decode import LOUDEST
from genreflow.audio.samples import FULL_SCALE
from genreflow.export.graph import Graph, axes
from genreflow.features import gain, sounding


def quantised(graph: Graph, samples: str) -> str:
    """Round amplitudes (n,) to whole numbers of 16 bit, the peak brought down to full scale."""
    loudest = np.float32(LOUDEST)
    mono = graph.op("Clip", samples, -loudest, loudest)
    peak = graph.op("ReduceMax", graph.op("Abs", mono), keepdims=0)
    scale = graph.op("Div", np.float32(FULL_SCALE), graph.op("Max", peak, np.float32(1)))
    rounded = graph.op("Round", graph.op("Mul", mono, scale))
    return graph.op("Clip", rounded, np.float32(-FULL_SCALE), np.float32(FULL_SCALE - 1))


def without_silence_around(graph: Graph, samples: str, at_least: int) -> str:
    """Return samples (n,) from the first sound to the last."""
    n = graph.size(samples, 0)
    blocks, length = _blocks(graph, samples, sounding.BLOCK)
    power = graph.op("ReduceSumSquare", blocks, axes(1), keepdims=0)
    heard = graph.op("Squeeze", graph.op("NonZero", sounds(graph, power)), axes(0))
    first, last = graph.cut(heard, 0, 1), graph.cut(heard, -1, np.iinfo(np.int64).max)
    begin = graph.op("Mul", first, length)
    end = graph.op("Mul", graph.op("Add", last, axes(1)), length)
    # Too short a rest to be a block.
    is_rest = graph.op("Greater", graph.op("Add", end, length), n)
    end = graph.op("Where", is_rest, n, end)
    end = graph.op("Min", n, graph.op("Max", end, graph.op("Add", begin, axes(at_least))))
    begin = graph.op("Min", begin, graph.op("Sub", end, axes(at_least)))
    return graph.cut(samples, graph.op("Max", axes(0), begin), end)


def sounds(graph: Graph, power: str) -> str:
    """Tell which of a track's frames sound, (frames,); all of them in a silent track."""
    threshold = graph.op(
        "Mul",
        _quantile(graph, power, sounding.LOUD),
        np.float32(10 ** (-sounding.SILENT_DB / 10)),
    )
    return _some_or_all(graph, graph.op("Greater", power, threshold))


def amplitude_scale(graph: Graph, samples: str) -> str:
    """Return what brings samples (n,) of 16 bit to the level of all tracks, float32 ()."""
    blocks, length = _blocks(graph, samples, gain.BLOCK)
    power = graph.cast(graph.op("ReduceSumSquare", blocks, axes(1), keepdims=0), np.float64)
    power = graph.op("Div", power, graph.cast(length, np.float64))
    gate = graph.op("Mul", graph.op("ReduceMean", power, keepdims=0), np.float64(gain.GATE))
    sounding_blocks = graph.op("Compress", power, graph.op("GreaterOrEqual", power, gate))
    mean = graph.op("ReduceMean", sounding_blocks, keepdims=0)
    scale = graph.op("Div", np.float64(gain.LEVEL), graph.op("Sqrt", mean))
    is_heard = graph.op("Greater", mean, np.float64(0))
    return graph.cast(graph.op("Where", is_heard, scale, np.float64(1 / FULL_SCALE)), np.float32)


def kept(graph: Graph, values: str, wanted: str) -> str:
    """Return those of `values` (n,) that are wanted, (n,) bool; all where none is."""
    return graph.op("Compress", values, _some_or_all(graph, wanted), axis=0)


def _some_or_all(graph: Graph, wanted: str) -> str:
    some = graph.op("ReduceMax", graph.cast(wanted, np.int32), keepdims=0)
    return graph.op("Or", wanted, graph.op("Equal", some, np.int32(0)))


def _blocks(graph: Graph, samples: str, most: int) -> tuple[str, str]:
    """Return blocks (count, length) without the rest, and their length, int64 (1,)."""
    n = graph.size(samples, 0)
    length = graph.op("Min", n, axes(most))
    whole = graph.cut(samples, 0, graph.op("Mul", graph.op("Div", n, length), length))
    return graph.op("Reshape", whole, graph.op("Concat", axes(-1), length, axis=0)), length


def _quantile(graph: Graph, values: str, share: float) -> str:
    """Return ``np.quantile(values, share)`` of values (n,), float32 (1,)."""
    n = graph.size(values, 0)
    ordered = graph.several(2, "TopK", values, n, largest=0)[0]
    last = graph.op("Sub", n, axes(1))
    place = graph.op("Mul", graph.cast(last, np.float64), np.float64(share))
    below = graph.op("Floor", place)
    position = graph.cast(below, np.int64)
    lower = graph.op("Gather", ordered, position)
    following = graph.op("Min", last, graph.op("Add", position, axes(1)))
    rise = graph.op("Sub", graph.op("Gather", ordered, following), lower)
    between = graph.cast(graph.op("Sub", place, below), np.float32)
    return graph.op("Add", lower, graph.op("Mul", rise, between))
