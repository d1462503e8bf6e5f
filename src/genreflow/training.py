"""One training job: one model on one fold, from features and splits to predictions."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow import lineage, registry
from genreflow.columns import column_of
from genreflow.errors import GenreflowError
from genreflow.features.rows import FeatureRows, Floats, side_by_side
from genreflow.folds import parse_training
from genreflow.models import runtime
from genreflow.models.base import Examples, FitResult, Model, Signature
from genreflow.models.checkpoint import Checkpoint
from genreflow.models.libraries import libraries_of
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


@dataclass(frozen=True)
class Fitted:
    """A trained model, what training left, and the rows of each role."""

    model: Model[Any]
    result: FitResult
    parts: Mapping[str, Examples]

    def n_tracks(self, role: str) -> int:
        """Return how many tracks have a role."""
        return len(np.unique(self.parts[role].track))

    def predict(self, found: FeatureRows, role: str) -> pd.DataFrame:
        """Return the rows of ``predictions.parquet`` of one role."""
        part, signature = self.parts[role], self.model.signature
        probabilities = np.concatenate([self.model.predict_proba(x) for x in part.batches()])
        index = {
            "track_id": np.array(found.track_id)[found.row_track[part.rows]],
            "window": found.row_window[part.rows].astype(np.int32),
            "genre": np.array(signature.genres)[part.label],
            "role": role,
        }
        columns: dict[str, Floats] = {
            column_of(name): probabilities[:, i] for i, name in enumerate(signature.genres)
        }
        return pd.DataFrame({**index, **columns})


def fit(
    model_name: str,
    fold: pd.DataFrame,
    params: Params,
    found: FeatureRows,
    checkpoint: Checkpoint | None = None,
) -> Fitted:
    """Train a model on a fold, in memory.

    Parameters
    ----------
    model_name
        As in the registry.
    fold
        Columns track_id, genre, group, role.
    params
        All parameters; the model sees its own section alone.
    found
        The features that it reads.
    checkpoint
        Where a long training keeps its state, and goes on from.

    Raises
    ------
    TrainingError
        The features lack some of the fold's tracks.
    """
    fold = fold.sort_values("track_id", ignore_index=True)
    signature = signature_of(model_name, fold, found)
    model = create(params.at(registry.entry(model_name).section), signature)
    model.checkpoint = checkpoint
    parts = {role: examples_of(found, fold, role, signature) for role in ("train", "valid", "test")}
    rows = ", ".join(f"{len(part)} {role} rows" for role, part in parts.items())
    log.info("%s: %s", model_name, rows)
    with runtime.limited(model.params.threads):
        return Fitted(model, model.fit(parts["train"], parts["valid"]), parts)


def signature_of(model_name: str, fold: pd.DataFrame, found: FeatureRows) -> Signature:
    """Return what a model reads and tells apart that is trained on `fold`."""
    genres = tuple(sorted(fold["genre"].unique()))
    return Signature(model_name, genres, tuple(found.shape), found.names)


def open_features(
    model_name: str, params: Params, features: Sequence[Path], splits: Path
) -> FeatureRows:
    """Open the features that a model reads; close them after use.

    Parameters
    ----------
    features
        Of all kinds that it reads, in folders of their names.

    Raises
    ------
    StaleArtifactError
        They were made by other parameters, or from other audio than the splits.
    """
    opened: list[FeatureRows] = []
    try:
        for kind in registry.kinds_of(model_name):
            paths = [path for path in features if path.parent.name == kind.name]
            open_rows = import_module(kind.reader).open_rows
            opened.append(open_rows(paths, lineage.stamp(kind.name, params)))
            _check_audio(opened[-1], splits)
        return side_by_side(opened)
    except GenreflowError:
        for found in opened:
            found.close()
        raise


def train(
    model_name: str,
    training: str,
    params: Params,
    features: Sequence[Path],
    splits: Path,
    out: Path,
    state: Path | None = None,
    code: str = "",
) -> dict[str, Any]:
    """Train a model on a fold, and predict the fold's validation and test tracks.

    Parameters
    ----------
    model_name
        As in the registry.
    training
        A fold as in ``splits.parquet``, or with the number of a further seed, as in ``3.1``.
    params
        All parameters; the model sees its own section alone.
    features, splits
        What to read.
    out
        Folder for the model, ``model.json``, ``predictions.parquet`` and the tables that the
        registry names.
    state
        Folder for the state of a long training, which goes on from there when it was killed, with
        the same bytes in the end. It is removed when all is written. None: it starts anew.
    code
        Digest of the code: a state left by other code is not used.

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
    fold, number = parse_training(training)
    params = params.of_training(model_name, number)
    entry = registry.entry(model_name)
    rows = _read_fold(splits, fold, params)
    with closing(open_features(model_name, params, features, splits)) as found:
        checkpoint = None
        if state is not None:
            made_with = {**lineage.of_model(model_name, params).params, "fold": fold, "code": code}
            checkpoint = Checkpoint(state, made_with, [*features, splits])
        started = time.perf_counter()
        fitted = fit(model_name, rows, params, found, checkpoint)
        trained_at = time.perf_counter()
        tables = [fitted.predict(found, role) for role in ("valid", "test")]
        predicted_at = time.perf_counter()
    predictions = pd.concat(tables, ignore_index=True)
    out.mkdir(parents=True, exist_ok=True)
    fitted.model.save(out)
    metadata = Metadata(
        fitted.model.signature,
        lineage.of_model(model_name, params),
        libraries_of(entry.model_files),
        dict(fitted.result.best),
        fitted.result.n_parameters,
        sum((out / name).stat().st_size for name in entry.model_files),
        fitted.n_tracks("train"),
        fitted.n_tracks("valid"),
    )
    write_metadata(metadata, out)
    for name in entry.tables:
        write_csv(fitted.result.tables[name], out / name, _DIGITS)
    path = out / PREDICTIONS
    write_table(predictions, path, lineage.of_predictions(model_name, params))
    fit_seconds, predict_seconds = trained_at - started, predicted_at - trained_at
    if checkpoint:
        fit_seconds += checkpoint.seconds_before
        checkpoint.remove()
    log.info("fitted in %.1f s, predicted in %.1f s", fit_seconds, predict_seconds)
    return {
        "fit_seconds": round(fit_seconds, 3),
        "predict_seconds": round(predict_seconds, 3),
        "n_tracks_predicted": int(predictions["track_id"].nunique()),
        "predictions_sha256": file_sha256(path),
    }


def _read_fold(splits: Path, fold: str, params: Params) -> pd.DataFrame:
    table = read_table(splits, lineage.stamp("splits", params))
    rows = table[table["fold"] == fold]
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


def examples_of(
    found: FeatureRows, fold: pd.DataFrame, role: str, signature: Signature
) -> Examples:
    """Return the rows of one role, track by track in the order of track_id.

    Copies of a track train with it, and neither validate nor test.
    """
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
    of_role = first[of_track] + within
    if role != "train":
        unchanged = found.row_copy[of_role] == 0
        of_role, of_track = of_role[unchanged], of_track[unchanged]
    return Examples(
        source=found.source,
        rows=of_role,
        label=np.array([genre[name] for name in rows["genre"]], dtype=np.int64)[of_track],
        track=of_track,
        group=group[fold["role"] == role].astype(np.int64)[of_track],
        copy=found.row_copy[of_role],
    )
