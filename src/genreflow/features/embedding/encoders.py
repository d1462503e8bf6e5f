"""Encoders by their names: the built-in ones, and those that users bring.

An encoder is read from a file and never trained. None may execute code of its own: weights are
read without pickle, and code from a hub is not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np

from genreflow.errors import GenreflowError
from genreflow.features.embedding.sound import Sound, cut
from genreflow.features.rows import Floats
from genreflow.registry.embedding import BUILT_IN, HUB, ONNX, Embedding
from genreflow.threads import limit_tensorflow, without_native_notices

_LARGEST_BATCH = 8
_LEAST = 1e-5


class EncoderError(GenreflowError):
    """An encoder can't be used; the message says which file is wrong or missing, and the remedy."""


class Encoder(Protocol):
    """Makes vectors of sound.

    Attributes
    ----------
    names
        Of the values in a vector.
    """

    names: tuple[str, ...]

    def embed(self, sound: Sound, track_id: str) -> Floats:
        """Return the vectors of a track, (patches, n) float32, at least one.

        Parameters
        ----------
        track_id
            "" where the track isn't one of the corpus.
        """


def open_encoder(name: str, params: Embedding) -> Encoder:
    """Open an encoder of ``features.embedding.encoder``.

    Raises
    ------
    EncoderError
        A file or library of it is missing, or can't be used.
    """
    if name in BUILT_IN:
        return _Tagger(name, params)
    prefix, _, place = name.partition(":")
    if prefix == ONNX:
        from genreflow.features.embedding.onnx import OnnxEncoder

        return OnnxEncoder(Path(place), params)
    if prefix == HUB:
        from genreflow.features.embedding.hub import HubEncoder

        return HubEncoder(place, params)
    from genreflow.features.embedding.table import TableEncoder

    return TableEncoder(Path(place))


class _Tagger:
    """One of the taggers that `make transfer` fetches."""

    def __init__(self, name: str, params: Embedding) -> None:
        with without_native_notices():
            import keras

        from genreflow.features.embedding import musicnn, weights

        path = params.weights_of(name)
        if not path.is_file():
            raise EncoderError(
                f"{path}: the weights of the encoder {name} aren't there; `make transfer` fetches "
                "them, once and with a network"
            )
        if keras.backend.backend() == "tensorflow":
            # A model that is already there, in prediction, has decided.
            with suppress(RuntimeError):
                limit_tensorflow(1)
        self._network = musicnn.build(weights.load(path))
        self._musicnn = musicnn
        self._params = params
        sizes = {layer: self._network.output[layer].shape[-1] for layer in params.layers}
        self.names = tuple(f"{name} {layer} {i}" for layer, n in sizes.items() for i in range(n))

    def embed(self, sound: Sound, track_id: str) -> Floats:  # noqa: ARG002
        """Return the chosen layers of every patch, side by side."""
        patches = sound.once(self._musicnn, self._patches_of(sound))
        parts = []
        for batch in _in_few_sizes(patches):
            found = self._network.predict_on_batch(batch)
            found["tags"] = _log_odds(found["tags"])
            chosen = [found[layer] for layer in self._params.layers]
            parts.append(np.concatenate(chosen, axis=1, dtype=np.float32))
        return np.concatenate(parts)

    def _patches_of(self, sound: Sound) -> Callable[[], Floats]:
        def make() -> Floats:
            levels = self._musicnn.log_mel(sound.at(self._musicnn.SAMPLE_RATE))
            return cut(levels, self._musicnn.PATCH_FRAMES, self._params.overlap)

        return make


def _log_odds(probabilities: Floats) -> Floats:
    """Return what a probability is the logistic function of: unlike it, that is about normal."""
    bounded = np.clip(probabilities, _LEAST, 1 - _LEAST)
    odds: Floats = np.log(bounded / (1 - bounded))
    return odds


def _in_few_sizes(patches: Floats) -> Iterator[Floats]:
    """Yield batches of 8, 4, 2 and 1 patches: a network is traced anew for each size."""
    begin, size = 0, _LARGEST_BATCH
    while begin < len(patches):
        while begin + size > len(patches):
            size //= 2
        yield patches[begin : begin + size]
        begin += size
