"""The leaderboard in a terminal."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from genreflow.report.results import ReportError

_ROOM_FOR_ROBUST = 90
"""Columns of a terminal."""


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
    # Narrow enough for a terminal of 80 columns; robustness where there is room for one more.
    names = ["model", "accuracy", "95 %", "macro F1", "Δ base", "p", "fit"]
    known = "robust_accuracy" in rows and rows["robust_accuracy"].notna().any()
    if shows_robust := known and console.width >= _ROOM_FOR_ROBUST:
        names.append("robust")
    for name in names:
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for row in rows.to_dict(orient="records"):
        cells = [
            row["model"],
            f"{row['accuracy']:.3f}",
            f"{row['accuracy_low']:.3f}–{row['accuracy_high']:.3f}",
            f"{row['f1_macro']:.3f}",
            f"{row['delta_accuracy']:+.3f}",
            _or_dash(row["p_adjusted"], ".3f"),
            _or_dash(row["fit_seconds"], ".0f", " s"),
        ]
        if shows_robust:
            cells.append(_or_dash(row["robust_accuracy"], ".3f"))
        table.add_row(*cells)
    console.print(table)
    console.print(f"Report: {report / 'index.html'}")


def _or_dash(value: float, form: str, unit: str = "") -> str:
    return "–" if pd.isna(value) else f"{value:{form}}{unit}"
