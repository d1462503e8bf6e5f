"""What stands before and behind a linear model of mel windows: standardisation, temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from genreflow.models.base import Examples, Floats, Integers


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of every mel bin, both (values of a window,)."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, examples: Examples) -> Scaler:
        """Measure `examples`, which are read in batches."""
        total = squares = np.zeros(1)
        # Levels lie around -30 dB with a spread of 20: sums of squares in double precision
        # lose nothing.
        for values in examples.batches():
            flat = values.reshape(len(values), -1)
            total = total + flat.sum(axis=0, dtype=np.float64)
            squares = squares + np.square(flat).sum(axis=0, dtype=np.float64)
        mean = total / len(examples)
        variance = np.maximum(squares / len(examples) - mean**2, 0)
        # A bin that never changes tells nothing; one that hardly does must not be blown up.
        deviation = np.maximum(np.sqrt(variance), 1.0)
        return cls(mean.astype(np.float32), deviation.astype(np.float32))

    def apply(self, values: Floats) -> Floats:
        """Standardise windows (n, time, frequency, 1) and flatten them: (n, values)."""
        scaled: Floats = (values.reshape(len(values), -1) - self.mean) / self.deviation
        return scaled


def temperature_of(margins: Floats, label: Integers, weight: Floats) -> float:
    """Return what to divide margins by for the least cross-entropy."""

    def loss(log_temperature: float) -> float:
        log_probability = log_softmax(margins / np.exp(log_temperature), axis=1)
        return -float(np.average(log_probability[np.arange(len(label)), label], weights=weight))

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))
