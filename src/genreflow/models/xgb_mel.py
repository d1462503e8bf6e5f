"""`xgb_mel`, the baseline: gradient boosted trees on mel windows.

Trees see statistics of each window's bands (:mod:`genreflow.models.statistics`), which pass through
XGBoost's quantile sketch in batches and stay in memory as one byte each.

References
----------
T. Chen, C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb

from genreflow.features.rows import Floats
from genreflow.models import trees
from genreflow.models.base import Examples, FitResult, Model
from genreflow.models.choosing import Choices, median_epoch
from genreflow.models.statistics import count_statistics, describe
from genreflow.registry.entry import HISTORY
from genreflow.registry.xgb_mel import XgbMelSection

log = logging.getLogger(__name__)

_LOG_EVERY = 10


class XgbMel(Model[XgbMelSection]):
    """Trees that vote on single windows."""

    trees: xgb.Booster

    def fit(self, train: Examples, valid: Examples) -> FitResult:
        """Boost until the validation loss of evenly spaced windows stops falling."""
        import pandas as pd

        p = self.params
        seen = self._windows(train)
        unseen = self._windows(valid, ref=seen)
        curves: dict[str, dict[str, list[float]]] = {}
        trained = xgb.train(
            self._settings(),
            seen,
            num_boost_round=p.n_estimators,
            evals=[(seen, "train"), (unseen, "valid")],
            evals_result=curves,
            early_stopping_rounds=p.early_stopping_rounds,
            verbose_eval=False,
            callbacks=[_Progress()],
        )
        self.trees = trained[: trained.best_iteration + 1]
        history = pd.DataFrame(
            {
                "epoch": np.arange(1, len(curves["train"]["merror"]) + 1),
                "loss": curves["train"]["mlogloss"],
                "accuracy": 1 - np.array(curves["train"]["merror"]),
                "val_loss": curves["valid"]["mlogloss"],
                "val_accuracy": 1 - np.array(curves["valid"]["merror"]),
            }
        )
        best = {"epoch": trained.best_iteration + 1}
        return FitResult(trees.count_nodes(self.trees), {HISTORY: history}, best)

    def refit(self, train: Examples, choices: Choices) -> FitResult:
        """Boost on all tracks for as many rounds as were best on folds."""
        rounds = median_epoch(choices)
        self.trees = xgb.train(self._settings(), self._windows(train), num_boost_round=rounds)
        return FitResult(trees.count_nodes(self.trees), best={"epoch": rounds})

    def _windows(self, examples: Examples, **reference: xgb.DMatrix) -> xgb.QuantileDMatrix:
        p = self.params
        batches = Batches(examples.spread(p.windows_per_track), p)
        return xgb.QuantileDMatrix(batches, max_bin=p.max_bin, nthread=p.threads, **reference)

    def _settings(self) -> dict[str, Any]:
        p = self.params
        return {
            "objective": "multi:softprob",
            "num_class": len(self.signature.genres),
            "eval_metric": ["merror", "mlogloss"],
            "tree_method": "hist",
            "max_bin": p.max_bin,
            "max_depth": p.max_depth,
            "learning_rate": p.learning_rate,
            "subsample": p.subsample,
            "colsample_bytree": p.colsample_bytree,
            "nthread": p.threads,
            "seed": p.seed,
        }

    def predict_proba(self, values: Floats) -> Floats:
        """Return probabilities, (n, n_genres)."""
        self.trees.set_param({"nthread": self.params.threads})
        probabilities: Floats = self.trees.inplace_predict(describe(values))
        return probabilities

    def save(self, folder: Path) -> None:
        """Write ``model.xgb.json``."""
        trees.save_trees(self.trees, *self.paths(folder))

    def load(self, folder: Path) -> None:
        """Read ``model.xgb.json``."""
        (path,) = self.paths(folder)
        n_statistics = count_statistics(self.signature.shape)
        self.trees = trees.load_trees(path, n_statistics, len(self.signature.genres))


class _Progress(xgb.callback.TrainingCallback):
    """Log a line now and then."""

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        if (epoch + 1) % _LOG_EVERY == 0:
            valid = evals_log["valid"]
            log.info(
                "round %d: val_loss %.3f, val_accuracy %.3f",
                epoch + 1,
                valid["mlogloss"][-1],
                1 - valid["merror"][-1],
            )
        return False


class Batches(xgb.DataIter):
    """Hand the statistics of windows to XGBoost's quantile sketch batch by batch.

    Parameters
    ----------
    examples
        Labelled windows.
    params
        What examples weigh.
    """

    def __init__(self, examples: Examples, params: XgbMelSection) -> None:
        super().__init__()
        self._examples = examples
        self._weight = examples.weight(params.class_weight)
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._batches = self._examples.batches()
        self._start = 0

    def next(self, input_data: Callable[..., None]) -> bool:
        """Pass one batch to `input_data`; return whether there was one."""
        values = next(self._batches, None)
        if values is None:
            return False
        here = slice(self._start, self._start + len(values))
        self._start = here.stop
        input_data(
            data=describe(values),
            label=self._examples.label[here],
            weight=self._weight[here],
        )
        return True
