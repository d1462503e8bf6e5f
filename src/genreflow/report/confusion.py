"""Confusion matrices as rows of cells for the page's tables and thumbnails."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

_DARK = 0.72
"""From this share on a cell is dark enough for light text."""


@dataclass(frozen=True)
class Cell:
    """One cell: decisions counted, and their share of all decisions on the true genre."""

    count: int
    rate: float
    right: bool
    predicted: str

    @property
    def dark(self) -> bool:
        """Whether the cell's ground calls for light text."""
        return self.rate > _DARK


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix of one model at one level; `rows` maps true genre → cells."""

    model: str
    level: str
    genres: list[str]
    rows: dict[str, list[Cell]]


def matrices(table: pd.DataFrame, models: list[str]) -> list[Matrix]:
    """Arrange ``confusion.csv`` by model, in this order, and level."""
    found = []
    for model in models:
        for level in ("track", "window"):
            part = table[(table["model"] == model) & (table["level"] == level)]
            if len(part):
                found.append(_matrix(model, level, part))
    return found


def _matrix(model: str, level: str, part: pd.DataFrame) -> Matrix:
    genres = list(dict.fromkeys(part["actual"]))
    counts = part.pivot_table(index="actual", columns="predicted", values="count", aggfunc="sum")
    counts = counts.loc[genres, genres]
    rates = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    rows = {
        actual: [
            Cell(
                int(counts.loc[actual, predicted]),
                float(rates.loc[actual, predicted]),
                actual == predicted,
                predicted,
            )
            for predicted in genres
        ]
        for actual in genres
    }
    return Matrix(model, level, genres, rows)
