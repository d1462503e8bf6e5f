"""The leaderboard in a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genreflow.report.results import ReportError

Row = dict[Any, Any]

_COLUMNS: dict[str, Callable[[Row], str]] = {
    "model": lambda row: str(row["model"]),
    "accuracy": lambda row: f"{row['accuracy']:.3f}",
    "95 %": lambda row: f"{row['accuracy_low']:.3f}–{row['accuracy_high']:.3f}",
    "macro F1": lambda row: f"{row['f1_macro']:.3f}",
    "Δ base": lambda row: f"{row['delta_accuracy']:+.3f}",
    "p": lambda row: _or_dash(row["p_adjusted"], ".3f"),
    "fit": lambda row: _time(row["fit_seconds"]),
    "robust": lambda row: _or_dash(row["robust_accuracy"], ".3f"),
    "outside": lambda row: "no" if pd.isna(row["outside_data"]) else "yes",
}

_ROOM_FOR_ROBUST, _ROOM_FOR_OUTSIDE = 90, 12
"""Columns of a terminal: with robustness, and what outside data asks for beside the others."""


def print_leaderboard(report: Path, console: Console) -> None:
    """Print the track level of ``comparison.csv``, best model first, and where the page is.

    Raises
    ------
    ReportError
        There is no comparison yet.
    """
    source = report / "comparison.csv"
    if not source.is_file():
        raise ReportError(f"{source}: not there yet; run `make run` or `snakemake -j8` first")
    rows = pd.read_csv(source).query("level == 'track'").sort_values("accuracy", ascending=False)
    table = Table(title=f"Track level, {rows['n'].max()} test tracks")
    names = _shown(rows, console.width)
    for name in names:
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for row in rows.to_dict(orient="records"):
        table.add_row(*(_COLUMNS[name](row) for name in names))
    console.print(table)
    if "outside" in names:
        known = rows["outside_data"].dropna().str.split(" + ", regex=False).explode().unique()
        console.print(f"Outside data: {escape(', '.join(known))}")
    console.print(f"Report: {report / 'index.html'}")


def _shown(rows: pd.DataFrame, width: int) -> list[str]:
    """Return the columns that are known and fit: all but robustness into 80 columns.

    Where outside data asks for more, macro F1 gives way to it.
    """
    left_out = set()
    if _known(rows, "outside_data"):
        width -= _ROOM_FOR_OUTSIDE
        if width < 80:
            left_out.add("macro F1")
    else:
        left_out.add("outside")
    if width < _ROOM_FOR_ROBUST or not _known(rows, "robust_accuracy"):
        left_out.add("robust")
    return [name for name in _COLUMNS if name not in left_out]


def _known(rows: pd.DataFrame, name: str) -> bool:
    return name in rows and bool(rows[name].notna().any())


def _or_dash(value: float, form: str, unit: str = "") -> str:
    return "–" if pd.isna(value) else f"{value:{form}}{unit}"


def _time(seconds: float) -> str:
    """Write at most five characters up to a thousand hours, as many as 80 columns have left."""
    if seconds >= 999.5:
        hours = seconds / 3600
        return _or_dash(hours, ".0f" if hours >= 9.95 else ".1f", " h")
    return _or_dash(seconds, ".0f", " s")
