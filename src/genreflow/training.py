"""One training job: one model on one fold, from features and splits to predictions."""

from __future__ import annotations

import hashlib
import logging
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow import artifacts, lineage, parquet
from genreflow.artifacts import StaleArtifactError
from genreflow.features.handcrafted_table import read_handcrafted
from genreflow.features.mel_windows import MelWindows
from genreflow.models import registry, runtime
from genreflow.models.base import Examples, FitResult, Floats, Integers, Matrix, Model, Signature
from genreflow.models.card import Card, write_card
from genreflow.params import Params

log = logging.getLogger(__name__)

_INDEX_COLUMNS = ("track_id", "window", "genre", "role")
_DIGITS = "%.6g"


class TrainingError(ValueError):
    """A fold can't be trained on; the message says what is wrong with it."""


@dataclass(frozen=True)
class Features:
    """All rows of all tracks: windows, or one row per track.

    Parameters
    ----------
    source
        Reads the rows.
    track_id
        (tracks,) of every track.
    row_track, row_window
        (rows,) position in `track_id`, and the number of the window (-1: the whole track).
    shape
        Of one row.
    names
        Names of handcrafted features.
    audio_digests
        Of the audio behind each shard.
    """

    source: MelWindows | Matrix
    track_id: Sequence[str]
    row_track: Integers
    row_window: Integers
    shape: tuple[int, ...]
    names: tuple[str, ...]
    audio_digests: Mapping[str, str]

    def close(self) -> None:
        """Close the shards."""
        if isinstance(self.source, MelWindows):
            self.source.close()


def train(
    model_name: str,
    fold: str,
    params: Params,
    features: Sequence[Path],
    splits: Path,
    out: Path,
    cost: Path,
) -> None:
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
        Folder for the model, ``model.json``, ``predictions.parquet`` and the table that the
        registry names.
    cost
        JSON to write: fit_seconds, predict_seconds, n_tracks_predicted, peak_rss_mb,
        n_parameters, predictions_sha256. Timings lie apart from what is reproducible.

    Raises
    ------
    StaleArtifactError
        Features or splits were made by other parameters, or from other audio.
    TrainingError
        There is no such fold, or features lack some of its tracks.
    """
    entry = registry.entry(model_name)
    fold_rows = _read_fold(splits, fold, params)
    with closing(_read_features(entry.features, features, params)) as found:
        _check_audio(found, splits)
        signature = _signature(model_name, fold_rows, found)
        model = registry.create(getattr(params.models, model_name), signature)
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
    table = pd.concat(tables, ignore_index=True)
    out.mkdir(parents=True, exist_ok=True)
    model.save(out)
    stamp = lineage.stamp("model", params, model=model_name)
    write_card(Card(signature, stamp, dict(result.best), result.n_parameters), out)
    _write_table(result, entry.table, out)
    path = out / "predictions.parquet"
    parquet.write_table(table, path, lineage.stamp("predictions", params, model=model_name))
    artifacts.write_json(
        {
            "fit_seconds": round(fitted - started, 3),
            "predict_seconds": round(predicted - fitted, 3),
            "n_tracks_predicted": int(table["track_id"].nunique()),
            "peak_rss_mb": round(_peak_rss_mb(), 1),
            "n_parameters": result.n_parameters,
            "predictions_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
        cost,
    )
    log.info("fitted in %.1f s, predicted in %.1f s", fitted - started, predicted - fitted)


def _read_fold(splits: Path, fold: str, params: Params) -> pd.DataFrame:
    table = parquet.read_table(splits, lineage.stamp("splits", params))
    rows = table[table["fold"] == fold].sort_values("track_id", ignore_index=True)
    if rows.empty:
        known = ", ".join(sorted(table["fold"].unique()))
        raise TrainingError(f"{splits}: has no fold {fold!r}; there are {known}")
    return rows


def _read_features(kind: str, paths: Sequence[Path], params: Params) -> Features:
    stamp = lineage.stamp(kind, params)
    if kind == "mel":
        windows = MelWindows(paths, stamp)
        return Features(
            source=windows,
            track_id=windows.track_id,
            row_track=windows.window_track,
            row_window=windows.window_index,
            shape=windows.shape[1:],
            names=(),
            audio_digests=windows.audio_digests,
        )
    table = read_handcrafted(paths, stamp)
    names = tuple(name for name in table.columns if name not in ("track_id", "genre"))
    count = len(table)
    return Features(
        source=Matrix(table[list(names)].to_numpy(dtype=np.float32)),
        track_id=table["track_id"].tolist(),
        row_track=np.arange(count),
        row_window=np.full(count, -1),
        shape=(len(names),),
        names=names,
        audio_digests=table.attrs["audio_digests"],
    )


def _check_audio(found: Features, splits: Path) -> None:
    """Raise unless features and splits were made from the same audio."""
    known: Mapping[str, str] = parquet.read_stamp(splits).facts["audio"]
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


def _signature(model: str, fold: pd.DataFrame, found: Features) -> Signature:
    genres = tuple(sorted(fold["genre"].unique()))
    if taken := sorted(set(genres) & set(_INDEX_COLUMNS)):
        raise TrainingError(
            f"a genre is called {taken[0]}, which is a column of predictions.parquet; "
            "rename its folder"
        )
    return Signature(model, genres, tuple(found.shape), found.names)


def _examples(found: Features, fold: pd.DataFrame, role: str, signature: Signature) -> Examples:
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
    found: Features,
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
        name: probabilities[:, i] for i, name in enumerate(signature.genres)
    }
    return pd.DataFrame({**index, **columns})


def _write_table(result: FitResult, name: str | None, out: Path) -> None:
    if name is not None and result.table is not None:
        with artifacts.atomic(out / name) as temporary:
            result.table.to_csv(temporary, index=False, float_format=_DIGITS, lineterminator="\n")


def _peak_rss_mb() -> float:
    """Return the largest memory that this process has had [MB]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
