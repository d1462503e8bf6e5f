"""Scaler, selection, whitening and a support vector machine on whole tracks, by grid search.

It is `svm_handcrafted`, `svm_embedding` and `svm_fusion`.

The machine separates each pair of genres. A pair's margin votes softly for one of the two, so that
near its boundary it counts little and beyond the support vectors fully; one temperature, fitted on
the validation tracks, turns the sums of these votes into probabilities. On real music (15 folds,
artists together or not) that is as accurate as the machine's own count of whole votes, which gives
coarse probabilities, and better calibrated than a sigmoid for each genre (docs/results.md).

References
----------
T.-F. Wu, C.-J. Lin, R. C. Weng, "Probability estimates for multi-class classification by pairwise
coupling", JMLR 5, 2004 (the votes of pairs, and what has been made of them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from genreflow.features.rows import Floats
from genreflow.models import archive, grid, runtime
from genreflow.models.base import Examples, FitResult, Model
from genreflow.models.choosing import Choices, commonest, mean_temperature
from genreflow.models.reading import reading
from genreflow.models.temperature import temperature_of
from genreflow.models.whitening import WithinClassWhitening
from genreflow.registry.entry import GRID
from genreflow.registry.svm_tracks import Kernel, SvmTracksSection

SLOPE = 2.0
"""How fast a pair's vote rises with its margin: full (0.96) at the support vectors."""


class TrackSvm(Model[SvmTracksSection]):
    """A kernel machine on whitened features, and the temperature of its votes."""

    prepare: Pipeline
    whitening: npt.NDArray[np.float64]
    """(selected features, selected features)"""
    machine: SVC
    temperature: float

    def fit(self, train: Examples, valid: Examples) -> FitResult:
        """Search the grid on `train` and fit the best candidate; `valid` sets the temperature."""
        p = self.params
        weight = grid.class_weights(train, p)
        candidates: dict[str, Sequence[Any]] = {
            "whiten__shrinkage": p.shrinkage,
            "classify__kernel": p.kernel,
            "classify__C": p.C,
            "classify__gamma": [scale / self.signature.shape[0] for scale in p.gamma_scale],
        }
        steps = [("whiten", WithinClassWhitening()), ("classify", SVC())]
        with grid.one_thread():
            best, table = grid.search(steps, candidates, train, weight, p)
            self._fit(train, best)
            unseen, known = grid.read(valid)
            self.temperature = temperature_of(
                grid.as_float(self._votes(unseen)), known, valid.weight(p.class_weight)
            )
        return self._result(best, {GRID: table})

    def refit(self, train: Examples, choices: Choices) -> FitResult:
        """Fit the candidate that most folds chose."""
        best = commonest(choices)
        with grid.one_thread():
            self._fit(train, best)
        self.temperature = mean_temperature(choices)
        return self._result(best, {})

    def _fit(self, train: Examples, best: Mapping[str, Any]) -> None:
        values, label = grid.read(train)
        whiten = WithinClassWhitening(best["shrinkage"])
        self.machine = SVC(
            # A track and its copies have the say of one: candidates were judged without copies.
            C=best["C"] * (train.copy == 0).mean(),
            kernel=best["kernel"],
            gamma=best["gamma"],
            decision_function_shape="ovo",
        )
        self.prepare = grid.preparation(self.params.scaling, best["selected_fraction"])
        steps = [*self.prepare.steps, ("whiten", whiten), ("classify", self.machine)]
        weight = grid.class_weights(train, self.params)
        Pipeline(steps).fit(values, label, **grid.sample_weight(weight))
        self.whitening = whiten.matrix_

    def _result(self, best: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> FitResult:
        machine = self.machine
        size = machine.support_vectors_.size + machine.dual_coef_.size + machine.intercept_.size
        found = {**best, "temperature": round(self.temperature, 6)}
        return FitResult(int(size + self.whitening.size), tables, found)

    def _votes(self, values: Floats) -> npt.NDArray[np.float64]:
        """Return the sum of each genre's votes against all others, (n, n_genres)."""
        n_genres = len(self.signature.genres)
        whitened = self.prepare.transform(values) @ self.whitening
        margins = self.machine.decision_function(whitened).reshape(len(values), -1)
        # A single pair's margin is positive for the second genre, those of several for the first.
        if n_genres == 2:
            margins = -margins
        soft = np.tanh(SLOPE * margins)
        first, second = np.triu_indices(n_genres, 1)
        votes = np.zeros((len(values), n_genres))
        np.add.at(votes.T, first, soft.T)
        np.subtract.at(votes.T, second, soft.T)
        return votes

    def predict_proba(self, values: Floats) -> Floats:
        """Return probabilities, (n, n_genres)."""
        with runtime.limited(self.params.threads):
            return grid.as_float(softmax(self._votes(values) / self.temperature, axis=1))

    def save(self, folder: Path) -> None:
        """Write ``model.skops``."""
        saved = {
            "prepare": self.prepare,
            "whitening": self.whitening,
            "machine": self.machine,
            "temperature": self.temperature,
        }
        archive.save_skops(saved, *self.paths(folder))

    def load(self, folder: Path) -> None:
        """Read ``model.skops``."""
        (path,) = self.paths(folder)
        saved = archive.load_skops(path, grid.TRUSTED)
        (n_features,) = self.signature.shape
        with reading(path):
            self.prepare = grid.checked_preparation(saved["prepare"], n_features)
            n_selected = int(self.prepare["select"].get_support().sum())
            self.whitening = _checked_whitening(saved["whitening"], n_selected)
            self.machine = checked_machine(saved["machine"], n_selected, len(self.signature.genres))
            self.temperature = float(saved["temperature"])


def _checked_whitening(matrix: Any, n_features: int) -> npt.NDArray[np.float64]:
    if type(matrix) is not np.ndarray or matrix.dtype != np.float64:
        raise ValueError("whitening isn't an array of double precision")
    if matrix.shape != (n_features, n_features):
        raise ValueError(f"whitening is {matrix.shape}, but {n_features} features are selected")
    return matrix


def checked_machine(machine: Any, n_features: int, n_genres: int) -> SVC:
    """Return a machine whose arrays libsvm, which is C, may follow without looking.

    Raises
    ------
    ValueError
        It is something else, or one of them has another size than the others ask for.
    """
    if type(machine) is not SVC:
        raise ValueError("consists of other steps than those of this model")
    n_vectors, n_pairs = len(machine.support_), n_genres * (n_genres - 1) // 2
    expected: dict[str, tuple[int, ...]] = {
        "support_": (n_vectors,),
        "support_vectors_": (n_vectors, n_features),
        "_n_support": (n_genres,),
        "dual_coef_": (n_genres - 1, n_vectors),
        "_dual_coef_": (n_genres - 1, n_vectors),
        "intercept_": (n_pairs,),
        "_intercept_": (n_pairs,),
        "_probA": (0,),
        "_probB": (0,),
        "classes_": (n_genres,),
    }
    for name, shape in expected.items():
        array = getattr(machine, name)
        if type(array) is not np.ndarray or array.shape != shape or array.dtype.hasobject:
            raise ValueError(f"{name} isn't an array of the shape {shape}")
    counts = machine._n_support
    if (counts < 0).any() or counts.sum() != n_vectors:
        raise ValueError("_n_support doesn't count its support vectors")
    if machine.kernel not in get_args(Kernel) or machine._sparse:
        raise ValueError("is another kind of machine than this model's")
    return machine
