"""One training job: one model on one fold, from features and splits to predictions."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow import lineage, registry
from genreflow.columns import column_of
from genreflow.errors import GenreflowError
from genreflow.features.rows import FeatureRows, Floats
from genreflow.models import runtime
from genreflow.models.base import Examples, FitResult, Model, Signature
from genreflow.models.loading import create
from genreflow.models.metadata import Metadata, write_metadata
from genreflow.params import Params
from genreflow.registry.entry import PREDICTIONS
from genreflow.store.files import file_sha256, write_csv
from genreflow.store.stamp import StaleArtifactError
from genreflow.store.tables import read_stamp, read_table, write_table

log = logging.getLogger(__name__)

_DIGITS = "%.6g"


class TrainingError(GenreflowError):
    """A fold can't be trained on; the message says what is wrong with it."""


def train(
    model_name: str,
    fold: str,
    params: Params,
    features: Sequence[Path],
    splits: Path,
    out: Path,
) -> dict[str, Any]:
    """Train a model on a fold, and predict the fold's validation and test tracks.

    Parameters
    ----------
    model_name
        As in the registry.
    fold
        As in ``splits.parquet``.
    params
        All parameters; the model sees its own section alone.
    features, splits
        What to read.
    out
        Folder for the model, ``model.json``, ``predictions.parquet`` and the tables that the
        registry names.

    Returns
    -------
    dict
        What it cost: fit_seconds, predict_seconds, n_tracks_predicted; and predictions_sha256,
        which says what was measured. Timings lie apart from what is reproducible.

    Raises
    ------
    StaleArtifactError
        Features or splits were made by other parameters, or from other audio.
    TrainingError
        There is no such fold, or features lack some of its tracks.
    """
    entry = registry.entry(model_name)
    kind = registry.FEATURES[entry.features]
    fold_rows = _read_fold(splits, fold, params)
    open_rows = import_module(kind.reader).open_rows
    with closing(open_rows(features, lineage.stamp(kind.name, params))) as found:
        _check_audio(found, splits)
        signature = _signature(model_name, fold_rows, found)
        model = create(params.at(entry.section), signature)
        parts = {
            role: _examples(found, fold_rows, role, signature)
            for role in ("train", "valid", "test")
        }
        log.info(
            "%s, fold %s: %s",
            model_name,
            fold,
            ", ".join(f"{len(part)} {role} rows" for role, part in parts.items()),
        )
        started = time.perf_counter()
        with runtime.limited(model.params.threads):
            result = model.fit(parts["train"], parts["valid"])
        fitted = time.perf_counter()
        tables = [
            _predictions(model, found, parts[role], role, signature, result)
            for role in ("valid", "test")
        ]
        predicted = time.perf_counter()
    predictions = pd.concat(tables, ignore_index=True)
    # Out-of-fold probabilities of validation tracks came with the fit.
    predicted_here = predictions if result.valid_probabilities is None else tables[-1]
    out.mkdir(parents=True, exist_ok=True)
    model.save(out)
    metadata = Metadata(
        signature,
        lineage.of_model(model_name, params),
        dict(result.best),
        result.n_parameters,
        sum((out / name).stat().st_size for name in entry.model_files),
    )
    write_metadata(metadata, out)
    for name in entry.tables:
        write_csv(result.tables[name], out / name, _DIGITS)
    path = out / PREDICTIONS
    write_table(predictions, path, lineage.of_predictions(model_name, params))
    log.info("fitted in %.1f s, predicted in %.1f s", fitted - started, predicted - fitted)
    return {
        "fit_seconds": round(fitted - started, 3),
        "predict_seconds": round(predicted - fitted, 3),
        "n_tracks_predicted": int(predicted_here["track_id"].nunique()),
        "predictions_sha256": file_sha256(path),
    }


def _read_fold(splits: Path, fold: str, params: Params) -> pd.DataFrame:
    table = read_table(splits, lineage.stamp("splits", params))
    rows = table[table["fold"] == fold].sort_values("track_id", ignore_index=True)
    if rows.empty:
        known = ", ".join(sorted(table["fold"].unique()))
        raise TrainingError(f"{splits}: has no fold {fold!r}; there are {known}")
    return rows


def _check_audio(found: FeatureRows, splits: Path) -> None:
    """Raise unless features and splits were made from the same audio."""
    known: Mapping[str, str] = read_stamp(splits).facts["audio"]
    wrong = sorted(
        shard
        for shard in known.keys() | found.audio_digests.keys()
        if known.get(shard) != found.audio_digests.get(shard)
    )
    if wrong:
        raise StaleArtifactError(
            f"features of {', '.join(wrong)} were made from other audio than {splits}; "
            "delete them and rerun `snakemake`, which makes them anew"
        )


def _signature(model: str, fold: pd.DataFrame, found: FeatureRows) -> Signature:
    genres = tuple(sorted(fold["genre"].unique()))
    return Signature(model, genres, tuple(found.shape), found.names)


def _examples(found: FeatureRows, fold: pd.DataFrame, role: str, signature: Signature) -> Examples:
    """Return the rows of one role, track by track in the order of track_id."""
    rows = fold[fold["role"] == role]
    position = {track: i for i, track in enumerate(found.track_id)}
    if missing := [track for track in rows["track_id"] if track not in position]:
        raise TrainingError(
            f"the features lack {len(missing)} tracks of the splits, {missing[0]} among them; "
            "rerun `snakemake`, which makes both from the same audio"
        )
    tracks = np.array([position[track] for track in rows["track_id"]], dtype=np.int64)
    group, _ = pd.factorize(fold["group"])
    genre = {name: i for i, name in enumerate(signature.genres)}
    # Rows of a track lie side by side in every shard; tracks come in any order.
    first = np.searchsorted(found.row_track, tracks, side="left")
    count = np.searchsorted(found.row_track, tracks, side="right") - first
    of_track = np.repeat(np.arange(len(tracks)), count)
    within = np.arange(len(of_track)) - np.repeat(np.cumsum(count) - count, count)
    return Examples(
        source=found.source,
        rows=first[of_track] + within,
        label=np.array([genre[name] for name in rows["genre"]], dtype=np.int64)[of_track],
        track=of_track,
        group=group[fold["role"] == role].astype(np.int64)[of_track],
    )


def _predictions(
    model: Model[Any],
    found: FeatureRows,
    part: Examples,
    role: str,
    signature: Signature,
    result: FitResult,
) -> pd.DataFrame:
    """Return the rows of ``predictions.parquet`` of one role."""
    if role == "valid" and result.valid_probabilities is not None:
        probabilities = result.valid_probabilities
    else:
        probabilities = np.concatenate([model.predict_proba(x) for x in part.batches()])
    genres = np.array(signature.genres)
    index = {
        "track_id": np.array(found.track_id)[found.row_track[part.rows]],
        "window": found.row_window[part.rows].astype(np.int32),
        "genre": genres[part.label],
        "role": role,
    }
    columns: dict[str, Floats] = {
        column_of(name): probabilities[:, i] for i, name in enumerate(signature.genres)
    }
    return pd.DataFrame({**index, **columns})
