"""Compare ways of mixing the models of a finished run.

    python benchmarks/stacking.py

Run it where the run was made (``params.yaml``, ``results/``), with several folds. A mixture is
fitted on the validation tracks of a fold or, to see what more tracks would give it, on the test
tracks of all other folds. (Models of other folds learned from this fold's tracks: what they say of
their own test tracks is flattered by that, if anything.)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer
from sklearn.linear_model import LogisticRegression

from genreflow.evaluation.ensemble import pool_weights
from genreflow.evaluation.predictions import Predictions, read_predictions
from genreflow.evaluation.vote import soft_vote
from genreflow.models.pooling import pool
from genreflow.params import Params, load

RESULTS = Path("results")
FLOOR = 1e-3
Array = np.ndarray[Any, Any]
Stack = tuple[Array, Array]
"""Probabilities (models, tracks, genres), and the true genres (tracks,)."""


def read(params: Params, role: str) -> dict[str, Stack]:
    """Return each fold's tracks of a role."""
    models: list[Predictions] = []
    for model in params.evaluation.models:
        folders = sorted((RESULTS / "models" / model).glob("*/predictions.parquet"))
        rows = read_predictions(params, model, folders).of_first_seed()
        models.append(soft_vote(rows.of_role(role)))
    fold = models[0].keys["fold"]
    return {
        name: (
            np.stack([part.probabilities[(fold == name).to_numpy()] for part in models]),
            models[0].actual[(fold == name).to_numpy()],
        )
        for name in fold.unique()
    }


def pooled(seen: Stack, unseen: Array) -> Array:
    """Mix as genreflow's ensemble does."""
    return pool(unseen, pool_weights(*seen))


def equal(seen: Stack, unseen: Array) -> Array:
    """Add log-probabilities with equal weights."""
    return pool(unseen, np.full(len(seen[0]), 1 / len(seen[0])))


def stacked(c: float) -> Callable[[Stack, Array], Array]:
    """Return a multinomial logistic regression on all log-probabilities."""

    def mix(seen: Stack, unseen: Array) -> Array:
        probabilities, actual = seen
        found = np.full(unseen.shape[1:], FLOOR)
        machine = LogisticRegression(C=c, max_iter=5000).fit(_rows(probabilities), actual)
        found[:, machine.classes_] = machine.predict_proba(_rows(unseen))
        return found

    return mix


def _rows(probabilities: Array) -> Array:
    logarithms = np.log(np.maximum(probabilities, FLOOR))
    return logarithms.transpose(1, 0, 2).reshape(probabilities.shape[1], -1)


def _joined(stacks: list[Stack]) -> Stack:
    probabilities, actual = zip(*stacks, strict=True)
    return np.concatenate(probabilities, axis=1), np.concatenate(actual)


def main() -> None:
    """Print accuracy and log loss of each mixture."""
    params = load(Path("params.yaml"))
    valid, test = (read(params, role) for role in ("valid", "test"))
    mixtures = {"equal weights": equal, "pool (used)": pooled}
    mixtures |= {f"stacking, C = {c:g}": stacked(c) for c in (0.001, 0.003, 0.01, 0.03, 0.1)}
    others = {fold: _joined([s for f, s in test.items() if f != fold]) for fold in test}
    sources = {"validation tracks": valid, "other folds": others}
    rows = []
    for name, mix in mixtures.items():
        row: dict[str, Any] = {"mixture": name}
        for source, seen in sources.items():
            hit, loss = [], []
            for fold, (unseen, actual) in test.items():
                found = mix(seen[fold], unseen)
                hit.append(found.argmax(axis=1) == actual)
                loss.append(-np.log(np.maximum(found[np.arange(len(actual)), actual], FLOOR)))
            row[f"fitted on {source}"] = f"{np.concatenate(hit).mean():.3f}"
            row[f"log loss ({source})"] = f"{np.concatenate(loss).mean():.2f}"
        rows.append(row)
    print(pd.DataFrame(rows).to_markdown(index=False))


if __name__ == "__main__":
    typer.run(main)
