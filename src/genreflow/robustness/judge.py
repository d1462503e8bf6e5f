"""The step `robustness_<model>`: what a trained model says of the changed test tracks."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow import lineage, registry
from genreflow.columns import OF_CHANGED, column_of
from genreflow.features.rows import Floats
from genreflow.models import runtime
from genreflow.models.base import READ_ROWS, Model
from genreflow.models.loading import answer, load_model
from genreflow.params import Params
from genreflow.robustness.cache import read_tracks
from genreflow.store.stamp import REMEDY, StaleArtifactError
from genreflow.store.tables import read_table, write_table

log = logging.getLogger(__name__)


def judge(
    name: str,
    params: Params,
    changed: Sequence[Path],
    models: Mapping[str, Path],
    splits: Path,
    out: Path,
) -> None:
    """Predict the changed test tracks of every chosen fold by the model that was trained on it.

    Parameters
    ----------
    name
        Of the model, as in the registry.
    params
        All parameters.
    changed
        What :func:`genreflow.robustness.write.write_changed` wrote, a file for each family.
    models
        Folder of the model of each chosen fold (its first seed), by the fold.
    splits
        The splits.
    out
        Parquet table to write: fold, track_id, change, genre (the true one), and one probability
        column per genre, the mean over the track's windows; sorted by fold, change (as in the
        registry) and track. No rows where ``robustness.enabled`` is false.

    Raises
    ------
    StaleArtifactError
        An input was made by other parameters.
    genreflow.models.base.ModelFileError
        A model can't be read.
    """
    stamp = lineage.of_answers(name, params)
    if not params.robustness.enabled:
        write_table(pd.DataFrame(columns=list(OF_CHANGED), dtype=str), out, stamp)
        return
    table = read_table(splits, lineage.stamp("splits", params))
    tested = table[table["role"] == "test"].groupby("fold")["track_id"].agg(set)
    order = {change: i for i, change in enumerate(params.robustness.variants)}
    parts = []
    for fold, folder in models.items():
        model = _load(name, folder, params)
        answers = pd.concat([_judge_file(model, path, tested[fold], params) for path in changed])
        answers = answers.assign(order=answers["change"].map(order))
        answers = answers.sort_values(["order", "track_id"]).drop(columns="order")
        answers.insert(0, "fold", fold)
        parts.append(answers)
        log.info("fold %s: %d changed tracks judged", fold, len(answers))
    write_table(pd.concat(parts, ignore_index=True), out, stamp)


def _load(name: str, folder: Path, params: Params) -> Model[Any]:
    model, metadata = load_model(folder)
    if differs := metadata.stamp.difference(lineage.of_model(name, params.of_training(name, 0))):
        raise StaleArtifactError(f"{folder}: the model was made with {differs}; {REMEDY}")
    return model


def _judge_file(
    model: Model[Any], path: Path, tested: Collection[str], params: Params
) -> pd.DataFrame:
    """Return track_id, change, genre and the mean probabilities of the tracks in `tested`."""
    signature = model.signature
    kinds = registry.entry(signature.model).reads
    keys: list[tuple[str, str, str]] = []
    counts: list[int] = []

    def rows() -> Iterator[Floats]:
        with closing(read_tracks(path, kinds, lineage.of_family(path.stem, params))) as every:
            for track in every:
                if track.track_id in tested:
                    # Kinds that are read side by side have one row of a track each.
                    values = np.concatenate([track.rows[kind] for kind in kinds])
                    of_track = values.reshape(-1, *signature.shape)
                    keys.append((track.track_id, track.change, track.genre))
                    counts.append(len(of_track))
                    yield of_track

    columns = [column_of(genre) for genre in signature.genres]
    with runtime.limited(model.params.threads):
        found = [answer(model, batch).astype(np.float64) for batch in _batches(rows())]
    first = np.cumsum(counts, dtype=np.intp) - counts
    sums = np.add.reduceat(np.concatenate(found), first) if found else np.empty((0, len(columns)))
    means = (sums / np.reshape(counts, (-1, 1))).astype(np.float32)
    index = pd.DataFrame(keys, columns=list(OF_CHANGED[1:]), dtype=str)
    return pd.concat([index, pd.DataFrame(means, columns=columns)], axis=1)


def _batches(rows: Iterable[Floats]) -> Iterator[Floats]:
    """Yield as many rows at a time as networks take in whole batches, whosever they are."""
    waiting: list[Floats] = []
    for of_track in rows:
        waiting.append(of_track)
        while sum(map(len, waiting)) >= READ_ROWS:
            joined = np.concatenate(waiting)
            yield joined[:READ_ROWS]
            waiting = [joined[READ_ROWS:]]
    if sum(map(len, waiting)):
        yield np.concatenate(waiting)
