"""Reproducible music genre classification: one pipeline, many models, one honest comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from genreflow.prediction.classifier import Classifier

__version__ = "0.1.0"


def load(model: str | Path = "results/release") -> Classifier:
    """Load a classifier; see :func:`genreflow.prediction.load.load`.

    Parameters
    ----------
    model
        Folder or name of a release or of a trained model; by default the release that the report
        calls best.

    Returns
    -------
    Classifier
        With ``predict(paths)``, ``predict_proba(paths)``, ``predict_samples(y, sample_rate)`` and
        ``timeline(path)``.

    Raises
    ------
    genreflow.models.base.ModelFileError
        There is no such model, or it can't be read.

    Examples
    --------
    >>> import genreflow
    >>> classifier = genreflow.load("results/release/xgb_mel")
    >>> classifier.predict(["song.wav"])
    array(['noise'], dtype='<U7')
    """
    # Named at run time: every module imports this one, and none shall depend on prediction by it.
    from importlib import import_module

    classifier: Classifier = import_module("genreflow.prediction.load").load(model)
    return classifier
