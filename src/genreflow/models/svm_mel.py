"""`svm_mel`: a linear support vector machine on standardised mel windows.

A kernel machine on GTZAN's 27,000 windows of 16,512 values needs a matrix of 729 million kernel
values for each of its 45 pairs of genres, and doesn't finish. The formulation here is linear from
end to end and takes seconds: standardise each mel bin, project onto the leading principal
components (which hold what a regularised linear machine would use anyway: directions of little
variance get little weight), separate each genre from the others, and scale the margins into
probabilities by one temperature, fitted on the validation windows. All of that folds into one
matrix, which is what is saved.

References
----------
R.-E. Fan et al., "LIBLINEAR: a library for large linear classification", JMLR 9, 2008.
N. Halko, P. Martinsson, J. Tropp, "Finding structure with randomness", SIAM Review 53, 2011.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import softmax
from sklearn.svm import LinearSVC
from sklearn.utils.extmath import randomized_svd

from genreflow.features.rows import Floats
from genreflow.models import archive, runtime
from genreflow.models.base import Examples, FitResult, Model, ModelFileError
from genreflow.models.moments import moments
from genreflow.models.reading import REMEDY, reading
from genreflow.models.temperature import temperature_of
from genreflow.registry.svm_mel import SvmMelSection

PCA_WINDOWS = 4096
"""Windows that the components are found on; 270 MB, whatever the size of the corpus."""


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of every mel bin, both (values of a window,)."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, examples: Examples) -> Scaler:
        """Measure `examples`, which are read in batches."""
        mean, variance = moments(examples, collapse=lambda values: values.reshape(len(values), -1))
        # A bin that never changes tells nothing; one that hardly does must not be blown up.
        deviation = np.maximum(np.sqrt(np.maximum(variance, 0)), 1.0)
        return cls(mean.astype(np.float32), deviation.astype(np.float32))

    def apply(self, values: Floats) -> Floats:
        """Standardise windows (n, time, frequency, 1) and flatten them: (n, values)."""
        scaled: Floats = (values.reshape(len(values), -1) - self.mean) / self.deviation
        return scaled


class SvmMel(Model[SvmMelSection]):
    """One vector of weights per genre."""

    coefficients: Floats
    """(values of a window, genres)"""
    intercept: Floats
    """(genres,)"""

    def fit(self, train: Examples, valid: Examples) -> FitResult:
        """Fit on evenly spaced training windows; `valid` sets the temperature alone."""
        with runtime.limited(self.params.threads):
            return self._fit(train.spread(self.params.windows_per_track), valid)

    def _fit(self, train: Examples, valid: Examples) -> FitResult:
        scaler = Scaler.of(train)
        subset = np.linspace(0, len(train) - 1, min(PCA_WINDOWS, len(train))).astype(np.int64)
        n_components = min(self.params.n_components, len(subset))
        _, _, components = randomized_svd(
            scaler.apply(train.read(subset)), n_components, random_state=self.params.seed
        )
        scores = np.concatenate([scaler.apply(x) @ components.T for x in train.batches()])
        # One scale for all components: the spread of the first. C then means the same for
        # windows of any size.
        scale = float(scores.std(axis=0)[0])
        machine = LinearSVC(C=self.params.C, dual=False, random_state=self.params.seed)
        machine.fit(
            scores / scale, train.label, sample_weight=train.weight(self.params.class_weight)
        )
        per_genre, intercept = _per_genre(machine, len(self.signature.genres))
        weights = components.T @ per_genre / scale
        self.coefficients = (weights / scaler.deviation[:, np.newaxis]).astype(np.float32)
        self.intercept = (intercept - scaler.mean @ self.coefficients).astype(np.float32)
        spread = valid.spread(self.params.windows_per_track)
        margins = np.concatenate([self._margins(x) for x in spread.batches()])
        temperature = temperature_of(margins, spread.label, spread.weight(self.params.class_weight))
        self.coefficients /= np.float32(temperature)
        self.intercept /= np.float32(temperature)
        best = {"n_components": n_components, "temperature": round(temperature, 6)}
        return FitResult(self.coefficients.size + self.intercept.size, best=best)

    def _margins(self, values: Floats) -> Floats:
        margins: Floats = values.reshape(len(values), -1) @ self.coefficients + self.intercept
        return margins

    def predict_proba(self, values: Floats) -> Floats:
        """Return probabilities, (n, n_genres)."""
        with runtime.limited(self.params.threads):
            probabilities: Floats = softmax(self._margins(values), axis=1)
            return probabilities.astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write ``model.skops``."""
        arrays = {"coefficients": self.coefficients, "intercept": self.intercept}
        archive.save_skops(arrays, *self.paths(folder))

    def load(self, folder: Path) -> None:
        """Read ``model.skops``."""
        (path,) = self.paths(folder)
        arrays = archive.load_skops(path)
        n_values, n_genres = math.prod(self.signature.shape), len(self.signature.genres)
        expected = {"coefficients": (n_values, n_genres), "intercept": (n_genres,)}
        with reading(path):
            found = {name: arrays[name].shape for name in expected}
            if found != expected or any(arrays[name].dtype != np.float32 for name in expected):
                raise ModelFileError(
                    f"{path}: weights have the shapes {found}, but model.json asks for {expected}; "
                    f"{REMEDY}"
                )
        self.coefficients, self.intercept = arrays["coefficients"], arrays["intercept"]


def _per_genre(machine: LinearSVC, n_genres: int) -> tuple[Floats, Floats]:
    """Return weights (components, genres) and intercepts; two genres share one machine."""
    coefficients, intercept = machine.coef_.T, machine.intercept_
    if n_genres == 2:
        coefficients = np.concatenate([-coefficients, coefficients], axis=1)
        intercept = np.concatenate([-intercept, intercept])
    return coefficients, intercept
