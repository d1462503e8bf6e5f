"""`resnet50`: keras.applications' ResNet50 on small images of the windows.

References
----------
K. He et al., "Deep residual learning for image recognition", CVPR 2016.
P. Goyal et al., "Accurate, large minibatch SGD", 2017 (residual branches that start at zero).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from genreflow.errors import GenreflowError
from genreflow.models.neural.network import BATCH_NORM_MOMENTUM, KerasModel
from genreflow.registry.resnet50 import Resnet50Section

_IMAGENET_SPREAD = 58.0
"""Standard deviation of ImageNet's pixels, which pre-trained weights expect."""


class WeightsError(GenreflowError):
    """Pre-trained weights can't be had."""


class Resnet50(KerasModel[Resnet50Section]):
    """Fifty layers, from scratch or pre-trained on photographs."""

    def body(self, inputs: Any) -> Any:
        """Return (batch, 2048)."""
        weights = self.params.weights
        size = (self.params.input_frames, self.params.input_bands)
        pool = [
            max(1, there // wanted) for there, wanted in zip(inputs.shape[1:3], size, strict=True)
        ]
        features = keras.layers.AveragePooling2D(pool)(inputs)
        if features.shape[1:3] != size:
            features = keras.layers.Resizing(*size)(features)
        if weights:
            features = keras.layers.Rescaling(_IMAGENET_SPREAD)(features)
        image = keras.layers.Concatenate()([features, features, features])
        try:
            residual = keras.applications.ResNet50(
                include_top=False, weights=weights, input_tensor=image, pooling="avg"
            )
        except Exception as error:
            # Keras passes on whatever its download, or the file, ran into.
            if not weights:
                raise
            reason = " ".join(str(error).split())
            remedy = (
                "connect to the internet once, or name a file of them"
                if weights == "imagenet"
                else "name a file that Keras wrote of ResNet50 without its top, or imagenet"
            )
            raise WeightsError(
                f"models.resnet50.weights: {weights} can't be had ({reason}); "
                f"{remedy}, or set it to null to train from scratch"
            ) from None
        for layer in residual.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = BATCH_NORM_MOMENTUM
                if not weights and layer.name.endswith("_3_bn"):
                    layer.gamma.assign(np.zeros(layer.gamma.shape, dtype=np.float32))
        return residual.output
