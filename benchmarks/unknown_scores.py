"""Compare scores that should tell music of no genre that a model knows: probabilities, distances.

For docs/experiments.md. It reads the features of a finished run, trains `svm_handcrafted` on its
first folds without one genre at a time, and then with all of them, for the sounds in
``unknown.folder``; and prints the AUROC of each score as a table. Nothing is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from genreflow import lineage, registry
from genreflow.features.rows import FeatureRows
from genreflow.models.svm_tracks import TrackSvm
from genreflow.params import Params, load
from genreflow.robustness.cache import read_tracks
from genreflow.store.tables import read_table
from genreflow.studies.trial import track_rows
from genreflow.studies.unknown import unheard
from genreflow.training import fit, open_features

MODEL = "svm_handcrafted"
Score = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    parser.add_argument("--folds", type=int, default=3)
    arguments = parser.parse_args()
    params, results = load(Path("params.yaml")), arguments.results
    splits = results / "splits.parquet"
    table = read_table(splits, lineage.stamp("splits", params))
    paths = [
        path
        for kind in registry.kinds_of(MODEL)
        for path in sorted((results / "features" / kind.name).iterdir())
    ]
    strangers = sounds(results / "strangers.parquet", params)
    rows = []
    with closing(open_features(MODEL, params, paths, splits)) as found:
        for _, fold in list(table.groupby("fold"))[: arguments.folds]:
            for genre in sorted(fold["genre"].unique()):
                unknown = track_rows(found, unheard(fold, genre))
                known = fold[fold["genre"] != genre]
                rows += list(aurocs(known, {"held-out genres": unknown}, params, found))
            rows += list(aurocs(fold, strangers, params, found))
    means = pd.DataFrame(rows).pivot_table("auroc", "score", "unknown", sort=False)
    print(means.round(3).to_markdown())


def sounds(path: Path, params: Params) -> dict[str, np.ndarray]:
    """Return the handcrafted features of sounds of no genre, by their kind."""
    by_kind: dict[str, list[np.ndarray]] = {}
    for sound in read_tracks(path, ("handcrafted",), lineage.stamp("strangers", params)):
        by_kind.setdefault(sound.genre, []).append(sound.rows["handcrafted"])
    return {kind: np.stack(rows) for kind, rows in by_kind.items()}


def aurocs(
    fold: pd.DataFrame, unknown: dict[str, np.ndarray], params: Params, found: FeatureRows
) -> Iterator[dict[str, object]]:
    """Train on a fold and yield the AUROC of every score against each kind of unknown tracks."""
    train, test = (fold[fold["role"] == role] for role in ("train", "test"))
    heard, known = (track_rows(found, part["track_id"].tolist()) for part in (train, test))
    model = fit(MODEL, fold, params, found).model
    assert isinstance(model, TrackSvm)
    for score, of in scores(model, heard, train["genre"].to_numpy()).items():
        for kind, asked in unknown.items():
            is_known = np.repeat([1, 0], [len(known), len(asked)])
            auroc = roc_auc_score(is_known, np.concatenate([of(known), of(asked)]))
            yield {"score": score, "unknown": kind, "auroc": auroc}


def scores(model: TrackSvm, heard: np.ndarray, genre: np.ndarray) -> dict[str, Score]:
    """Return functions of features, (n, n_features), that should be high for known tracks."""
    scaler = StandardScaler().fit(heard)

    def own_scale(values: np.ndarray) -> np.ndarray:
        return np.clip(scaler.transform(values), -5, 5)

    components = PCA(20, whiten=True, random_state=0).fit(own_scale(heard))
    shrunk = LedoitWolf().fit(own_scale(heard))
    spaces: dict[str, Score] = {
        "whitened as the SVM does": lambda v: model.prepare.transform(v) @ model.whitening,
        "at own scale": own_scale,
        "20 components": lambda v: components.transform(own_scale(v)),
    }
    found: dict[str, Score] = {
        "largest probability": lambda v: model.predict_proba(v).max(axis=1),
        "one mean, shrunk covariance": lambda v: -shrunk.mahalanobis(own_scale(v)),
    }
    for name, space in spaces.items():
        near = space(heard)
        means = np.stack([near[genre == one].mean(axis=0) for one in np.unique(genre)])
        found |= {
            f"nearest track, {name}": lambda v, s=space, n=near: -_distances(s(v), n).min(axis=1),
            f"nearest genre, {name}": lambda v, s=space, m=means: -_distances(s(v), m).min(axis=1),
            f"fifth by cosine, {name}": lambda v, s=space, n=near: _fifth(s(v), n),
        }
    return found


def _distances(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    return ((values[:, None] - others[None]) ** 2).sum(axis=2)


def _fifth(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    unit, of_others = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (values, others))
    return np.sort(unit @ of_others.T, axis=1)[:, -5]


if __name__ == "__main__":
    main()
