"""``genreflow predict``: the genres of files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genreflow.commands import options
from genreflow.threads import fix_arithmetic, without_native_notices

if TYPE_CHECKING:
    from genreflow.prediction.answer import Answer


def predict(
    paths: options.Paths,
    model: options.Model = None,
    folds: options.Folds = False,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Say the genre of each stretch of a file.")
    ] = False,
    first: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Hear so many seconds of a file, from where training began, and not all of it.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(min=1, help="Name so many genres (text, JSON).", show_default=False),
    ] = None,
    json: options.AsJson = False,
    csv: options.AsCsv = False,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Say `unsure` where no genre is so probable.")
    ] = 0.0,
    min_familiarity: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Say `unfamiliar` of what is stranger than all but this share of the corpus' "
            "tracks; 0.05 tells speech and noise.",
        ),
    ] = 0.0,
    jobs: options.Jobs = 1,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Write CSV to this file, too, and leave out the files that it holds already.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Predict the genre of audio files.

    Answers go to standard output as they come, and to standard error why a file can't be used.
    Exits with 1 if there was such a file, with 2 if the command was wrong, with 130 after Ctrl-C.
    """
    options.check_form(json, csv)
    # Before NumPy is imported: sums are added as in the pipeline, whatever the machine.
    fix_arithmetic(1)
    from genreflow.commands.streams import complain, prepare_stdout, show, with_progress
    from genreflow.prediction.batch import Source, listening
    from genreflow.prediction.inputs import expand
    from genreflow.prediction.output import Style, as_csv, as_json, as_text, csv_lines, header

    form = as_json if json else as_csv if csv else as_text
    inputs = expand(paths, sys.stdin.buffer.read)
    source = Source(model, folds, first, familiar=min_familiarity > 0)
    prepare_stdout(for_people=form is as_text)
    with ExitStack() as stack:
        stack.enter_context(without_native_notices())
        listener = stack.enter_context(listening(source, jobs))
        genres = listener.release.genres
        label = source.label(listener.release)
        label += f", unsure below {min_confidence:g}" if min_confidence else ""
        label += f", unfamiliar below {min_familiarity:g}" if min_familiarity else ""
        style = Style(top, timeline, min_confidence, label, min_familiarity)
        known: dict[str, str] = {}
        keep: Callable[[Answer], None] | None = None
        if resume:
            from genreflow.prediction.resume import Resumed

            table = stack.enter_context(Resumed(resume, genres, style))
            known, keep = table.reasons, table.add
        if csv:
            show(csv_lines([header(genres, style)]))
        left = [item for item in inputs if item.path not in known]
        unusable = any(known.get(item.path) for item in inputs)
        for answer in with_progress(listener.answers(left), len(left)):
            if keep:
                keep(answer)
            show(form(answer, style))
            if answer.reason:
                unusable = True
                complain(answer.path, answer.reason)
    if unusable:
        raise typer.Exit(1)
