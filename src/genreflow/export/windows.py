"""In a graph: the mel windows of samples, as :mod:`genreflow.features.mel` makes them."""

from __future__ import annotations

import math

import numpy as np

from genreflow.audio.samples import FULL_SCALE
from genreflow.export import level
from genreflow.export.graph import Graph, Value, axes
from genreflow.features.mel.extract import window_geometry
from genreflow.features.mel.read import STORED
from genreflow.features.stft import hann, mel_filters
from genreflow.registry.mel import Mel


def mel_windows(graph: Graph, samples: str, sample_rate: int, params: Mel) -> str:
    """Return the windows that models see, (windows, time, bands) [dB].

    Parameters
    ----------
    samples
        (n,) amplitudes, mono; at least as many as a window takes.
    sample_rate
        Of the samples [Hz].
    """
    heard = level.quantised(graph, samples)
    if params.skip_silence:
        at_least = math.ceil(params.window_seconds * sample_rate)
        heard = level.without_silence_around(graph, heard, at_least)
    levels = _levels(graph, heard, sample_rate, params)
    window, hop = window_geometry(sample_rate, params)
    starts = _starts(graph, levels, window, hop)
    if params.skip_silence:
        starts = _sounding(graph, levels, starts, window)
    rounded = graph.cast(graph.cast(levels, STORED), np.float32)
    frames = graph.op("Add", graph.op("Unsqueeze", starts, axes(1)), np.arange(window))
    return graph.op("Gather", rounded, frames, axis=0)


def _levels(graph: Graph, samples: str, sample_rate: int, params: Mel) -> str:
    """Return the log-power mel spectrum, (frames, bands) [dB]."""
    n_fft = params.n_fft
    scale: Value = np.float32(1 / FULL_SCALE)
    if params.normalise:
        scale = level.amplitude_scale(graph, samples)
    # Of other lengths ONNX Runtime's transform is a detour that loses three digits.
    precision = np.float32 if n_fft.bit_count() == 1 else np.float64
    margin = n_fft // 2
    padded = graph.op("Pad", samples, axes(margin, margin), np.float32(0))
    spectrum = graph.op(
        "STFT",
        graph.cast(graph.reshape(padded, 1, -1, 1), precision),
        np.int64(params.hop_length),
        graph.cast(graph.op("Mul", hann(n_fft), scale), precision),
        np.int64(n_fft),
        onesided=1,
    )
    squares = graph.op("ReduceSumSquare", spectrum, axes(0, 3), keepdims=0)
    power = graph.cast(squares, np.float32)
    filters = mel_filters(sample_rate, n_fft, params.n_mels, params.fmin, params.fmax)
    bands = graph.op("MatMul", power, filters.toarray().T)
    audible = graph.op("Max", bands, np.float32(10 ** (params.floor_db / 10)))
    return graph.op("Mul", graph.op("Log", audible), np.float32(10 / math.log(10)))


def _starts(graph: Graph, levels: str, window: int, hop: int) -> str:
    """Return the first frame of every window, int64 (windows,)."""
    end = graph.op("Sub", graph.size(levels, 0), axes(window - 1))
    return graph.op("Range", np.int64(0), graph.op("Squeeze", end, axes(0)), np.int64(hop))


def _sounding(graph: Graph, levels: str, starts: str, window: int) -> str:
    """Leave out the windows of which less than half sounds."""
    loudest = graph.op("ReduceMax", levels, axes(1), keepdims=0)
    power = graph.op("Pow", np.float32(10), graph.op("Div", loudest, np.float32(10)))
    heard = graph.cast(level.sounds(graph, power), np.int64)
    counted = graph.op("CumSum", heard, np.int64(0))
    before = graph.op("Concat", axes(0), counted, axis=0)
    until_end = graph.op("Gather", before, graph.op("Add", starts, axes(window)))
    within = graph.op("Sub", until_end, graph.op("Gather", before, starts))
    enough = graph.op("GreaterOrEqual", graph.op("Mul", within, axes(2)), axes(window))
    return level.kept(graph, starts, enough)
