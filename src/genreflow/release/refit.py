"""The step `refit_<model>`: the model once more, trained on all tracks.

No track is left to judge it by. What vouches for it is how the same training did on folds, which
also chose what it chooses: hyperparameters, rounds, temperature.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from genreflow import lineage, registry
from genreflow.models import runtime
from genreflow.models.checkpoint import Checkpoint
from genreflow.models.libraries import libraries_of
from genreflow.models.loading import create
from genreflow.models.metadata import Metadata, read_metadata, write_metadata
from genreflow.params import Params
from genreflow.registry.entry import METADATA
from genreflow.store.tables import read_table
from genreflow.training import examples_of, open_features, signature_of

log = logging.getLogger(__name__)


def refit(
    model_name: str,
    params: Params,
    features: Sequence[Path],
    splits: Path,
    trainings: Sequence[Path],
    out: Path,
    state: Path | None = None,
    code: str = "",
) -> dict[str, Any]:
    """Train a model on all tracks of the splits, or take the model of the first fold.

    Parameters
    ----------
    model_name
        As in the registry.
    params
        All parameters; ``release.<model>`` says which.
    features, splits
        What to read.
    trainings
        Folders of all trainings of the model, the first fold's first.
    out
        Folder for the model and ``model.json``.
    state, code
        As for :func:`genreflow.training.train`.

    Returns
    -------
    dict
        What it cost: fit_seconds.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        Features or splits were made by other parameters, or from other audio.
    genreflow.training.TrainingError
        The features lack some of the tracks.
    """
    out.mkdir(parents=True, exist_ok=True)
    entry = registry.entry(model_name)
    if not params.release_of(model_name):
        for name in (METADATA, *entry.model_files):
            shutil.copyfile(trainings[0] / name, out / name)
        return {"fit_seconds": 0.0}
    params = params.of_training(model_name, 0)
    tracks = read_table(splits, lineage.stamp("splits", params))
    tracks = tracks.drop_duplicates("track_id").sort_values("track_id", ignore_index=True)
    tracks = tracks.assign(role="train")
    choices = [read_metadata(folder).best for folder in trainings]
    started = time.perf_counter()
    with closing(open_features(model_name, params, features, splits)) as found:
        signature = signature_of(model_name, tracks, found)
        model = create(params.at(entry.section), signature)
        if state is not None:
            made_with = {**lineage.of_model(model_name, params).params, "code": code}
            inputs = [*features, splits, *(folder / METADATA for folder in trainings)]
            model.checkpoint = Checkpoint(state, made_with, inputs)
        examples = examples_of(found, tracks, "train", signature)
        log.info("%s: %d rows of %d tracks", model_name, len(examples), len(tracks))
        with runtime.limited(model.params.threads):
            result = model.refit(examples, choices)
    model.save(out)
    metadata = Metadata(
        signature,
        lineage.of_model(model_name, params),
        libraries_of(entry.model_files),
        dict(result.best),
        result.n_parameters,
        sum((out / name).stat().st_size for name in entry.model_files),
        len(np.unique(examples.track)),
        0,
    )
    write_metadata(metadata, out)
    seconds = time.perf_counter() - started
    if model.checkpoint:
        seconds += model.checkpoint.seconds_before
        model.checkpoint.remove()
    return {"fit_seconds": round(seconds, 3)}
