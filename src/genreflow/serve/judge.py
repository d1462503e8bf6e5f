"""What a worker process does with an uploaded file: hear it by some models, or make it playable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from genreflow.audio.decode import RejectedError
from genreflow.audio.stretches import Stretch, stretches
from genreflow.errors import GenreflowError
from genreflow.prediction.answer import Answer
from genreflow.prediction.classifier import Classifier
from genreflow.prediction.load import load
from genreflow.serve.refusal import RefusedError
from genreflow.serve.spectrogram import Picture

_CODEC = {"format": "FLAC", "subtype": "PCM_16"}


def judge(path: Path, models: Sequence[str], most_seconds: float) -> dict[str, Any]:
    """Return what the page shows of a file.

    Parameters
    ----------
    path
        The file.
    models
        Folders of releases or trainings, at least one.
    most_seconds
        The longest file that is heard [s].

    Returns
    -------
    dict
        Keys seconds; spectrogram, a PNG data URL; ticks, of its frequencies: pairs of a label and a
        place from the bottom, 0 to 1; and for each model: genres, probabilities, and parts with
        start, end [s] and probabilities (null where silent).

    Raises
    ------
    RefusedError
        The file can't be used or is too long, or a model can't be read.
    """
    with _refusing():
        classifiers = [_classifier(folder) for folder in models]
        picture = Picture(classifiers[0].sample_rate)
        seconds = 0.0
        for stretch in _heard(path, classifiers[0], most_seconds):
            picture.add(stretch)
            seconds = stretch.end
        answers = [classifier.hear(path) for classifier in classifiers]
    for answer in answers:
        if answer.reason:
            raise RefusedError(answer.reason, 422)
    return {
        "seconds": seconds,
        "spectrogram": picture.data_url(seconds),
        "ticks": picture.ticks(),
        "models": [_said(answer) for answer in answers],
    }


def render(path: Path, model: str, most_seconds: float) -> None:
    """Turn a file into FLAC, which every browser plays, in its place.

    It is what the model hears: mono, at its sample rate.

    Raises
    ------
    RefusedError
        See :func:`judge`.
    """
    made = path.with_name("made.flac")
    with _refusing():
        classifier = _classifier(model)
        rate, written = classifier.sample_rate, 0
        with soundfile.SoundFile(made, "w", rate, 1, **_CODEC) as file:
            for stretch in _heard(path, classifier, most_seconds):
                # Silence that was passed over is written: what follows must come at its time.
                end = round((stretch.end if stretch.samples is None else stretch.start) * rate)
                parts = [np.zeros(max(0, end - written), dtype=np.int16)]
                if stretch.samples is not None:
                    parts.append(stretch.samples)
                for part in parts:
                    file.write(part)
                    written += len(part)
    made.replace(path)


@cache
def _classifier(folder: str) -> Classifier:
    """Load a model; the next upload finds it there."""
    return load(folder)


def _heard(path: Path, classifier: Classifier, most_seconds: float) -> Iterator[Stretch]:
    for stretch in stretches(path, classifier.audio, classifier.release.stretch_seconds):
        if stretch.end > most_seconds:
            raise RefusedError(
                f"lasts longer than {most_seconds / 60:g} minutes, the limit of --max-minutes", 413
            )
        yield stretch


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except RejectedError as error:
        raise RefusedError(str(error), 422) from None
    except GenreflowError as error:
        raise RefusedError(str(error), 500) from None


def _said(answer: Answer) -> dict[str, Any]:
    return {
        "genres": list(answer.genres),
        "probabilities": [round(float(p), 4) for p in answer.probabilities],
        "parts": [
            {
                "start": part.start,
                "end": part.end,
                "probabilities": None
                if part.probabilities is None
                else [round(float(p), 4) for p in part.probabilities],
            }
            for part in answer.parts
        ],
    }
