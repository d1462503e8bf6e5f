"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Paths = Annotated[
    list[str],
    typer.Argument(
        help="Audio files, folders, playlists (m3u, m3u8, csv); - for a list on standard input.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Name of a release, or folder of one or of a training; by default what the report "
        "calls best.",
        show_default=False,
    ),
]
Folds = Annotated[
    bool, typer.Option("--folds", help="Average the trainings of all folds of the model instead.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes that hear files.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


def check_form(json: bool, csv: bool) -> None:
    """Refuse two forms at once.

    Raises
    ------
    typer.BadParameter
        Both are asked for.
    """
    if json and csv:
        raise typer.BadParameter("--json and --csv are two forms; ask for one")
