"""Genres of audio files by a trained model, through the code that training's features came from."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

from genreflow import registry
from genreflow.audio.decode import RejectedError, decode
from genreflow.columns import OF_ANSWERS, column_of
from genreflow.features.rows import Floats
from genreflow.models.base import ModelFileError
from genreflow.models.loading import answer, load_model
from genreflow.models.metadata import Metadata
from genreflow.models.reading import reading
from genreflow.params import Audio


def predict_files(model_folder: Path, files: Sequence[Path]) -> pd.DataFrame:
    """Predict the genre of each file: the mean of its windows' probabilities decides.

    Parameters
    ----------
    model_folder
        What training wrote, such as ``results/models/cnn/0``.
    files
        Audio files of any format that the corpus may hold.

    Returns
    -------
    DataFrame
        One row per file: track, genre, reason, and one probability column per genre. Where a
        file can't be used, reason says why, genre is empty and the probabilities are NaN.

    Raises
    ------
    ModelFileError
        There is no model there, or it can't be read.
    """
    model, metadata = load_model(model_folder)
    genres = metadata.signature.genres
    columns = [column_of(genre) for genre in genres]
    rows = []
    for file in files:
        genre, reason, probabilities = "", "", np.full(len(genres), np.nan, dtype=np.float32)
        try:
            values = _features(file, metadata)
        except RejectedError as error:
            reason = str(error)
        else:
            with reading(model_folder):
                probabilities = answer(model, values).mean(axis=0)
            genre = genres[int(probabilities.argmax())]
        index = {"track": str(file), "genre": genre, "reason": reason}
        rows.append(index | dict(zip(columns, probabilities.tolist(), strict=True)))
    return pd.DataFrame(rows, columns=[*OF_ANSWERS, *columns])


def _features(file: Path, metadata: Metadata) -> Floats:
    """Return what the model sees of a file: its windows, or one row of features.

    Raises
    ------
    RejectedError
        The file can't be used.
    """
    kinds = registry.kinds_of(metadata.signature.model)
    sections = [metadata.read_section(kind.section, kind.parameters) for kind in kinds]
    extractors = [import_module(kind.extractor) for kind in kinds]
    pairs = list(zip(extractors, sections, strict=True))
    names = tuple(name for module, section in pairs for name in module.row_names(section))
    if names != metadata.signature.feature_names:
        raise ModelFileError(
            f"the model {metadata.signature.model} was trained on features that this version of "
            "genreflow names or orders differently; train it anew"
        )
    audio = metadata.read_section("audio", Audio)
    samples = decode(file, audio).samples
    rows = [module.rows_of(samples, audio.sample_rate, section) for module, section in pairs]
    return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)
