"""`mlp_embedding`: one hidden layer on frozen embeddings of whole tracks.

References
----------
R. Yuan et al., "MARBLE: music audio representation benchmark for universal evaluation", NeurIPS
2023 (the probe: mean over time, one hidden layer of 512 units, dropout of 0.25).
"""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from genreflow.features.rows import Floats, Integers
from genreflow.models import runtime
from genreflow.models.base import Examples
from genreflow.models.neural.network import OUTPUT, KerasNetwork, learning_rate
from genreflow.registry.mlp_embedding import MlpEmbeddingSection

log = logging.getLogger(__name__)


class MlpEmbedding(KerasNetwork[MlpEmbeddingSection]):
    """Standardisation, a hidden layer, a layer of genres."""

    def train(self, train: Examples, valid: Examples | None) -> pd.DataFrame:
        """Train on all tracks at once; see :class:`KerasNetwork`."""
        p = self.params
        runtime.configure_keras(p.threads, p.seed)
        values, seen = _read(train), self._one_hot(train.label)
        weight = train.weight(p.class_weight)
        unseen = valid and (
            _read(valid),
            self._one_hot(valid.label),
            valid.weight(p.class_weight),
        )
        self.network = self._build(StandardScaler().fit(values))
        steps = -(-len(values) // p.batch_size)
        schedule = learning_rate(p.learning_rate, p.epochs * steps)
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=p.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        optimizer.build(self.network.trainable_variables)
        self.network.compile(
            optimizer,
            keras.losses.CategoricalCrossentropy(label_smoothing=p.label_smoothing),
            weighted_metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
            jit_compile=runtime.compiled(),
        )
        rng = np.random.default_rng(p.seed)
        rows = []
        for epoch in range(p.epochs):
            # Keras's own shuffling differs between backends.
            order = rng.permutation(len(values))
            history = self.network.fit(
                values[order],
                seen[order],
                sample_weight=weight[order],
                batch_size=p.batch_size,
                validation_data=unseen,
                shuffle=False,
                verbose=0,
            ).history
            last = keras.ops.convert_to_numpy(schedule((epoch + 1) * steps - 1))
            found = {name: losses[0] for name, losses in history.items()}
            rows.append({"epoch": epoch + 1, **found, "learning_rate": float(last)})
        log.info("%s", ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
        return pd.DataFrame(rows)

    def _build(self, scaler: StandardScaler) -> Any:
        p = self.params
        inputs = keras.Input(self.signature.shape, name="embedding")
        standardise = keras.layers.Normalization(
            mean=scaler.mean_.tolist(), variance=(scaler.scale_**2).tolist(), name="standardise"
        )
        features = keras.layers.Dropout(p.dropout, seed=p.seed)(standardise(inputs))
        features = keras.layers.Dense(p.units, activation="relu")(features)
        features = keras.layers.Dropout(p.dropout, seed=p.seed + 1)(features)
        outputs = keras.layers.Dense(len(self.signature.genres), activation="softmax", name=OUTPUT)(
            features
        )
        return keras.Model(inputs, outputs, name=self.signature.model)

    def _one_hot(self, label: Integers) -> Floats:
        return np.eye(len(self.signature.genres), dtype=np.float32)[label]


def _read(examples: Examples) -> Floats:
    return examples.read(np.arange(len(examples)))
