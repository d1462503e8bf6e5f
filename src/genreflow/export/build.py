"""A classifier as one ONNX graph: from samples, or from features, to probabilities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

import genreflow
from genreflow import registry
from genreflow.export.error import ExportError
from genreflow.export.graph import Graph, Value, axes
from genreflow.export.windows import mel_windows
from genreflow.models.pooling import FLOOR as POOL_FLOOR
from genreflow.models.temperature import FLOOR
from genreflow.prediction.classifier import Classifier
from genreflow.prediction.voter import Voter
from genreflow.registry import mel

if TYPE_CHECKING:
    from onnx import ModelProto

SAMPLES, FEATURES, PROBABILITIES, WINDOWS = "samples", "features", "probabilities", "windows"
"""Names of inputs and outputs."""

_WRITERS = {
    "genreflow.models.svm_mel:SvmMel": "genreflow.export.machines:of_windows",
    "genreflow.models.xgb_mel:XgbMel": "genreflow.export.forest:of_windows",
    "genreflow.models.svm_tracks:TrackSvm": "genreflow.export.machines:of_tracks",
    "genreflow.models.xgb_handcrafted:XgbHandcrafted": "genreflow.export.forest:of_tracks",
    "genreflow.models.neural.network:KerasNetwork": "genreflow.export.layers:of_network",
}
"""What writes a class of models, and all derived from it. Names, so that none is imported in vain.

Each is called with the graph, the values that the model reads, and the model.
"""


def build(classifier: Classifier) -> ModelProto:
    """Return the graph of a classifier.

    Models that read mel windows make the graph hear ``samples``, (n,); the others make it read
    ``features``, (rows, n_features). Both are inputs of an ensemble of both. The output
    ``probabilities`` is (genres,) where there are samples alone, else (rows, genres); of one model
    that hears, ``windows`` is what it says of each of them, (windows, genres).

    Raises
    ------
    ExportError
        A model, or a layer of a network, has no counterpart.
    """
    graph = Graph()
    hears = [_hears(voter) for voter in classifier.voters]
    n_genres = len(classifier.classes_)
    samples = graph.input(SAMPLES, ["n"]) if any(hears) else ""
    names = _feature_names(classifier.voters)
    rows: int | str = 1 if samples else "rows"
    features = graph.input(FEATURES, [rows, len(names)]) if names else ""
    seen: dict[mel.Mel, str] = {}
    said = []
    for voter, hearing in zip(classifier.voters, hears, strict=True):
        if hearing:
            windows = _heard(graph, samples, voter, seen)
            of_each = _written(graph, windows, voter)
            said.append(graph.op("ReduceMean", of_each, axes(0)))
            if len(hears) == 1:
                graph.output(WINDOWS, of_each, [WINDOWS, n_genres])
        else:
            said.append(_written(graph, _chosen(graph, features, voter, names), voter))
    probabilities = _calibrated(graph, _joined(graph, said, classifier), classifier)
    if features:
        graph.output(PROBABILITIES, probabilities, [rows, n_genres])
    else:
        graph.output(PROBABILITIES, graph.reshape(probabilities, -1), [n_genres])
    return graph.model(_about(classifier, names))


def _hears(voter: Voter) -> bool:
    return registry.entry(voter.metadata.signature.model).reads == (mel.KIND.name,)


def _heard(graph: Graph, samples: str, voter: Voter, seen: dict[mel.Mel, str]) -> str:
    """Return the windows that a model sees; several models may see the same."""
    section = voter.metadata.read_section(mel.KIND.section, mel.Mel)
    for other, windows in seen.items():
        if other == section:
            return windows
    seen[section] = mel_windows(graph, samples, voter.audio.sample_rate, section)
    return seen[section]


def _feature_names(voters: Sequence[Voter]) -> tuple[str, ...]:
    """Return the names of the features of all models, each once."""
    return tuple(dict.fromkeys(n for v in voters for n in v.metadata.signature.feature_names))


def _chosen(graph: Graph, features: str, voter: Voter, names: tuple[str, ...]) -> str:
    """Return those of the features that a model reads, in its order."""
    wanted = voter.metadata.signature.feature_names
    if wanted == names:
        return features
    position = {name: i for i, name in enumerate(names)}
    return graph.op("Gather", features, axes(*(position[name] for name in wanted)), axis=1)


def _written(graph: Graph, values: str, voter: Voter) -> str:
    for kind in type(voter.model).__mro__:
        if found := _WRITERS.get(f"{kind.__module__}:{kind.__qualname__}"):
            module, _, name = found.partition(":")
            write: Any = getattr(import_module(module), name)
            return str(write(graph, values, voter.model))
    raise ExportError(
        f"{voter.metadata.signature.model}: its class {type(voter.model).__name__} can't be "
        f"exported; expected one of {', '.join(name.partition(':')[2] for name in _WRITERS)}"
    )


def _joined(graph: Graph, said: Sequence[str], classifier: Classifier) -> str:
    """Return the members' pool, or their mean, (rows, genres)."""
    if classifier.release.joined != "pool":
        return graph.op("Mean", *said)
    logarithms = [
        graph.op("Mul", _logarithm(graph, one, POOL_FLOOR), np.float32(member.weight))
        for one, member in zip(said, classifier.release.members, strict=True)
    ]
    return graph.op("Softmax", graph.op("Sum", *logarithms), axis=1)


def _calibrated(graph: Graph, probabilities: str, classifier: Classifier) -> str:
    temperature = classifier.release.temperature
    if temperature == 1:
        return probabilities
    divided = graph.op("Div", _logarithm(graph, probabilities, FLOOR), np.float32(temperature))
    return graph.op("Softmax", divided, axis=1)


def _logarithm(graph: Graph, probabilities: Value, floor: float) -> str:
    return graph.op("Log", graph.op("Max", probabilities, np.float32(floor)))


def _about(classifier: Classifier, names: tuple[str, ...]) -> dict[str, str]:
    audio = classifier.voters[0].audio
    return {
        "model": classifier.release.name,
        "genres": json.dumps(classifier.classes_.tolist(), ensure_ascii=False),
        "sample_rate": str(audio.sample_rate),
        "stretch_seconds": f"{classifier.release.stretch_seconds:g}",
        "min_seconds": f"{audio.min_seconds:g}",
        "silence_db": f"{audio.silence_db:g}",
        "feature_names": json.dumps(names, ensure_ascii=False),
        "genreflow_version": genreflow.__version__,
    }
