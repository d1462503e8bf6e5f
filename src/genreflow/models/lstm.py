"""`lstm`: long short-term memory over the frames of a window.

References
----------
S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997.
"""

from __future__ import annotations

from typing import Any

import keras

from genreflow.models.neural.network import KerasModel
from genreflow.registry.lstm import LstmSection


class Lstm(KerasModel[LstmSection]):
    """Stacked LSTMs; a step sees all bands of one frame, or of a few averaged frames."""

    def body(self, inputs: Any) -> Any:
        """Return (batch, units of the last layer): its mean over time."""
        time, bands, _ = self.signature.shape
        features = keras.layers.Reshape((time, bands))(inputs)
        if self.params.time_pool > 1:
            features = keras.layers.AveragePooling1D(self.params.time_pool)(features)
        for units in self.params.units:
            features = keras.layers.LSTM(units, return_sequences=True)(features)
        return keras.layers.GlobalAveragePooling1D()(features)
