"""``genreflow watch``: trainings under way, in a second terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

_REFRESH = 1.0
"""Between two looks [s]."""


def watch(
    results: Annotated[Path, typer.Argument(help="Folder of the results.")] = Path("results"),
    once: Annotated[bool, typer.Option("--once", help="Print once, and end.")] = False,
) -> None:
    """Show how far networks in training are, until Ctrl-C: docs/watching.md."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if once or not console.is_terminal:
        console.print(_table(results))
        return
    try:
        with Live(_table(results), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(_REFRESH)
                live.update(_table(results), refresh=True)
    except KeyboardInterrupt:
        return


def _table(results: Path) -> Table:
    from rich.table import Table

    from genreflow.progress import about, under_way

    table = Table(caption="Networks alone have epochs; logs of all jobs are in results/logs.")
    for name in ("Model", "Trained on", "Epoch", "Loss", "Validation", "Left", "Last epoch ended"):
        table.add_column(name, justify="left" if name == "Model" else "right", no_wrap=True)
    now = time.time()
    for one in under_way(results):
        table.add_row(
            one.model,
            one.where,
            f"{one.epoch} of {one.epochs}",
            f"{one.loss:.3f}",
            "–" if one.val_accuracy is None else f"{100 * one.val_accuracy:.1f} %",
            "–" if one.seconds_left is None else about(one.seconds_left),
            f"{about(max(0.0, now - one.written))} ago",
        )
    return table
