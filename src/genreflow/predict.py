"""Genres of audio files by a trained model, through the code that training's features came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genreflow import lineage
from genreflow import params as parameters
from genreflow.decoding import RejectedError, decode
from genreflow.features.handcrafted import extract, feature_names
from genreflow.features.mel import cut_windows, log_mel, window_geometry
from genreflow.models.base import Floats, ModelFileError
from genreflow.models.card import Card, load_model


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
    model, card = load_model(model_folder)
    genres = card.signature.genres
    rows = []
    for file in files:
        genre, reason, probabilities = "", "", np.full(len(genres), np.nan, dtype=np.float32)
        try:
            values = _features(file, card)
        except RejectedError as error:
            reason = str(error)
        else:
            probabilities = model.predict_proba(values).mean(axis=0)
            genre = genres[int(probabilities.argmax())]
        index = {"track": str(file), "genre": genre, "reason": reason}
        rows.append(index | dict(zip(genres, probabilities.tolist(), strict=True)))
    return pd.DataFrame(rows, columns=["track", "genre", "reason", *genres])


def _features(file: Path, card: Card) -> Floats:
    """Return what the model sees of a file: its windows, or one row of features.

    Raises
    ------
    RejectedError
        The file can't be used.
    """
    audio = parameters.Audio.model_validate(card.section("audio"))
    samples = decode(file, audio).samples
    kind = lineage.feature_kind(card.signature.model)
    section = card.section(f"features.{kind}")
    if kind == "mel":
        mel = parameters.Mel.model_validate(section)
        levels = log_mel(samples, audio.sample_rate, mel)
        return cut_windows(levels, *window_geometry(audio.sample_rate, mel))
    handcrafted = parameters.Handcrafted.model_validate(section)
    if tuple(feature_names(handcrafted)) != card.signature.feature_names:
        raise ModelFileError(
            f"the model {card.signature.model} was trained on features that this version of "
            "genreflow names or orders differently; train it anew"
        )
    return extract(samples, audio.sample_rate, handcrafted)[np.newaxis]
