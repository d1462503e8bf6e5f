"""`xgb_handcrafted`: scaler, feature selection and gradient boosted trees, by grid search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xgboost as xgb
from sklearn.pipeline import Pipeline

from genreflow.features.rows import Floats, Integers
from genreflow.models import archive, grid, trees
from genreflow.models.base import Examples, FitResult, Model
from genreflow.models.choosing import Choices, commonest
from genreflow.models.reading import reading
from genreflow.registry.entry import GRID, IMPORTANCE
from genreflow.registry.xgb_handcrafted import XgbHandcraftedSection

if TYPE_CHECKING:
    import pandas as pd


class XgbHandcrafted(Model[XgbHandcraftedSection]):
    """Trees on the selected features."""

    prepare: Pipeline
    trees: xgb.Booster

    def fit(self, train: Examples, valid: Examples) -> FitResult:  # noqa: ARG002
        """Search the grid, and fit the best candidate, on `train`; `valid` isn't needed."""
        values, label = grid.read(train)
        weight = grid.class_weights(train, self.params)
        candidates: dict[str, Sequence[Any]] = {
            "classify__n_estimators": self.params.n_estimators,
            "classify__max_depth": self.params.max_depth,
            "classify__learning_rate": self.params.learning_rate,
        }
        with grid.one_thread():
            steps = [("classify", self._classifier())]
            best, table = grid.search(steps, candidates, train, weight, self.params)
            self._fit(best, values, label, weight)
        size = trees.count_nodes(self.trees)
        return FitResult(size, {GRID: table, IMPORTANCE: self._importance()}, best)

    def refit(self, train: Examples, choices: Choices) -> FitResult:
        """Fit the candidate that most folds chose."""
        best = commonest(choices)
        with grid.one_thread():
            self._fit(best, *grid.read(train), grid.class_weights(train, self.params))
        return FitResult(trees.count_nodes(self.trees), best=best)

    def _fit(
        self, best: Mapping[str, Any], values: Floats, label: Integers, weight: Floats | None
    ) -> None:
        settings = {name: v for name, v in best.items() if name != "selected_fraction"}
        self.prepare = grid.preparation(self.params.scaling, best["selected_fraction"])
        classifier = self._classifier().set_params(**settings)
        prepared = self.prepare.fit_transform(values, label)
        classifier.fit(prepared, label, sample_weight=weight)
        self.trees = classifier.get_booster()

    def _importance(self) -> pd.DataFrame:
        """Return feature and gain: its share of the gain of all splits, the largest first."""
        import pandas as pd

        names = self.prepare.get_feature_names_out(list(self.signature.feature_names))
        scores = self.trees.get_score(importance_type="total_gain")
        gain = pd.Series({str(names[int(key[1:])]): value for key, value in scores.items()})
        table = (gain / gain.sum()).rename_axis("feature").rename("gain").reset_index()
        return table.sort_values(["gain", "feature"], ascending=[False, True], ignore_index=True)

    def _classifier(self) -> xgb.XGBClassifier:
        return xgb.XGBClassifier(
            objective="multi:softprob",
            num_class=len(self.signature.genres),
            tree_method="hist",
            subsample=self.params.subsample,
            colsample_bytree=self.params.colsample_bytree,
            random_state=self.params.seed,
            n_jobs=1,
        )

    def predict_proba(self, values: Floats) -> Floats:
        """Return probabilities, (n, n_genres)."""
        self.trees.set_param({"nthread": self.params.threads})
        prepared = grid.as_float(self.prepare.transform(values))
        probabilities: Floats = self.trees.inplace_predict(prepared)
        return probabilities

    def save(self, folder: Path) -> None:
        """Write ``model.skops`` (scaler and selection) and ``model.xgb.json`` (trees)."""
        preparation, forest = self.paths(folder)
        archive.save_skops(self.prepare, preparation)
        trees.save_trees(self.trees, forest)

    def load(self, folder: Path) -> None:
        """Read ``model.skops`` and ``model.xgb.json``."""
        preparation, forest = self.paths(folder)
        (n_features,) = self.signature.shape
        loaded = archive.load_skops(preparation, grid.TRUSTED)
        with reading(preparation):
            self.prepare = grid.checked_preparation(loaded, n_features)
            n_selected = int(self.prepare["select"].get_support().sum())
        self.trees = trees.load_trees(forest, n_selected, len(self.signature.genres))
