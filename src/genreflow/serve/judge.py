"""What a worker process does: hear an uploaded file by some models."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from genreflow.audio.decode import RejectedError
from genreflow.audio.stretches import stretches
from genreflow.prediction.classifier import Classifier
from genreflow.prediction.load import load
from genreflow.serve.spectrogram import TooLongError, draw


class RefusedError(Exception):
    """A file isn't judged; the message says why, `status` is what HTTP calls it."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason, status)
        self.reason = reason
        self.status = status


@cache
def _classifier(folder: str) -> Classifier:
    """Load a model; the next upload finds it there."""
    return load(folder)


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
        seconds, spectrogram (a PNG data URL), and for each model: genres, probabilities, and parts
        with start, end [s] and probabilities (null where silent).

    Raises
    ------
    RefusedError
        The file can't be used, or is too long.
    """
    classifiers = [_classifier(folder) for folder in models]
    first = classifiers[0]
    try:
        pieces = stretches(path, first.audio, first.release.stretch_seconds)
        image, seconds = draw(pieces, first.sample_rate, most_seconds)
    except TooLongError:
        raise RefusedError(
            f"lasts longer than {most_seconds / 60:g} minutes, the limit of --max-minutes", 413
        ) from None
    except RejectedError as error:
        raise RefusedError(str(error), 422) from None
    said = []
    for classifier in classifiers:
        answer = classifier.hear(path)
        if answer.reason:
            raise RefusedError(answer.reason, 422)
        parts = [
            {
                "start": part.start,
                "end": part.end,
                "probabilities": None
                if part.probabilities is None
                else [round(float(p), 4) for p in part.probabilities],
            }
            for part in answer.parts
        ]
        probabilities = [round(float(p), 4) for p in answer.probabilities]
        said.append({"genres": list(answer.genres), "probabilities": probabilities, "parts": parts})
    return {"seconds": seconds, "spectrogram": image, "models": said}
