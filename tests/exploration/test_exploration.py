"""The exploration step: maps, rankings and correlations of features, and examples of the genres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from genreflow import lineage
from genreflow.exploration import features as feature_space
from genreflow.exploration.run import explore
from genreflow.store.stamp import StaleArtifactError
from genreflow.store.tables import read_table
from tests.synthetic_results import FEATURES, GENRES, Run, explore_run, make_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(
        tmp_path_factory.mktemp("exploration") / "results",
        models=("xgb_mel",),
        n_folds=1,
        tracks_per_genre=6,
        windows=2,
    )
    explore_run(made)
    return made


@pytest.fixture(scope="module")
def features(run: Run) -> feature_space.Features:
    stamp = lineage.stamp("handcrafted", run.params)
    return feature_space.read_features(run.features("handcrafted"), stamp)


@pytest.fixture(scope="module")
def correlations(features: feature_space.Features) -> pd.DataFrame:
    return feature_space.correlations(features)


def test_correlations_equal_pandas(
    features: feature_space.Features, correlations: pd.DataFrame
) -> None:
    expected = pd.DataFrame(features.matrix, columns=features.names).corr()
    ordered = expected.loc[correlations.columns, correlations.columns].to_numpy()
    np.testing.assert_allclose(correlations.to_numpy(), ordered, atol=1e-12)


def test_the_strongest_correlation_is_found(correlations: pd.DataFrame) -> None:
    one, other, r = feature_space.strongest(correlations).iloc[0]
    assert {one, other} == {"feature_00_mean", "feature_01_mean"}
    assert r == pytest.approx(np.triu(correlations.to_numpy(), 1).min())


def test_similar_features_lie_side_by_side(correlations: pd.DataFrame) -> None:
    place = list(correlations.columns).index
    assert abs(place("feature_00_mean") - place("feature_01_mean")) == 1


def test_anova_equals_scipy(features: feature_space.Features) -> None:
    top = feature_space.anova_f(features).iloc[0]
    column = features.matrix[:, features.names.index(top["feature"])]
    by_genre = [column[features.tracks["genre"] == genre] for genre in GENRES]
    assert top["score"] == pytest.approx(stats.f_oneway(*by_genre).statistic)


@pytest.fixture(scope="module")
def maps(features: feature_space.Features) -> pd.DataFrame:
    return feature_space.maps(features, seed=0)


def test_maps_place_every_track_once_per_projection(maps: pd.DataFrame) -> None:
    assert maps.groupby("projection").size().to_dict() == {"PCA": 60, "LDA": 60, "t-SNE": 60}
    assert not maps.duplicated(["projection", "track_id"]).any()


def test_pca_spreads_as_the_two_largest_singular_values(
    features: feature_space.Features, maps: pd.DataFrame
) -> None:
    plane = maps.loc[maps["projection"] == "PCA", ["x", "y"]].to_numpy()
    singular = np.linalg.svd(features.matrix, compute_uv=False)[:2]
    assert np.sqrt((plane**2).sum(axis=0)) == pytest.approx(singular, rel=0.01)


def test_an_example_of_each_genre_is_drawn(run: Run) -> None:
    shown = read_table(run.exploration / "examples.parquet", lineage.stamp("explore", run.params))
    assert shown["genre"].tolist() == list(GENRES)
    for row in shown.itertuples():
        assert row.seconds == 3.0
        assert len(row.low) == len(row.high) == len(row.picture) / row.bands
        assert -1 <= row.low.min() < 0 < row.high.max() < 1
        assert row.picture.max() == 255
        assert list(row.tick_hz) == [250, 1000, 4000]
        assert (np.diff(row.tick_at) > 0).all()


def test_every_feature_is_ranked_and_the_strongest_pairs_are_listed(run: Run) -> None:
    assert set(pd.read_csv(run.exploration / "anova.csv")["feature"]) == set(FEATURES)
    strongest = pd.read_csv(run.exploration / "strongest.csv")["r"].abs()
    assert len(strongest) == 15
    assert strongest.is_monotonic_decreasing


def test_a_second_exploration_writes_the_same_bytes(run: Run, tmp_path: Path) -> None:
    explore(run.params, run.tracks, run.features("handcrafted"), run.audio, tmp_path)
    first = {path.name: path.read_bytes() for path in sorted(run.exploration.iterdir())}
    assert {path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())} == first


def test_features_of_other_parameters_are_refused(run: Run, tmp_path: Path) -> None:
    other = run.params.model_copy(
        update={"audio": run.params.audio.model_copy(update={"sample_rate": 44100})}
    )
    with pytest.raises(StaleArtifactError, match="sample_rate"):
        explore(other, run.tracks, run.features("handcrafted"), run.audio, tmp_path)
