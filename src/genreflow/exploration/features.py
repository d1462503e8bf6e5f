"""The handcrafted features: how they correlate, how they map, which of them matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import f_classif
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from genreflow.features.handcrafted.read import read_handcrafted
from genreflow.store.stamp import Stamp

Values = npt.NDArray[np.float64]

_MOST_MAPPED = 2000
"""t-SNE's time grows faster than the number of tracks; more than that also hide each other."""
_LISTED = 15


@dataclass(frozen=True)
class Features:
    """Standardised features.

    Attributes
    ----------
    tracks
        Columns track_id and genre.
    matrix
        (tracks, features), mean 0 and deviation 1; constant features are left out.
    names
        Of the columns of `matrix`.
    """

    tracks: pd.DataFrame
    matrix: Values
    names: list[str]


def read_features(paths: Sequence[Path], expected: Stamp) -> Features:
    """Read and standardise the features of all shards.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        They were made with other parameters.
    """
    table = read_handcrafted(paths, expected)
    names = [name for name in table.columns if name not in ("track_id", "genre")]
    values = table[names].to_numpy(np.float64)
    varies = np.ptp(values, axis=0) > 0
    return Features(
        table[["track_id", "genre"]],
        StandardScaler().fit_transform(values[:, varies]),
        [name for name, keep in zip(names, varies, strict=True) if keep],
    )


def correlations(features: Features) -> pd.DataFrame:
    """Correlate every pair of features, similar ones side by side.

    Returns
    -------
    DataFrame
        Pearson's r, a row and a column per feature, both in the order of an average-linkage
        clustering of 1 − |r|; the rows have no names of their own.
    """
    matrix = np.clip(np.corrcoef(features.matrix, rowvar=False), -1, 1)
    distance = 1 - np.abs(matrix)
    np.fill_diagonal(distance, 0)
    tree = hierarchy.linkage(squareform(distance, checks=False), "average")
    order = hierarchy.leaves_list(tree)
    return pd.DataFrame(matrix[np.ix_(order, order)], columns=[features.names[i] for i in order])  # type: ignore[arg-type, unused-ignore]


def strongest(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with the largest absolute correlation: feature, other, r."""
    names, matrix = correlations.columns, correlations.to_numpy()
    rows, columns = np.triu_indices(len(names), 1)
    top = np.argsort(-np.abs(matrix[rows, columns]), kind="stable")[:_LISTED]
    return pd.DataFrame(
        {
            "feature": names[rows[top]],
            "other": names[columns[top]],
            "r": matrix[rows[top], columns[top]],
        }
    )


def maps(features: Features, seed: int) -> pd.DataFrame:
    """Project the tracks onto planes: PCA, LDA (which sees the genres) and t-SNE.

    Returns
    -------
    DataFrame
        Columns projection, track_id, genre, x, y.
    """
    rng = np.random.default_rng(seed)
    n = len(features.tracks)
    kept = np.sort(rng.choice(n, min(n, _MOST_MAPPED), replace=False))
    values, tracks = features.matrix[kept], features.tracks.iloc[kept]
    planes: dict[str, Values] = {"PCA": PCA(2, random_state=seed).fit_transform(values)}
    if tracks["genre"].nunique() > 2:
        # Shrinkage, as there may be more features than tracks.
        lda = LinearDiscriminantAnalysis(n_components=2, solver="eigen", shrinkage="auto")
        planes["LDA"] = lda.fit_transform(values, tracks["genre"])
    if len(kept) > 4:
        perplexity = min(30.0, (len(kept) - 1) / 3)
        planes["t-SNE"] = TSNE(
            2, perplexity=perplexity, init="pca", random_state=seed
        ).fit_transform(values)
    return pd.concat(
        [
            tracks.assign(projection=name, x=plane[:, 0].round(2), y=plane[:, 1].round(2))
            for name, plane in planes.items()
        ],
        ignore_index=True,
    )


def anova_f(features: Features) -> pd.DataFrame:
    """Return feature and score, the ANOVA F of the genres, the best features first."""
    score, _ = f_classif(features.matrix, features.tracks["genre"])
    table = pd.DataFrame({"feature": features.names, "score": score})
    return table.sort_values("score", ascending=False, kind="stable", ignore_index=True)
