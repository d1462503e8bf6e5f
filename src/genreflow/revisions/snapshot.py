"""The results of a run, those that lie here or those that a Git revision recorded in DVC."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml

from genreflow import lineage
from genreflow.errors import GenreflowError
from genreflow.nested import flatten
from genreflow.params import Params, ParamsError, parse
from genreflow.stages import CODE, step_digests
from genreflow.steps import STEPS, takes_part
from genreflow.store.tables import reading, stamp_of

EVALUATION = Path("results/evaluation")
DECISIONS = EVALUATION / "predictions.parquet"
METRICS = EVALUATION / "metrics.json"
SPLITS = Path("results/splits.parquet")
TRACKS = Path("results/tracks.parquet")
LOCKS = (Path("dvc.lock"), Path("workflow/dvc.lock"))
"""What DVC recorded: all but the demo corpus in the first."""
PARAMS = Path("params.yaml")

Read = Callable[[Path], bytes]


class RevisionError(GenreflowError):
    """A revision, or what it recorded, isn't there; the message says how to get it."""


@dataclass(frozen=True)
class Snapshot:
    """A run's results.

    Attributes
    ----------
    name
        What it is called: ``here``, or a revision with its commit.
    about
        Date and subject of the commit; empty for what lies here.
    decisions
        Every model's decision on every test track, as in ``results/evaluation``.
    splits, tracks
        The divisions, and the manifest of all tracks.
    metrics
        Model, level, metric.
    params
        The parameters that made the evaluation, and all that it was made from, by dotted name.
    code
        Digest of the code of each step that takes part.
    """

    name: str
    about: str
    decisions: pd.DataFrame
    splits: pd.DataFrame
    tracks: pd.DataFrame
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]
    params: Mapping[str, Any]
    code: Mapping[str, str]

    @property
    def models(self) -> list[str]:
        """The compared models, in the order of the evaluation."""
        return list(dict.fromkeys(self.decisions["model"]))


def lying_here(params: Params) -> Snapshot:
    """Read the results of this folder.

    Raises
    ------
    RevisionError
        There are none.
    genreflow.store.stamp.StaleArtifactError
        They were made by other parameters than `params`.
    """
    try:
        digests = step_digests(params)
        code = {step: digest for step, digest in digests.items() if takes_part(step, params)}
        found = _read(Path.read_bytes, "here", "", code)
        with reading(DECISIONS):
            stamp = stamp_of(pq.read_schema(DECISIONS), DECISIONS)
    except FileNotFoundError as error:
        raise RevisionError(
            f"{error.filename}: not there, so there is nothing to compare; run `make run` first, "
            "or fetch recorded results with `dvc pull`"
        ) from None
    stamp.check(lineage.stamp("evaluate", params, kind="evaluation"), DECISIONS)
    return found


def recorded_at(revision: str) -> Snapshot:
    """Read the results that a Git revision recorded, from DVC's cache or its remote.

    Parameters
    ----------
    revision
        A branch, tag or commit, as Git writes them: ``HEAD~1``.

    Raises
    ------
    RevisionError
        There is no such revision, it recorded no results, or they aren't in the cache.
    """
    commit, short, date, subject = _commit(revision)
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    name = short if revision.startswith(short) else f"{revision} ({short})"
    try:
        files = DVCFileSystem(rev=commit)

        def read(path: Path) -> bytes:
            return bytes(files.read_bytes(path.as_posix()))

        return _read(read, name, f"{date}, {subject}", _recorded_code(read))
    except DataIndexDirError:
        raise _not_in_cache(revision, name) from None
    except FileNotFoundError as error:
        if "No storage files" in str(error):
            raise _not_in_cache(revision, name) from None
        raise RevisionError(
            f"{name}: it recorded no results ({str(error).rpartition(': ')[2]} isn't there); "
            "expected a revision that was committed after `dvc repro`, or after `make run` and "
            "`make record`"
        ) from None
    except DvcException as error:
        raise RevisionError(f"{name}: DVC can't read it ({error})") from None


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""dvc.lock has a thousand lines and more."""


def _read(read: Read, name: str, about: str, code: Mapping[str, str]) -> Snapshot:
    decisions, params = _table(read, DECISIONS)
    return Snapshot(
        name=name,
        about=about,
        decisions=decisions,
        splits=_table(read, SPLITS)[0],
        tracks=_table(read, TRACKS)[0],
        metrics=json.loads(read(METRICS)),
        params=flatten(params),
        code=code,
    )


def _table(read: Read, path: Path) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Return a stamped table and the parameters that made it."""
    content = read(path)
    with reading(path):
        table = pq.read_table(io.BytesIO(content))
        return table.to_pandas(), stamp_of(table.schema, path).params


def _recorded_code(read: Read) -> dict[str, str]:
    """Return the digests that DVC's stages have among their parameters, of steps that took part.

    DVC also records steps that a run passes through with nothing to do.
    """
    found: dict[str, str] = {}
    for path in LOCKS:
        try:
            lock = read(path)
        except FileNotFoundError:  # the demo's, where it never ran
            continue
        for stage in yaml.load(lock, Loader=_LOADER).get("stages", {}).values():
            found |= stage.get("params", {}).get(CODE.as_posix(), {})
    try:
        params = parse(yaml.load(read(PARAMS), Loader=_LOADER), PARAMS.as_posix())
    except ParamsError:  # those of another version, whose steps can't be told by this one
        return found
    return {step: of for step, of in found.items() if step not in STEPS or takes_part(step, params)}


def _commit(revision: str) -> list[str]:
    """Return the commit of a revision: whole, short, its date and subject."""
    # Only what names a commit gets this far, and "--end-of-options" keeps options from being read.
    question = ["git", "log", "-1", "--format=%H%n%h%n%cs%n%s", "--end-of-options", revision, "--"]
    try:
        done = subprocess.run(question, capture_output=True, text=True, check=False)
    except OSError:
        raise RevisionError(
            "git isn't installed, and `genreflow compare` reads revisions"
        ) from None
    lines = done.stdout.rstrip("\n").split("\n")
    if done.returncode or len(lines) != 4:
        reason = done.stderr.strip().removeprefix("fatal: ") or "it names no commit"
        raise RevisionError(
            f"{revision}: no such revision here ({reason}); expected a branch, tag or commit, for "
            "instance HEAD~1; `git log --oneline` lists them, `git fetch` gets those of others"
        )
    return lines


def _not_in_cache(revision: str, name: str) -> RevisionError:
    return RevisionError(
        f"{name}: its results are recorded, but neither in DVC's cache nor on its remote; get them "
        "where they were made (`dvc push` there, `dvc fetch --all-commits` here), and run "
        f"`genreflow compare {revision}` again"
    )
