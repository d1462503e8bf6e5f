"""Samples of sound, as everything here hears them: mono, 16 bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

FULL_SCALE = 32768
"""An int16 sample divided by this is the amplitude in [-1, 1)."""
