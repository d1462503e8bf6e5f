"""What DVC's stages need beside the rules: small files that they read as parameters.

DVC compares parameters by value and draws an edge to the stage that writes their file. Thus
``workflow/code.json`` (by the stage ``code``) says for each step which code it runs,
``workflow/labels.json`` (by the same) what a table of labels says to it, and
``workflow/inputs.json`` (by ``inputs``) for each model which features it reads: an edit reruns what
it changes, and ``dvc.yaml`` names neither modules nor features. (They are JSON because DVC reads
them anew for every stage, and its reader of YAML takes several times as long.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from genreflow import leftovers
from genreflow.borrowed import borrow, home_of_copy
from genreflow.code import code_digests
from genreflow.corpus.demo.styles import STYLES
from genreflow.corpus.labels import digests, read_rows
from genreflow.corpus.layout import Layout
from genreflow.corpus.level import checked_layout
from genreflow.corpus.scan import CorpusError, list_shards
from genreflow.errors import GenreflowError
from genreflow.folds import training_names
from genreflow.params import Params
from genreflow.registry import entry
from genreflow.steps import STEPS, Step, kinds_in_use, takes_part
from genreflow.store.files import file_sha256, text_sha256, write_json

CODE = Path("workflow/code.json")
LABELS = Path("workflow/labels.json")
INPUTS = Path("workflow/inputs.json")


class StageError(GenreflowError):
    """A stage lacks what an earlier one makes; the message says how to get it."""


def layout_of(params: Params) -> Layout:
    """Return the corpus, checked, and without needing the demo to be there.

    Raises
    ------
    genreflow.corpus.scan.CorpusError
        There is no such folder, or what it holds are no genres; the table of labels can't be used.
    """
    root, table = Path(params.corpus.root), Path(params.corpus.labels)
    if not params.is_demo:
        return checked_layout(root, table)
    if read_rows(table, root):
        raise CorpusError(
            f"{table} lists tracks, but corpus.root is {root}, the demo, whose genres are its "
            "folders. Set corpus.root to the folder that the table speaks of, or corpus.labels to "
            "a table without rows."
        )
    return Layout(root, tuple(STYLES))


def genres_of(params: Params) -> tuple[str, ...]:
    """Return the genres of the corpus; see :func:`layout_of`."""
    return layout_of(params).genres


def label_digests(layout: Layout) -> dict[str, str]:
    """Return what the table of labels says to each step that reads it, as a digest."""
    return digests(layout.labels.rows if layout.labels else ())


def write_code(params: Params, results: Path) -> None:
    """Write the digests of code and labels, and put aside what isn't of this run.

    This is the first stage of a run: whatever is wrong with the parameters shows here, where it
    costs nothing. DVC removes a stage's outputs before it runs.

    Raises
    ------
    genreflow.corpus.scan.CorpusError, genreflow.code.CodeError
        There is no such corpus; a module can't be read.
    genreflow.borrowed.BorrowError
        An experiment in a copy would look for the corpus where there is none.
    """
    if home := home_of_copy(Path.cwd()):
        borrow(params, home)
    layout = layout_of(params)
    # DVC wants every dependency to exist.
    Path(params.unknown.folder).mkdir(parents=True, exist_ok=True)
    check_encoders(params, layout.genres, results)
    wanted = leftovers.Wanted.by(params, layout.genres)
    leftovers.bring_back(results, wanted)
    leftovers.set_aside(results, wanted)
    write_json(label_digests(layout), LABELS)
    write_json(step_digests(params), CODE)


def check_encoders(params: Params, genres: Sequence[str], results: Path) -> None:
    """Make sure that what embeddings are made with is there, before a run has decoded for hours.

    Raises
    ------
    StageError
        Embeddings are to be made, and a file of an encoder is missing.
    """
    kinds = [kind for kind in kinds_in_use(params) if kind.optional]
    shards = list_shards(genres, params.corpus.shards_per_genre)
    for kind in kinds:
        missing = params.at(kind.section).missing
        if missing and any(not (results / kind.artifact(shard)).exists() for shard in shards):
            raise StageError(
                f"{missing[0]}: isn't there, and {kind.section}.encoder asks for it. `make "
                "transfer` fetches the built-in encoders, once and with a network; or take the "
                "models that read embeddings out of evaluation.models"
            )


def step_digests(params: Params) -> dict[str, str]:
    """Return what else than parameters and inputs every step depends on, as a digest by its name.

    That is its code. For changed tracks it is also how the features that this run extracts are
    made, and for features that not every run extracts, whether this one does. With both go the
    files of the user's that they are made with.
    """
    digests = code_digests()
    for kind in kinds_in_use(params):
        section = params.at(kind.section)
        files = {name: _content(path) for name, path in section.files.items()}
        told = {"changed": [params.section(kind.section), files]}
        if kind.optional:
            told[kind.name] = [files]
        for step, facts in told.items():
            digests[step] = text_sha256([digests[step], json.dumps(facts, sort_keys=True)])[:16]
    return digests


def _content(path: Path) -> str | None:
    """Return a digest of a file and what is called like it beside it, or of a folder's files.

    What an ONNX file hears is described beside it, and its weights may lie there. None where there
    is nothing.
    """
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
    elif path.is_file():
        files = [file for file in path.parent.iterdir() if file.name.startswith(path.stem)]
    else:
        return None
    return text_sha256(f"{file.name} {file_sha256(file)}\n" for file in sorted(files))


def write_inputs(params: Params, results: Path) -> None:
    """Write for each model the digest of the features that it reads.

    Raises
    ------
    StageError
        Features are missing.
    """
    shards = list_shards(genres_of(params), params.corpus.shards_per_genre)
    try:
        digests = {
            kind.name: text_sha256(
                f"{shard} {file_sha256(results / kind.artifact(shard))}\n" for shard in shards
            )
            for kind in kinds_in_use(params)
        }
    except OSError as error:
        raise StageError(
            f"{error.filename}: can't be read ({error.strerror}); make the features with "
            "`snakemake`, or fetch them with `dvc pull`"
        ) from None
    models = params.evaluation.models
    write_json(
        {model: " ".join(digests[kind] for kind in entry(model).reads) for model in models}, INPUTS
    )


def jobs_of(step: Step, params: Params, genres: Sequence[str]) -> Sequence[str | None]:
    """Return the genres, shards, … that a step has jobs for; None is its only job."""
    match step.per:
        case "genre":
            return genres
        case "shard":
            return list(list_shards(genres, params.corpus.shards_per_genre))
        case "training":
            return training_names(params.splits, params.at(step.sections[0]).seeds)
        case "family":
            return params.robustness.families
    return [None]


def costs(params: Params, genres: Sequence[str]) -> list[PurePosixPath]:
    """Return where all jobs that the report reads of say what they cost, below the results."""
    return [
        step.cost(job)
        for step in STEPS.values()
        if takes_part(step.name, params) and step.script not in ("report", "release", "refit")
        for job in jobs_of(step, params, genres)
    ]


def fill_in_costs(params: Params, results: Path) -> None:
    """Write an empty measurement for each job that has none.

    What comes from DVC's cache was not measured here, yet the report reads what every job cost.
    """
    for cost in costs(params, genres_of(params)):
        if not (results / cost).exists():
            write_json({}, results / cost)
