"""The handcrafted features: how they correlate, how they map, which of them matter."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import altair as alt
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

from genreflow import lineage
from genreflow.features.handcrafted_table import read_handcrafted
from genreflow.report import png
from genreflow.report.results import Results
from genreflow.report.theme import ACCENT, Drawing, category_scales

Values = npt.NDArray[np.float64]

_MOST_MAPPED = 2000
"""t-SNE's time grows faster than the number of tracks; more than that also hide each other."""
_LISTED = 15


@dataclass(frozen=True)
class Features:
    """Standardised features.

    Parameters
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


@dataclass(frozen=True)
class Correlations:
    """Pearson correlations, similar features side by side.

    Parameters
    ----------
    names
        In the order of rows and columns.
    image
        PNG data URL, one pixel per pair.
    values
        Base64 of the upper and lower triangle as signed bytes, 100 × r.
    strongest
        The pairs with the largest absolute correlation: two names and r.
    """

    names: list[str]
    image: str
    values: str
    strongest: list[tuple[str, str, float]]


def read_features(results: Results) -> Features:
    """Read and standardise the features of all shards.

    Raises
    ------
    ValueError, genreflow.artifacts.StaleArtifactError
        There are none, or they were made with other parameters.
    """
    paths = sorted((results.folder / "features" / "handcrafted").glob("*.parquet"))
    shards = set(results.tracks["shard"])
    table = read_handcrafted(
        [path for path in paths if path.stem in shards],
        lineage.stamp("handcrafted", results.params),
    )
    names = [name for name in table.columns if name not in ("track_id", "genre")]
    values = table[names].to_numpy(np.float64)
    varies = np.ptp(values, axis=0) > 0
    return Features(
        table[["track_id", "genre"]],
        StandardScaler().fit_transform(values[:, varies]),
        [name for name, keep in zip(names, varies, strict=True) if keep],
    )


def correlations(features: Features) -> Correlations:
    """Correlate every pair of features, ordered by average-linkage clustering of 1 − |r|."""
    matrix = np.clip(np.corrcoef(features.matrix, rowvar=False), -1, 1)
    distance = 1 - np.abs(matrix)
    np.fill_diagonal(distance, 0)
    tree = hierarchy.linkage(squareform(distance, checks=False), "average")
    order = hierarchy.leaves_list(tree)
    matrix = matrix[np.ix_(order, order)]
    names = [features.names[i] for i in order]
    rows, columns = np.triu_indices(len(names), 1)
    top = np.argsort(-np.abs(matrix[rows, columns]), kind="stable")[:_LISTED]
    hundredths = (matrix * 100).round().astype(np.int8)
    return Correlations(
        names,
        png.data_url(((matrix + 1) * 127).round().astype(np.uint8), png.diverging_palette()),
        base64.b64encode(hundredths.tobytes()).decode(),
        [(names[rows[i]], names[columns[i]], float(matrix[rows[i], columns[i]])) for i in top],
    )


def maps(features: Features, seed: int) -> pd.DataFrame:
    """Project the tracks onto planes: PCA, LDA (which sees the genres) and t-SNE.

    Returns
    -------
    DataFrame
        projection, track_id, genre, x, y.
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


def map_chart(table: pd.DataFrame) -> Drawing:
    """Show one projection at a time (the parameter ``projection``); a click picks a genre."""
    genres = sorted(table["genre"].unique())
    colours, shapes = category_scales(genres)
    picked = alt.selection_point(fields=["genre"], bind="legend", name="picked")
    projection = alt.param(name="projection", value=str(table["projection"].iloc[0]))
    chart: Drawing = (
        alt.Chart(table, height=440)
        .transform_filter("datum.projection == projection")
        .mark_point(filled=True, size=45)
        .encode(
            x=alt.X("x:Q", axis=None, scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", axis=None, scale=alt.Scale(zero=False)),
            color=alt.Color("genre:N", scale=colours, legend=alt.Legend(title=None)),
            shape=alt.Shape("genre:N", scale=shapes),
            opacity=alt.condition(picked, alt.value(0.8), alt.value(0.06)),
            tooltip=["track_id", "genre"],
        )
        .add_params(picked, projection)
    )
    return chart


def anova_f(features: Features) -> pd.DataFrame:
    """Return feature and score, the ANOVA F of the genres, for the best features."""
    score, _ = f_classif(features.matrix, features.tracks["genre"])
    table = pd.DataFrame({"feature": features.names, "score": score})
    return table.sort_values("score", ascending=False, kind="stable").head(_LISTED)


def gain(results: Results) -> pd.DataFrame:
    """Return feature and score: its share of xgb_handcrafted's total gain, mean over folds.

    Raises
    ------
    genreflow.models.base.ModelFileError
        The model was not trained, or its files are damaged.
    """
    # XGBoost takes a second to import, and the page may do without.
    from genreflow.models.card import load_model
    from genreflow.models.xgb_handcrafted import XgbHandcrafted

    shares = []
    for fold in results.folds:
        loaded, card = load_model(results.folder / "models" / "xgb_handcrafted" / fold)
        assert isinstance(loaded, XgbHandcrafted)
        names = loaded.prepare.get_feature_names_out(list(card.signature.feature_names))
        scores = loaded.trees.get_score(importance_type="total_gain")
        found = pd.Series({str(names[int(key[1:])]): value for key, value in scores.items()})
        shares.append(found / found.sum())
    mean = pd.concat(shares, axis=1).fillna(0).mean(axis=1)
    table = mean.rename_axis("feature").rename("score").reset_index()
    return table.sort_values(["score", "feature"], ascending=[False, True], ignore_index=True).head(
        _LISTED
    )


def score_chart(table: pd.DataFrame, title: str, number: str) -> Drawing:
    """Show features and their score as bars, largest first."""
    chart: Drawing = (
        alt.Chart(table, height=20 * len(table))
        .mark_bar(color=ACCENT, opacity=0.85)
        .encode(
            x=alt.X("score:Q", title=title, axis=alt.Axis(format=number, tickCount=4)),
            y=alt.Y("feature:N", sort=None, title=None),
            tooltip=["feature", alt.Tooltip("score", format=number)],
        )
    )
    return chart
