"""From window probabilities to one decision per track."""

from __future__ import annotations

import numpy as np

from genreflow.evaluation.predictions import WHOLE_TRACK, Codes, Predictions

_TRACK = ["fold", "seed", "track_id"]


def soft_vote(windows: Predictions) -> Predictions:
    """Average the probabilities of a track's windows; the most probable genre is the decision.

    Rows of whole-track models pass unchanged: the mean of one row is the row.

    Parameters
    ----------
    windows
        Predictions of windows, or of whole tracks.

    Returns
    -------
    Predictions
        One row per fold, seed and track, in this order, with window −1.

    Examples
    --------
    >>> import pandas as pd
    >>> keys = pd.DataFrame({"fold": "0", "seed": 0, "track_id": "a", "window": [0, 1]})
    >>> sure = np.array([[0.9, 0.1], [0.4, 0.6]])
    >>> soft_vote(Predictions(keys, sure, ("jazz", "pop"))).probabilities
    array([[0.65, 0.35]])
    """
    groups = windows.keys.groupby(_TRACK, sort=True)
    track, first = _positions(windows)
    sums = np.zeros((groups.ngroups, len(windows.genres)))
    np.add.at(sums, track, windows.probabilities)
    keys = windows.keys.iloc[first].assign(window=WHOLE_TRACK).reset_index(drop=True)
    counts = np.bincount(track, minlength=groups.ngroups)
    return Predictions(keys, sums / counts[:, None], windows.genres)


def hard_vote(windows: Predictions) -> Codes:
    """Return the genre that most windows of a track vote for.

    Ties are decided by the mean probability among the tied genres.

    Parameters
    ----------
    windows
        Predictions of windows, or of whole tracks.

    Returns
    -------
    ndarray of shape (tracks,)
        Positions in `windows.genres`, in the row order of :func:`soft_vote`.

    Examples
    --------
    >>> import pandas as pd
    >>> keys = pd.DataFrame({"fold": "0", "seed": 0, "track_id": "a", "window": [0, 1, 2]})
    >>> sure = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    >>> hard_vote(Predictions(keys, sure, ("jazz", "pop")))
    array([1])
    """
    track, first = _positions(windows)
    ballots = np.zeros((first.size, len(windows.genres)))
    np.add.at(ballots, (track, windows.predicted), 1)
    # A mean probability is at most one, so half of it can break a tie but not outvote a window.
    return np.asarray((ballots + soft_vote(windows).probabilities / 2).argmax(axis=1), np.intp)


def _positions(windows: Predictions) -> tuple[Codes, Codes]:
    """Return each row's track number, and each track's first row."""
    groups = windows.keys.groupby(_TRACK, sort=True)
    track: Codes = np.asarray(groups.ngroup(), np.intp)
    first: Codes = np.asarray(np.unique(track, return_index=True)[1], np.intp)
    return track, first
