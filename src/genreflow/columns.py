"""What columns are called and what their values mean, where several folders must agree.

A genre's column is called like the genre, so that tables read well. Only where a genre is called
like a column that some table has of its own, an underscore is added, and taken off on reading.
"""

from __future__ import annotations

OF_PREDICTIONS = ("track_id", "window", "genre", "role")
"""What stands before the probabilities in a training's predictions."""

OF_DECISIONS = ("model", "track_id", "genre", "fold", "seed", "predicted", "predicted_hard")
"""What stands before them in the evaluation's pooled decisions."""

OF_CHANGED = ("fold", "track_id", "change", "genre")
"""What stands before them where a model judges changed tracks."""

OF_ANSWERS = ("path", "seconds", "genre", "probability", "reason", "model")
"""What stands before them where files are predicted."""

OF_STRETCHES = ("path", "start", "end", "genre", "probability", "reason", "model")
"""What stands before them where stretches of files are."""

SAME_LENGTH = 0.05
"""Clips whose lengths differ by less than this share of the longer one are equally long."""

_TAKEN = {*OF_PREDICTIONS, *OF_DECISIONS, *OF_CHANGED, *OF_ANSWERS, *OF_STRETCHES}


def column_of(genre: str) -> str:
    """Return the name of the column that holds the probabilities of a genre."""
    return f"{genre}_" if genre.rstrip("_") in _TAKEN else genre


def genre_of(column: str) -> str:
    """Return the genre whose probabilities a column holds."""
    return column.removesuffix("_") if column.rstrip("_") in _TAKEN else column
