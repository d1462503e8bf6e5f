"""`svm_mel`: a linear support vector machine on mel windows, in the space of an RBF kernel.

A kernel machine on GTZAN's 27,000 windows needs a matrix of 729 million kernel values for each of
its 45 pairs of genres, and doesn't finish. Here, each window is described by statistics of its
bands, standardised and projected onto the leading principal components; its kernel with some of the
training windows, the landmarks, stands for the kernel with all of them, and there a linear machine
separates each genre from the others. One temperature, fitted on the validation windows, turns its
margins into probabilities.

References
----------
C. Williams, M. Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000.
R.-E. Fan et al., "LIBLINEAR: a library for large linear classification", JMLR 9, 2008.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from genreflow.features.rows import Floats
from genreflow.models import archive, runtime
from genreflow.models.base import Examples, FitResult, Model, ModelFileError
from genreflow.models.choosing import Choices, mean_temperature
from genreflow.models.reading import REMEDY, reading
from genreflow.models.statistics import count_statistics, describe
from genreflow.models.temperature import temperature_of
from genreflow.registry.svm_mel import SvmMelSection

MOST_WINDOWS = 30_000
"""Windows that the machine is fitted to; 120 MB with 500 landmarks, whatever the corpus."""

PROJECTION_WINDOWS = 4096
"""Windows that scale, components and landmarks are found on."""

Doubles = npt.NDArray[np.float64]
_ARRAYS = ("projection", "offset", "landmarks", "gamma", "weights", "intercept")


class SvmMel(Model[SvmMelSection]):
    """A projection, landmarks, and one vector of weights per genre."""

    arrays: dict[str, Doubles]
    """By their names in the file.

    projection (statistics, components) and offset (components,): scaling and principal components
    in one; landmarks (landmarks, components); gamma (): the width of the kernel; weights
    (landmarks, genres) and intercept (genres,).
    """

    def fit(self, train: Examples, valid: Examples) -> FitResult:
        """Fit on evenly spaced training windows; `valid` sets the temperature alone."""
        with runtime.limited(self.params.threads):
            spread = train.spread(self.params.windows_per_track)
            return self._fit(_some(spread, MOST_WINDOWS), valid)

    def refit(self, train: Examples, choices: Choices) -> FitResult:
        """Fit on evenly spaced windows of all tracks."""
        with runtime.limited(self.params.threads):
            self._separate(_some(train.spread(self.params.windows_per_track), MOST_WINDOWS))
            return self._at(mean_temperature(choices))

    def _fit(self, train: Examples, valid: Examples) -> FitResult:
        self._separate(train)
        spread = valid.spread(self.params.windows_per_track)
        margins = np.concatenate([self._margins(x) for x in spread.batches()])
        weight = spread.weight(self.params.class_weight)
        return self._at(temperature_of(margins, spread.label, weight))

    def _at(self, temperature: float) -> FitResult:
        """Divide the margins by `temperature`."""
        for name in ("weights", "intercept"):
            self.arrays[name] = self.arrays[name] / temperature
        n_components = len(self.arrays["offset"])
        best = {"n_components": n_components, "temperature": round(temperature, 6)}
        return FitResult(sum(array.size for array in self.arrays.values()), best=best)

    def _separate(self, train: Examples) -> None:
        p = self.params
        subset = _described(_some(train, PROJECTION_WINDOWS))
        scaler = StandardScaler().fit(subset)
        n_components = min(p.n_components, *subset.shape)
        components = PCA(n_components, svd_solver="randomized", random_state=p.seed)
        components.fit(scaler.transform(subset))
        projection = (components.components_ / scaler.scale_).T
        offset = -(scaler.mean_ @ projection + components.mean_ @ components.components_.T)
        projected = subset @ projection + offset
        gamma = p.gamma_scale / max(float(projected.var(axis=0).sum()), 1e-6)
        n_landmarks = min(p.n_landmarks, len(projected))
        kernel = Nystroem(gamma=gamma, n_components=n_landmarks, random_state=p.seed)
        kernel.fit(projected)
        similar = kernel.transform(_described(train) @ projection + offset)
        machine = LinearSVC(C=p.C, dual=False, random_state=p.seed)
        machine.fit(similar, train.label, sample_weight=train.weight(p.class_weight))
        per_genre, intercept = _per_genre(machine, len(self.signature.genres))
        self.arrays = {
            "projection": projection,
            "offset": offset,
            "landmarks": kernel.components_,
            "gamma": np.array(gamma),
            "weights": kernel.normalization_.T @ per_genre,
            "intercept": intercept,
        }

    def _margins(self, values: Floats) -> Floats:
        arrays = self.arrays
        projected = describe(values) @ arrays["projection"] + arrays["offset"]
        similar = rbf_kernel(projected, arrays["landmarks"], gamma=float(arrays["gamma"]))
        margins: Floats = (similar @ arrays["weights"] + arrays["intercept"]).astype(np.float32)
        return margins

    def predict_proba(self, values: Floats) -> Floats:
        """Return probabilities, (n, n_genres)."""
        with runtime.limited(self.params.threads):
            probabilities: Floats = softmax(self._margins(values), axis=1)
            return probabilities

    def save(self, folder: Path) -> None:
        """Write ``model.skops``."""
        archive.save_skops(self.arrays, *self.paths(folder))

    def load(self, folder: Path) -> None:
        """Read ``model.skops``."""
        (path,) = self.paths(folder)
        arrays = archive.load_skops(path)
        with reading(path):
            found = {name: arrays[name].shape for name in _ARRAYS}
            n_components, n_landmarks = len(arrays["offset"]), len(arrays["landmarks"])
            n_genres = len(self.signature.genres)
            expected = {
                "projection": (count_statistics(self.signature.shape), n_components),
                "offset": (n_components,),
                "landmarks": (n_landmarks, n_components),
                "gamma": (),
                "weights": (n_landmarks, n_genres),
                "intercept": (n_genres,),
            }
            if found != expected or any(arrays[name].dtype != np.float64 for name in expected):
                raise ModelFileError(
                    f"{path}: arrays have the shapes {found}, but model.json asks for {expected}; "
                    f"{REMEDY}"
                )
        self.arrays = {name: arrays[name] for name in expected}


def _some(examples: Examples, most: int) -> Examples:
    """Return at most so many examples, evenly spaced."""
    n = len(examples)
    return examples.take(np.linspace(0, n - 1, min(most, n)).astype(np.int64))


def _described(examples: Examples) -> Floats:
    return np.concatenate([describe(values) for values in examples.batches()])


def _per_genre(machine: LinearSVC, n_genres: int) -> tuple[Doubles, Doubles]:
    """Return weights (landmarks, genres) and intercepts; two genres share one machine."""
    coefficients, intercept = machine.coef_.T, machine.intercept_
    if n_genres == 2:
        coefficients = np.concatenate([-coefficients, coefficients], axis=1)
        intercept = np.concatenate([-intercept, intercept])
    return coefficients, intercept
