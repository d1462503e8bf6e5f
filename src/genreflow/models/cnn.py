"""`cnn`: five convolutions and a dense layer."""

from __future__ import annotations

from typing import Any

import keras

from genreflow.models.neural.network import KerasModel, normalise_batch
from genreflow.registry.cnn import CnnSection


class Cnn(KerasModel[CnnSection]):
    """Convolution, batch normalisation, ReLU, pooling, five times; then a mean over the map."""

    def body(self, inputs: Any) -> Any:
        """Return (batch, filters of the last convolution)."""
        features = inputs
        if self.params.input_pool > 1:
            features = keras.layers.AveragePooling2D(self.params.input_pool)(features)
        for filters in self.params.filters:
            features = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(features)
            features = keras.layers.ReLU()(normalise_batch(features))
            pool = [2 if size >= 4 else 1 for size in features.shape[1:3]]
            features = keras.layers.MaxPooling2D(pool)(features)
        return keras.layers.GlobalAveragePooling2D()(features)
