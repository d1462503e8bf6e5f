"""`lstm`: convolutions, and a long short-term memory over what they leave of time.

Convolutions turn neighbouring frames and bands into a few hundred values for each step; the memory
goes over the steps in both directions, and a weighted mean of what it says at each step, with
weights that are learned, is what the classifier sees, beside the maximum.

References
----------
S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997.
K. Choi et al., "Convolutional recurrent neural networks for music classification", ICASSP 2017.
D. Bahdanau et al., "Neural machine translation by jointly learning to align and translate", ICLR
2015 (learned weights over time, here of one query).
"""

from __future__ import annotations

from typing import Any

import keras

from genreflow.models.neural.network import KerasModel, normalise_batch
from genreflow.registry.lstm import LstmSection

_POOLS = ((1, 2), (2, 2), (2, 4))
"""Frames and bands that become one after each convolution."""


class Lstm(KerasModel[LstmSection]):
    """Three convolutions, bidirectional LSTMs, attention over time."""

    def body(self, inputs: Any) -> Any:
        """Return (batch, 4 * units of the last layer): a weighted mean, and the maximum."""
        p = self.params
        features = keras.layers.AveragePooling2D(p.input_pool, padding="same")(inputs)
        for filters, pool in zip(p.filters, _POOLS, strict=True):
            features = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(features)
            features = keras.layers.ReLU()(normalise_batch(features))
            features = keras.layers.MaxPooling2D(pool, padding="same")(features)
        steps, bands, filters = features.shape[1:]
        features = keras.layers.Reshape((steps, bands * filters))(features)
        features = keras.layers.Dropout(p.dropout, seed=p.seed + 1)(features)
        for units in p.units:
            memory = keras.layers.LSTM(units, return_sequences=True)
            features = keras.layers.Bidirectional(memory)(features)
        weight = keras.layers.Softmax(axis=1)(keras.layers.Dense(1)(features))
        mean = keras.layers.Flatten()(keras.layers.Dot(axes=1)([weight, features]))
        return keras.layers.Concatenate()([mean, keras.layers.GlobalMaxPooling1D()(features)])
