"""``genreflow tag``: the genres of files in their own tags."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from genreflow.commands import options
from genreflow.threads import fix_arithmetic, without_native_notices

BACKUP = Path("genreflow-tags.csv")


def tag(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Audio files, folders, playlists, as of predict.", show_default=False),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the genres into the files.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change: so it is without --write.")
    ] = False,
    model: options.Model = None,
    folds: options.Folds = False,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Leave files alone where no genre is so probable.")
    ] = 0.0,
    jobs: options.Jobs = 1,
    backup: Annotated[
        Path, typer.Option(help="CSV that gets the old genre before a file is touched.")
    ] = BACKUP,
    undo: Annotated[
        Path | None,
        typer.Option(help="Put back the genres that this backup holds.", show_default=False),
    ] = None,
) -> None:
    """Show the genres that files would be tagged with; with --write, tag them.

    Nothing but the genre changes, and a CSV keeps the old one. Exits with 1 if a file couldn't be
    used, or can't be tagged.
    """
    if write and dry_run:
        raise typer.BadParameter("--write and --dry-run contradict each other; give one")
    if undo and (paths or write):
        raise typer.BadParameter("--undo writes the files that the backup names; give it alone")
    if not undo and not paths:
        raise typer.BadParameter("names no files; give some, or a backup to --undo")
    fix_arithmetic(1)
    from genreflow.commands.streams import prepare_stdout

    prepare_stdout(for_people=True)
    if undo:
        failed = _undo(undo, write=not dry_run)
    else:
        failed = _tag(paths or [], write, model, folds, min_confidence, jobs, backup)
    if failed:
        raise typer.Exit(1)


def _tag(
    paths: list[str],
    write: bool,
    model: str | None,
    folds: bool,
    least: float,
    jobs: int,
    backup: Path,
) -> bool:
    from genreflow.commands.streams import complain, show, with_progress
    from genreflow.prediction.backup import Change, note
    from genreflow.prediction.batch import Source, listening
    from genreflow.prediction.inputs import expand
    from genreflow.prediction.output import printable
    from genreflow.prediction.tags import TagError, read_genre, write_genre

    failed, changed = False, 0
    inputs = expand(paths, sys.stdin.buffer.read)
    with ExitStack() as stack:
        stack.enter_context(without_native_notices())
        listener = stack.enter_context(listening(Source(model, folds), jobs))
        for answer in with_progress(listener.answers(inputs), len(inputs)):
            if answer.reason:
                failed = True
                complain(answer.path, answer.reason)
                continue
            shown, genre = printable(answer.path), answer.genre
            sure = f"{genre} ({answer.confidence:.0%})"
            if answer.confidence < least:
                show(f"{shown}: unsure, perhaps {sure}; left alone\n")
                continue
            path = Path(answer.path)
            try:
                old = read_genre(path)
                if old == (genre,):
                    show(f"{shown}: is {sure} already\n")
                    continue
                if write:
                    note(backup, Change(path.absolute(), old, genre))
                    write_genre(path, [genre])
            except TagError as error:
                failed = True
                complain(answer.path, str(error))
                continue
            changed += 1
            show(f"{shown}: {', '.join(old) or 'no genre'} → {sure}\n")
    if changed and not write:
        typer.echo(
            f"Nothing was written: --write does so, and keeps old genres in {backup}.", err=True
        )
    return failed


def _undo(backup: Path, *, write: bool) -> bool:
    from genreflow.commands.streams import complain, show
    from genreflow.prediction.backup import read_backup, restore
    from genreflow.prediction.output import printable

    failed = False
    for restored in restore(read_backup(backup), write=write):
        if restored.old is None:
            failed = True
            complain(str(restored.path), restored.reason)
        else:
            show(f"{printable(str(restored.path))}: {', '.join(restored.old) or 'no genre'}\n")
    return failed
