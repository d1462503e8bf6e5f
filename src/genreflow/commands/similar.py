"""``genreflow similar``: the tracks of the corpus that sound most like a song."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from genreflow.commands import options
from genreflow.threads import fix_arithmetic, without_native_notices


def similar(
    song: Annotated[Path, typer.Argument(help="Audio file.", show_default=False)],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Tracks to list.")] = 10,
    json: options.AsJson = False,
    csv: options.AsCsv = False,
) -> None:
    """List the tracks of the corpus that sound most like a song, with their distances.

    Tracks are those of params.yaml in this folder, by the features that the pipeline made of them.
    """
    options.check_form(json, csv)
    fix_arithmetic(1)
    with without_native_notices():
        from genreflow import params
        from genreflow.commands.streams import prepare_stdout, show
        from genreflow.prediction.output import csv_lines, printable
        from genreflow.prediction.similar import Neighbourhood
        from genreflow.store.cells import guarded

        prepare_stdout(for_people=not (json or csv))
        corpus = Neighbourhood(Path("results"), params.load(Path("params.yaml")))
        found = corpus.nearest(song, count)
        if json:
            for track in found:
                show(f"{json_format.dumps(vars(track), ensure_ascii=False)}\n")
        elif csv:
            rows = [
                [guarded(track.track_id), guarded(track.genre), f"{track.distance:.6f}"]
                for track in found
            ]
            show(csv_lines([["track_id", "genre", "distance"], *rows]))
        else:
            show(f"distance: {corpus.measure}\n")
            for track in found:
                name, genre = printable(track.track_id), printable(track.genre)
                show(f"{track.distance:.3f}  {name} ({genre})\n")
