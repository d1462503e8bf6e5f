"""The exploration step: what the report shows of corpus and features, as small tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from genreflow import lineage
from genreflow.exploration.examples import examples
from genreflow.exploration.features import anova_f, correlations, maps, read_features, strongest
from genreflow.params import Params
from genreflow.store.files import write_csv
from genreflow.store.tables import read_table, write_table


def explore(
    params: Params,
    tracks: Path,
    handcrafted: Sequence[Path],
    audio: Sequence[Path],
    out: Path,
) -> None:
    """Write the tables that the report draws.

    Parameters
    ----------
    params
        All parameters.
    tracks, handcrafted, audio
        The manifest; features and audio cache of all shards.
    out
        Folder to write: ``maps.csv`` (projection, track_id, genre, x, y), ``anova.csv`` (feature,
        score), ``strongest.csv`` (feature, other, r), ``correlations.parquet`` (a column and a row
        per feature) and ``examples.parquet`` (see :mod:`genreflow.exploration.examples`).

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        An input was made by other parameters.
    """
    stamp = lineage.stamp("explore", params)
    settings = params.exploration
    features = read_features(handcrafted, lineage.stamp("handcrafted", params))
    matrix = correlations(features)
    write_csv(maps(features, settings.seed), out / "maps.csv")
    write_csv(anova_f(features), out / "anova.csv")
    write_csv(strongest(matrix), out / "strongest.csv")
    write_table(matrix, out / "correlations.parquet", stamp)
    manifest = read_table(tracks, lineage.stamp("tracks", params))
    usable = manifest[manifest["status"] == "ok"]
    shown = examples(
        usable,
        audio,
        lineage.stamp("audio", params),
        params.at("features.mel"),
        settings.examples_per_genre,
    )
    write_table(shown, out / "examples.parquet", stamp)
