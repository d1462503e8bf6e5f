"""Try random convolutions of mel windows, and a ridge classifier, on the folds of a finished run.

    python benchmarks/random_convolutions.py

Run it where the run was made (``params.yaml``, ``results/``). Kernels are MiniRocket's 84 (nine
frames, of which three count double and the others against them), at four dilations, each over one
to eight neighbouring pairs of mel bands; a window is described by how often each kernel's output
exceeds each of four levels. Training tracks are heard with their copies.

References
----------
A. Dempster, D. Schmidt, G. Webb, "MiniRocket: a very fast (almost) deterministic transform for time
series classification", KDD 2021.
"""

from __future__ import annotations

from contextlib import closing
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
import pandas as pd
import typer
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import StandardScaler

from genreflow.models.base import Examples, Signature
from genreflow.params import load
from genreflow.training import examples_of, open_features

RESULTS = Path("results")
LENGTH, DILATIONS, LEVELS = 9, (1, 2, 4, 8), (0.1, 0.37, 0.63, 0.9)
Array = np.ndarray[Any, Any]


class Convolutions:
    """Random kernels, and levels that their outputs are compared with."""

    def __init__(self, seen: Array, per_kernel: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.mean, self.spread = seen.mean((0, 1)), seen.std((0, 1)) + 1e-3
        bands = seen.shape[2] // 2
        weights = np.full((84, LENGTH), -1.0)
        for row, counted in zip(weights, combinations(range(LENGTH), 3), strict=True):
            row[list(counted)] = 2
        self.kernels = []
        for dilation in DILATIONS:
            kernel = np.zeros((LENGTH, bands, 84 * per_kernel), dtype=np.float32)
            for i in range(kernel.shape[2]):
                width = rng.choice([1, 2, 4, 8])
                first = rng.integers(0, bands - width + 1)
                sign = rng.choice([-1, 1], width) if rng.random() < 0.5 else np.ones(width)
                weight = weights[i % 84][:, np.newaxis] * sign / np.sqrt(width)
                kernel[:, first : first + width, i] = weight
            self.kernels.append((dilation, kernel))
        outputs = self._outputs(seen[:: max(1, len(seen) // 200)])
        self.levels = [np.quantile(out, LEVELS, axis=(0, 1)) for out in outputs]

    def _outputs(self, windows: Array) -> list[Array]:
        scaled = (windows - self.mean) / self.spread
        pairs = scaled.reshape(*scaled.shape[:2], -1, 2).mean(axis=3)
        return [
            np.asarray(keras.ops.conv(pairs, kernel, dilation_rate=dilation))
            for dilation, kernel in self.kernels
        ]

    def __call__(self, examples: Examples) -> Array:
        """Return how often outputs exceed the levels, (n, kernels * levels)."""
        parts = []
        for values in examples.batches(64):
            shares = [
                (out[:, np.newaxis] > level[np.newaxis, :, np.newaxis]).mean(axis=2)
                for out, level in zip(self._outputs(values[..., 0]), self.levels, strict=True)
            ]
            parts.append(np.concatenate([s.reshape(len(values), -1) for s in shares], axis=1))
        return np.concatenate(parts).astype(np.float32)


def main(
    per_kernel: Annotated[int, typer.Option(min=1, help="Choices of bands per kernel.")] = 2,
    alphas: Annotated[str, typer.Option(help="Ridge penalties, commas between.")] = "1e3,3e3,1e4",
    seed: Annotated[int, typer.Option(help="Of the choice of bands.")] = 0,
) -> None:
    """Print the accuracy on the test tracks of all folds."""
    params = load(Path("params.yaml"))
    hits: dict[str, list[Array]] = {alpha: [] for alpha in alphas.split(",")}
    features = sorted((RESULTS / "features" / "mel").glob("*.npz"))
    splits = RESULTS / "splits.parquet"
    with closing(open_features("svm_mel", params, features, splits)) as found:
        for _, fold in pd.read_parquet(splits).groupby("fold"):
            tracks = fold.sort_values("track_id", ignore_index=True)
            genres = tuple(sorted(tracks["genre"].unique()))
            signature = Signature("svm_mel", genres, tuple(found.shape))
            train, test = (
                examples_of(found, tracks, role, signature).spread(8) for role in ("train", "test")
            )
            some = train.read(np.arange(0, len(train), max(1, len(train) // 1000)))[..., 0]
            describe = Convolutions(some, per_kernel, seed)
            scaler = StandardScaler()
            seen = scaler.fit_transform(describe(train))
            unseen = scaler.transform(describe(test))
            first, count = test.tracks()
            for alpha, hit in hits.items():
                machine = RidgeClassifier(alpha=float(alpha))
                machine.fit(seen, train.label, sample_weight=train.weight())
                votes = np.add.reduceat(machine.decision_function(unseen), first)
                hit.append((votes / count[:, np.newaxis]).argmax(axis=1) == test.label[first])
    for alpha, hit in hits.items():
        print(f"ridge {alpha}: {np.concatenate(hit).mean():.3f}")


if __name__ == "__main__":
    typer.run(main)
