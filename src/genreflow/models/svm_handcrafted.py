"""`svm_handcrafted`: scaler, feature selection and a support vector machine, by grid search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from genreflow.features.rows import Floats, Integers
from genreflow.models import archive, grid, runtime
from genreflow.models.base import Examples, FitResult, Model
from genreflow.registry.entry import GRID
from genreflow.registry.svm_handcrafted import SvmHandcraftedSection

_TRUSTED = grid.TRUSTED | {
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
}


class SvmHandcrafted(Model[SvmHandcraftedSection]):
    """A kernel machine whose margins are turned into probabilities on inner folds."""

    classifier: CalibratedClassifierCV

    def fit(self, train: Examples, valid: Examples) -> FitResult:
        """Search the grid, and fit the best candidate, on both parts together."""
        data = grid.pooled(train, valid)
        candidates: dict[str, Sequence[Any]] = {
            "kernel": self.params.kernel,
            "C": self.params.C,
            "gamma": [scale / data[0].shape[1] for scale in self.params.gamma_scale],
        }
        with grid.one_thread():
            best, table = grid.search(SVC(), candidates, data, self.params)
            self._best = best
            self.classifier = self._calibrated(*data)
            held_out = grid.out_of_fold(
                lambda x, y, g, unseen: grid.as_float(
                    self._calibrated(x, y, g).predict_proba(unseen)
                ),
                data,
                len(self.signature.genres),
                self.params,
            )
        machine = self.classifier.calibrated_classifiers_[0].estimator[-1]
        size = machine.support_vectors_.size + machine.dual_coef_.size + machine.intercept_.size
        return FitResult(int(size), {GRID: table}, best, held_out[len(train) :])

    def _calibrated(
        self, values: Floats, label: Integers, group: Integers
    ) -> CalibratedClassifierCV:
        settings = {name: v for name, v in self._best.items() if name != "selected_fraction"}
        prepare = grid.preparation(self._best["selected_fraction"])
        pipeline = Pipeline([*prepare.steps, ("classify", SVC(**settings))])
        folds = grid.inner_folds(label, group, self.params)
        calibrated = CalibratedClassifierCV(pipeline, method="sigmoid", cv=folds, ensemble=False)
        return calibrated.fit(values, label)

    def predict_proba(self, values: Floats) -> Floats:
        """Return probabilities, (n, n_genres)."""
        with runtime.limited(self.params.threads):
            return grid.as_float(self.classifier.predict_proba(values))

    def save(self, folder: Path) -> None:
        """Write ``model.skops``."""
        # The folds say which training track was where: of no use any more, and not the reader's.
        self.classifier.cv = None
        archive.save_skops(self.classifier, *self.paths(folder))

    def load(self, folder: Path) -> None:
        """Read ``model.skops``."""
        (path,) = self.paths(folder)
        self.classifier = archive.load_skops(path, _TRUSTED)
