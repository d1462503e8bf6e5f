"""The command line: ``genreflow --help`` lists the commands.

Every command imports what it needs when it runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from genreflow import __version__
from genreflow.commands.compare import compare
from genreflow.commands.predict import predict
from genreflow.commands.similar import similar
from genreflow.commands.tag import tag
from genreflow.commands.watch import watch
from genreflow.errors import GenreflowError

if TYPE_CHECKING:
    from genreflow.leftovers import Wanted


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class By(StrEnum):
    """What tracks of one group have in common."""

    artist = "artist"
    album = "album"


class FmaSubset(StrEnum):
    """The parts in which FMA comes; a larger one holds the smaller ones."""

    small = "small"
    medium = "medium"
    large = "large"


class Format(StrEnum):
    """What a model can be exported to."""

    onnx = "onnx"
    html = "html"


class _OneLineErrors(TyperGroup):
    """Ends with the message of genreflow's own exceptions; all others are bugs and traced back."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GenreflowError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
corpus_app = typer.Typer(no_args_is_help=True, help="Look at a corpus, or fetch one.")
app.add_typer(corpus_app, name="corpus")
workflow_app = typer.Typer(no_args_is_help=True, help="What DVC's stages and `make` call.")
app.add_typer(workflow_app, name="workflow", hidden=True)

RESULTS = Path("results")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"genreflow {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Reproducible music genre classification: one pipeline, many models, one comparison."""


LabelsOption = Annotated[
    Path | None,
    typer.Option("--labels", help="CSV path, genre: genres by table instead of by folder."),
]


@corpus_app.command("scan")
def corpus_scan(
    root: Annotated[Path, typer.Argument(help="Folder of genre folders.", show_default=False)],
    labels: LabelsOption = None,
) -> None:
    """List the genres of a corpus, with their audio files and what is ignored."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from genreflow.corpus.level import checked_layout
    from genreflow.corpus.scan import list_shards, loose_files
    from genreflow.report.text import count
    from genreflow.tracks.pieces import find_pieces

    layout = checked_layout(root, labels)
    shards = list_shards(layout.genres, 1).values()
    scans = {shard.genre: layout.scan(shard) for shard in shards}
    n_files = sum(len(scan.files) for scan in scans.values())
    n_ignored = sum(len(scan.ignored) for scan in scans.values())
    table = Table(show_footer=True)
    table.add_column("genre", footer=f"{len(scans)} genres")
    table.add_column("files", footer=str(n_files), justify="right")
    table.add_column("ignored", footer=str(n_ignored), justify="right")
    for genre, scan in scans.items():
        table.add_row(escape(genre), str(len(scan.files)), str(len(scan.ignored)))
    console = Console()
    console.print(table)
    tracks = (file.track_id for scan in scans.values() for file in scan.files)
    if (pieces := find_pieces(tracks)) is not None:
        console.print(str(pieces), markup=False)
    if layout.labels is not None:
        ignored = len(layout.labels.ignored)
        console.print(f"Not in {labels}: {count(ignored, 'file')} in {root}.", markup=False)
    elif loose := loose_files(root):
        files = count(len(loose), "file")
        console.print(f"Not in any genre: {files} directly in {root}.", markup=False)


@corpus_app.command("gtzan")
def corpus_gtzan(
    to: Annotated[Path, typer.Option(help="Folder to make.")] = Path("data/genres"),
    source: Annotated[
        Path | None,
        typer.Option("--from", help="An archive or folder that holds GTZAN, if you have it."),
    ] = None,
) -> None:
    """Fetch GTZAN through mirdata and verify the checksum of every file."""
    from genreflow.corpus.gtzan import fetch_gtzan

    fetched = fetch_gtzan(to, source=source)
    typer.echo(
        f"GTZAN: {fetched.n_files} files in {fetched.folder}, every checksum verified.\n"
        "jazz.00054 is corrupt in the original: it will be set aside, with a reason, when the "
        f"audio is decoded.\nNext: set corpus.root to {fetched.folder} in params.yaml and run "
        "`make run`."
    )


@corpus_app.command("groups")
def corpus_groups(
    root: Annotated[Path, typer.Argument(help="Folder of genre folders.", show_default=False)],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="CSV with a column for the file and one for the artist, or lines "
            "`file ::: artist ::: title`; by default the tags of the files.",
        ),
    ] = None,
    by: Annotated[By, typer.Option(help="What is never divided.")] = By.artist,
    to: Annotated[Path, typer.Option(help="Listing to write.")] = Path("data/groups.csv"),
    labels: LabelsOption = None,
) -> None:
    """List which tracks are by one artist, so that a split never divides them."""
    from genreflow.report.text import count
    from genreflow.tracks.artists import list_groups

    found = list_groups(root, to, source=source, by=by.value, labels=labels)
    unknown = found.tracks - found.known
    typer.echo(
        f"{to}: {found.known} of {count(found.tracks, 'track')} in {count(found.groups, 'group')}. "
        f"{count(unknown, 'track')} {'has' if unknown == 1 else 'have'} no known {by.value} and "
        f"{'stands' if unknown == 1 else 'stand'} alone."
    )


@corpus_app.command("labels")
def corpus_labels(
    metadata: Annotated[
        Path, typer.Argument(help="tracks.csv of fma_metadata.zip.", show_default=False)
    ],
    subset: Annotated[FmaSubset, typer.Option(help="Which of FMA's parts you have.")] = (
        FmaSubset.small
    ),
    to: Annotated[Path, typer.Option(help="Table to write.")] = Path("data/labels.csv"),
) -> None:
    """Make the table of labels for FMA from its metadata: genre, artist and partition."""
    from genreflow.corpus.fma import write_fma_labels

    found = write_fma_labels(metadata, subset.value, to)
    typer.echo(
        f"{to}: {found.tracks} tracks in {found.genres} genres; {found.without_genre} without a "
        "genre are left out.\n"
        f"Next: set corpus.root to fma_{subset.value} in params.yaml (the folder of the numbered "
        "folders) and, to keep to FMA's own partition, splits.strategy: predefined."
    )


app.command()(predict)
app.command()(tag)
app.command()(similar)


@app.command()
def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(help="Release or training, by name or folder; may be repeated. All releases."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    max_mb: Annotated[float, typer.Option(min=0.001, help="Largest upload [MB].")] = 100,
    max_minutes: Annotated[float, typer.Option(min=0.05, help="Longest file [min].")] = 20,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Files heard at the same time.")] = 2,
) -> None:
    """Open a page on this machine: drop a file, see its genres over time."""
    from genreflow.serve.command import start

    start(model or [], host, port, max_mb, max_minutes, jobs)


@app.command()
def leaderboard(
    report: Annotated[Path, typer.Argument(help="Folder of the report.")] = Path("results/report"),
) -> None:
    """Print the comparison of the models, best first."""
    from rich.console import Console

    from genreflow.report.terminal import print_leaderboard

    print_leaderboard(report, Console())


app.command()(compare)
app.command()(watch)


@app.command()
def prune(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """Remove what params.yaml doesn't ask for: other folds, models, shards, killed trainings."""
    from genreflow import leftovers

    wanted = _wanted()
    leftovers.bring_back(RESULTS, wanted)
    found = leftovers.to_remove(RESULTS, wanted)
    if not found:
        typer.echo("Nothing to remove: params.yaml asks for all there is.")
        return
    for path in found:
        megabytes = leftovers.size(RESULTS / path) / 1e6
        typer.echo(f"{RESULTS / path} ({megabytes:.1f} MB)")
    if yes or typer.confirm("Remove these?"):
        leftovers.remove(RESULTS, wanted)


@app.command()
def export(
    model: Annotated[
        str,
        typer.Argument(help="Folder or name of a release, or of one training.", show_default=False),
    ],
    to: Annotated[
        Format, typer.Option(help="An ONNX graph, or a page that runs it.")
    ] = Format.onnx,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="<model>.<format>"),
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(help="html: the npm package onnxruntime-web, a folder or what npm packs."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a model as one file that needs no Python: docs/export.md."""
    from genreflow.export.write import export as write

    written = write(model, to.value, out, runtime=runtime, force=force)
    typer.echo(f"{written.path} ({written.path.stat().st_size / 1e6:.1f} MB): {written.reads}")


@workflow_app.command("code")
def workflow_code() -> None:
    """Check params.yaml, digest the code behind each step, put aside what isn't of this run."""
    from genreflow import params, stages

    stages.write_code(params.load(Path("params.yaml")), RESULTS)


@workflow_app.command("params")
def workflow_params() -> None:
    """Write params.yaml anew, its values kept, and all that is generated beside it."""
    from genreflow.generate import write_all
    from genreflow.reference import write_parameters

    write_all()
    write_parameters()


@workflow_app.command("inputs")
def workflow_inputs() -> None:
    """Digest the features that each model reads."""
    from genreflow import params, stages

    stages.write_inputs(params.load(Path("params.yaml")), RESULTS)


@workflow_app.command("encoders")
def workflow_encoders(
    package: Annotated[Path, typer.Argument(help="Folder of the package musicnn.")],
) -> None:
    """Take the weights of the built-in encoders out of the package that they come in."""
    from genreflow.features.embedding.convert import convert
    from genreflow.registry.embedding import BUILT_IN, WEIGHTS

    for name in BUILT_IN:
        convert(package, name, WEIGHTS / f"{name}.npz")
    typer.echo(
        f"{', '.join(BUILT_IN)}: written to {WEIGHTS}.\nNext: add svm_embedding, mlp_embedding and "
        "svm_fusion to evaluation.models in params.yaml and run `make run`."
    )


@workflow_app.command("costs")
def workflow_costs() -> None:
    """Write an empty measurement for each job that wasn't run here."""
    from genreflow import params, stages

    stages.fill_in_costs(params.load(Path("params.yaml")), RESULTS)


@workflow_app.command("vouch")
def workflow_vouch() -> None:
    """Refuse results that were made with other parameters than those of params.yaml."""
    from genreflow import params, stages
    from genreflow.vouch import check_stamps

    loaded = params.load(Path("params.yaml"))
    check_stamps(loaded, stages.genres_of(loaded), RESULTS)


def _wanted() -> Wanted:
    from genreflow import params, stages
    from genreflow.leftovers import Wanted

    loaded = params.load(Path("params.yaml"))
    return Wanted.by(loaded, stages.genres_of(loaded))
