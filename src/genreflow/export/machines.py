"""In a graph: the support vector machines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genreflow.export.graph import Graph, axes
from genreflow.export.preparation import prepared
from genreflow.export.statistics import describe
from genreflow.models.svm_mel import SvmMel
from genreflow.models.svm_tracks import SLOPE, TrackSvm


def of_windows(graph: Graph, windows: str, model: SvmMel) -> str:
    """Return the probabilities of mel windows (n, time, frequency), (n, genres)."""
    arrays = model.arrays
    # The weights of landmarks that lie side by side are large and cancel: double precision.
    described = graph.cast(describe(graph, windows, model.signature.shape), np.float64)
    projected = graph.op(
        "Add", graph.op("MatMul", described, arrays["projection"]), arrays["offset"]
    )
    similar = _similar(graph, projected, arrays["landmarks"], arrays["gamma"])
    margins = graph.op("MatMul", similar, arrays["weights"])
    margins = graph.op("Add", margins, arrays["intercept"])
    return graph.op("Softmax", graph.cast(margins, np.float32), axis=1)


def of_tracks(graph: Graph, features: str, model: TrackSvm) -> str:
    """Return the probabilities of features (n, n_features), (n, genres)."""
    machine, n_genres = model.machine, len(model.signature.genres)
    values = prepared(graph, features, model.prepare)
    whitened = graph.op("MatMul", values, model.whitening.astype(np.float32))
    vectors = machine.support_vectors_.astype(np.float32)
    if machine.kernel == "rbf":
        kernel = _similar(graph, whitened, vectors, np.float32(machine.gamma))
    else:
        kernel = graph.op("MatMul", whitened, vectors.T)
    weights, first, second = _pairs(machine.n_support_, machine._dual_coef_)
    margins = graph.op("MatMul", kernel, weights.astype(np.float32))
    margins = graph.op("Add", margins, machine._intercept_.astype(np.float32))
    votes = graph.op("Tanh", graph.op("Mul", margins, np.float32(SLOPE)))
    sides = np.eye(n_genres)[first] - np.eye(n_genres)[second]
    margins = graph.op("MatMul", votes, (sides / model.temperature).astype(np.float32))
    return graph.op("Softmax", margins, axis=1)


def _similar(
    graph: Graph,
    values: str,
    others: npt.NDArray[np.floating],
    gamma: np.floating | npt.NDArray[np.float64],
) -> str:
    """Return the RBF kernel of values (n, m) with others (k, m), (n, k)."""
    product = graph.op("MatMul", values, np.ascontiguousarray(others.T))
    square = graph.op("ReduceSumSquare", values, axes(1))
    both = graph.op("Add", square, np.square(others).sum(axis=1))
    distance = graph.op("Sub", both, graph.op("Mul", product, others.dtype.type(2)))
    return graph.op("Exp", graph.op("Mul", distance, -np.asarray(gamma, dtype=others.dtype)))


def _pairs(
    n_support: npt.NDArray[np.integer], dual: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the weight of each support vector in each pair's margin, (vectors, pairs).

    LIBSVM keeps one row of weights per opponent; a vector's own genre is left out of the count.
    """
    n_genres = len(n_support)
    genre = np.repeat(np.arange(n_genres), n_support)
    first, second = np.triu_indices(n_genres, 1)
    weights = np.zeros((len(genre), len(first)))
    for pair, (one, other) in enumerate(zip(first, second, strict=True)):
        weights[genre == one, pair] = dual[other - 1, genre == one]
        weights[genre == other, pair] = dual[one, genre == other]
    return weights, first, second
