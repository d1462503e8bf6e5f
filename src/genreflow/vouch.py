"""Whether the results at hand come from the parameters at hand, by their stamps.

Readers check the stamps of what they read. Here all are checked where nothing is read, yet results
pass for new: ``snakemake --touch``, and before DVC records them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from genreflow import lineage
from genreflow.corpus.scan import list_shards
from genreflow.fingerprints import layout
from genreflow.folds import parse_training, training_names
from genreflow.params import Params
from genreflow.registry import MODELS
from genreflow.registry.entry import PREDICTIONS
from genreflow.steps import kinds_in_use, takes_part
from genreflow.store.stamp import StaleArtifactError, Stamp
from genreflow.store.tables import read_stamp


def check_stamps(params: Params, genres: Collection[str], results: Path) -> None:
    """Raise unless everything with a stamp that lies in `results` was made with `params`.

    Raises
    ------
    StaleArtifactError
        Naming the first that was not, what it was made with, and what was asked for.
    """
    for name, expected in _stamped(params, genres):
        path = results / name
        if path.exists():
            _stamp_of(path).check(expected, path)


def _stamped(params: Params, genres: Collection[str]) -> Iterator[tuple[PurePosixPath, Stamp]]:
    """Yield what carries a stamp, in the order in which it is made."""
    shards = list_shards(sorted(genres), params.corpus.shards_per_genre)
    for shard in shards:
        yield PurePosixPath("audio", f"{shard}.parquet"), lineage.stamp("audio", params)
    for kind in kinds_in_use(params):
        for shard in shards:
            yield kind.artifact(shard), lineage.stamp(kind.name, params)
    if takes_part("fingerprints", params):
        for shard in shards:
            path = PurePosixPath("fingerprints", f"{shard}.arrow")
            yield path, lineage.stamp("fingerprints", params)
    for step in ("tracks", "splits", "strangers"):
        yield PurePosixPath(f"{step}.parquet"), lineage.stamp(step, params)
    for model in params.evaluation.models:
        for training in training_names(params.splits, params.at(MODELS[model].section).seeds):
            alone = params.of_training(model, parse_training(training)[1])
            predictions = MODELS[model].artifact(training, PREDICTIONS)
            yield predictions, lineage.of_predictions(model, alone)
    if params.robustness.enabled:
        for family in params.robustness.families:
            changed = PurePosixPath("changed", f"{family}.parquet")
            yield changed, lineage.of_family(family, params)
        for model in params.evaluation.models:
            answers = PurePosixPath("robustness", f"{model}.parquet")
            yield answers, lineage.of_answers(model, params)
    evaluation = lineage.stamp("evaluate", params, kind="evaluation")
    yield PurePosixPath("evaluation/predictions.parquet"), evaluation
    yield PurePosixPath("exploration/examples.parquet"), lineage.stamp("explore", params)


def _stamp_of(path: Path) -> Stamp:
    if path.suffix == ".npz":
        try:
            with np.load(path) as archive:
                return Stamp.from_json(str(archive["stamp"]), path)
        except (zipfile.BadZipFile, ValueError, KeyError):
            return Stamp.from_json("", path)
    if path.suffix == ".arrow":
        return layout.read_stamp(path)
    try:
        return read_stamp(path)
    except ValueError as error:  # of Arrow, for what is no Parquet
        raise StaleArtifactError(f"{path}: can't be read ({error}); delete it") from None
