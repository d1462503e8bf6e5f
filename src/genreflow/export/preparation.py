"""In a graph: how features of whole tracks are scaled and selected.

References
----------
M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
Statistics 37(3), 1988.
"""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from genreflow.export.graph import Graph, axes

_BOUND = 1e-7
"""scikit-learn's: how near a value is called equal to an extreme of training's."""

_CENTRE = (
    "2509.0809287301226727 33430.575583588128105 67265.770927008700853 45921.953931549871457 "
    "13731.693765509461125 1971.5909503065514427 133.14166789178437745 3.3871328727963666080",
    "5226.4952788528545610 28729.085735721942674 39307.895800092710610 21213.794301586595867 "
    "5394.1960214247511077 687.18700749205790830 42.313330701600911252 1",
)
_TAIL = (
    "7.74545014278341407640e-4 0.0227238449892691845833 0.241780725177450611770 "
    "1.27045825245236838258 3.64784832476320460504 5.76949722146069140550 "
    "4.63033784615654529590 1.42343711074968357734",
    "1.05075007164441684324e-9 5.47593808499534494600e-4 0.0151986665636164571966 "
    "0.148103976427480074590 0.689767334985100004550 1.67638483018380384940 "
    "2.05319162663775882187 1",
)
"""Numerator and denominator, from the highest power down; the tail down to 1e-11."""


def prepared(graph: Graph, features: str, pipeline: Pipeline) -> str:
    """Return the selected features after scaling, (n, selected), of features (n, m)."""
    scale, select = (step for _, step in pipeline.steps)
    write = _ranked if isinstance(scale, QuantileTransformer) else _standard
    return graph.op(
        "Gather", write(graph, features, scale), np.flatnonzero(select.get_support()), axis=1
    )


def _standard(graph: Graph, features: str, scaler: StandardScaler) -> str:
    deviation = graph.op("Sub", graph.cast(features, np.float64), scaler.mean_)
    return graph.cast(graph.op("Div", deviation, scaler.scale_), np.float32)


def _ranked(graph: Graph, features: str, scaler: QuantileTransformer) -> str:
    """Return each value's place among training's quantiles, as a normal distribution has it.

    Between two quantiles the place rises evenly; at several equal ones it is their middle.
    """
    quantiles, places = scaler.quantiles_.T, scaler.references_
    width = np.diff(quantiles)
    is_step = width == 0
    slope = np.where(is_step, 0, 1 / np.where(is_step, 1, width))
    values = graph.op("Unsqueeze", graph.cast(features, np.float64), axes(2))
    beyond = graph.op("Sub", values, quantiles[:, :-1])
    ramp = graph.op("Clip", graph.op("Mul", beyond, slope), np.float64(0), np.float64(1))
    side = graph.op("Add", graph.op("Sign", beyond), np.float64(1))
    step = graph.op("Mul", side, np.where(is_step, 0.5, 0))
    rise = np.diff(places)[:, np.newaxis]
    place = graph.op("MatMul", graph.op("Add", ramp, step), rise)
    place = graph.op("Squeeze", place, axes(2))
    for kind, sign, bound, extreme in (
        ("Greater", 1, quantiles[:, -1], 1.0),
        ("Less", -1, quantiles[:, 0], 0.0),
    ):
        nearly = graph.op("Add", features, np.float32(sign * _BOUND))
        is_beyond = graph.op(kind, graph.cast(nearly, np.float64), bound)
        place = graph.op("Where", is_beyond, np.float64(extreme), place)
    # scikit-learn keeps the places in single precision.
    place = graph.cast(graph.cast(place, np.float32), np.float64)
    least = np.float64(_BOUND - np.spacing(1))
    return graph.cast(_normal(graph, graph.op("Clip", place, least, 1 - least)), np.float32)


def _normal(graph: Graph, share: str) -> str:
    """Return the value below which that share of a normal distribution lies."""
    half = graph.op("Sub", share, np.float64(0.5))
    squared = graph.op("Sub", np.float64(0.180625), graph.op("Mul", half, half))
    centre = graph.op("Mul", half, _ratio(graph, squared, _CENTRE))
    outer = graph.op("Min", share, graph.op("Sub", np.float64(1), share))
    root = graph.op("Sqrt", graph.op("Neg", graph.op("Log", outer)))
    tail = _ratio(graph, graph.op("Sub", root, np.float64(1.6)), _TAIL)
    tail = graph.op("Mul", graph.op("Sign", half), tail)
    is_centre = graph.op("LessOrEqual", graph.op("Abs", half), np.float64(0.425))
    return graph.op("Where", is_centre, centre, tail)


def _ratio(graph: Graph, value: str, of: tuple[str, str]) -> str:
    numerator, denominator = (_polynomial(graph, value, coefficients) for coefficients in of)
    return graph.op("Div", numerator, denominator)


def _polynomial(graph: Graph, value: str, coefficients: str) -> str:
    highest, *others = map(np.float64, coefficients.split())
    total = graph.op("Mul", value, highest)
    for coefficient in others[:-1]:
        total = graph.op("Mul", graph.op("Add", total, coefficient), value)
    return graph.op("Add", total, others[-1])
