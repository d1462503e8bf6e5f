"""Names of the probability columns: a genre may be called like any other column.

A genre's column is called like the genre, so that tables read well. Only where a genre is called
like a column that some table has of its own, an underscore is added, and taken off on reading.
"""

from __future__ import annotations

_TAKEN = {
    "fold",
    "genre",
    "model",
    "predicted",
    "predicted_hard",
    "reason",
    "role",
    "track",
    "track_id",
    "window",
}


def column_of(genre: str) -> str:
    """Return the name of the column that holds the probabilities of a genre."""
    return f"{genre}_" if genre.rstrip("_") in _TAKEN else genre


def genre_of(column: str) -> str:
    """Return the genre whose probabilities a column holds."""
    return column.removesuffix("_") if column.rstrip("_") in _TAKEN else column
