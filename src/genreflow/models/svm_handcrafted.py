"""`svm_handcrafted`: scaler, feature selection and a support vector machine, by grid search.

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

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from genreflow.features.rows import Floats
from genreflow.models import archive, grid, runtime
from genreflow.models.base import Examples, FitResult, Model
from genreflow.models.reading import reading
from genreflow.models.temperature import temperature_of
from genreflow.registry.entry import GRID
from genreflow.registry.svm_handcrafted import Kernel, SvmHandcraftedSection

_SLOPE = 2.0
"""How fast a pair's vote rises with its margin: full (0.96) at the support vectors."""


class SvmHandcrafted(Model[SvmHandcraftedSection]):
    """A kernel machine, and the temperature of its votes."""

    classifier: Pipeline
    temperature: float

    def fit(self, train: Examples, valid: Examples) -> FitResult:
        """Search the grid on `train` and fit the best candidate; `valid` sets the temperature."""
        values, label = grid.read(train)
        weight = grid.class_weights(train, self.params)
        candidates: dict[str, Sequence[Any]] = {
            "kernel": self.params.kernel,
            "C": self.params.C,
            "gamma": [scale / values.shape[1] for scale in self.params.gamma_scale],
        }
        with grid.one_thread():
            best, table = grid.search(SVC(), candidates, train, weight, self.params)
            settings = {name: v for name, v in best.items() if name != "selected_fraction"}
            prepare = grid.preparation(self.params.scaling, best["selected_fraction"])
            machine = SVC(**settings, decision_function_shape="ovo")
            self.classifier = Pipeline([*prepare.steps, ("classify", machine)])
            self.classifier.fit(values, label, **grid.sample_weight(weight))
            unseen, known = grid.read(valid)
            self.temperature = temperature_of(
                grid.as_float(self._votes(unseen)), known, valid.weight(self.params.class_weight)
            )
        size = machine.support_vectors_.size + machine.dual_coef_.size + machine.intercept_.size
        return FitResult(
            int(size), {GRID: table}, best | {"temperature": round(self.temperature, 6)}
        )

    def _votes(self, values: Floats) -> npt.NDArray[np.float64]:
        """Return the sum of each genre's votes against all others, (n, n_genres)."""
        n_genres = len(self.signature.genres)
        margins = self.classifier.decision_function(values).reshape(len(values), -1)
        # A single pair's margin is positive for the second genre, those of several for the first.
        if n_genres == 2:
            margins = -margins
        soft = np.tanh(_SLOPE * margins)
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
        saved = {"classifier": self.classifier, "temperature": self.temperature}
        archive.save_skops(saved, *self.paths(folder))

    def load(self, folder: Path) -> None:
        """Read ``model.skops``."""
        (path,) = self.paths(folder)
        saved = archive.load_skops(path, grid.TRUSTED)
        (n_features,) = self.signature.shape
        with reading(path):
            self.classifier = grid.checked_pipeline(saved["classifier"], n_features, SVC)
            self.temperature = float(saved["temperature"])
            n_selected = int(self.classifier["select"].get_support().sum())
            check_machine(self.classifier["classify"], n_selected, len(self.signature.genres))


def check_machine(machine: SVC, n_features: int, n_genres: int) -> None:
    """Check the arrays that libsvm, which is C, follows without looking.

    Raises
    ------
    ValueError
        One of them has another size than the others ask for.
    """
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
