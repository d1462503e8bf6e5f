"""``genreflow compare``: what changed since another Git revision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    revision: Annotated[
        str, typer.Argument(help="Branch, tag or commit, for instance HEAD~1.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("results/compare/index.html"),
) -> None:
    """Compare the results here with those of a Git revision: docs/compare.md."""
    from rich.console import Console

    from genreflow import params
    from genreflow.revisions.differences import find
    from genreflow.revisions.show import print_differences, write_page
    from genreflow.revisions.snapshot import lying_here, recorded_at

    loaded = params.load(Path("params.yaml"))
    now = lying_here(loaded)
    then = recorded_at(revision)
    found = find(then, now, loaded.evaluation)
    console = Console()
    print_differences(found, then, loaded.evaluation, console)
    write_page(found, then, now, loaded.evaluation, out)
    console.print(f"Page: {out}", markup=False)
