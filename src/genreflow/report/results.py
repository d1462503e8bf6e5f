"""What the report is made from: small tables that earlier steps wrote, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from genreflow import lineage
from genreflow.columns import OF_DECISIONS, genre_of
from genreflow.errors import GenreflowError
from genreflow.folds import name_order
from genreflow.params import Params
from genreflow.ranking import best_first
from genreflow.registry import BASELINE, ENSEMBLES
from genreflow.store.files import read_csv, read_json
from genreflow.store.stamp import Stamp
from genreflow.store.tables import read_stamp, read_table

Metrics = dict[str, dict[str, dict[str, Any]]]
"""Model, level, metric."""

_NAMES = ("fold", "track_id", "genre", "actual", "predicted", "taken_for")
"""Columns of text even where all folds, tracks or genres are called by numbers."""


class ReportError(GenreflowError):
    """The report can't be made; the message says which file is missing and what makes it."""


@dataclass(frozen=True)
class Inputs:
    """Where the files lie.

    Attributes
    ----------
    evaluation, exploration
        Folders that the steps of these names wrote.
    naive, ungrouped, corpus_size, unknown, chain
        What the side studies found.
    tracks, splits
        The manifest and the splits.
    costs
        What jobs cost, one file each: ``<step>/<job>.json``, or ``<step>.json``.
    """

    evaluation: Path
    exploration: Path
    naive: Path
    ungrouped: Path
    corpus_size: Path
    unknown: Path
    chain: Path
    tracks: Path
    splits: Path
    costs: Sequence[Path] = ()


@dataclass(frozen=True)
class Results:
    """The results of a run.

    Attributes
    ----------
    params
        All parameters.
    inputs
        Where the tables lie.
    metrics
        Model → level → metric.
    tracks, splits, decisions
        The manifest, the splits, and the pooled test decisions of every model.
    tracks_stamp
        The manifest's stamp, whose facts name the ignored files.
    n_grouped
        Usable tracks whose group (artist, album) is known.
    groups
        Who says so, a listing or a parameter; "" for the demo corpus, which knows its bands.
    groups_are_artists
        Whether these groups are artists or albums; what a pattern captures may be anything.
    pieces
        What looks like pieces of recordings that nothing keeps together; None where nothing does.
    """

    params: Params
    inputs: Inputs
    metrics: Metrics
    tracks: pd.DataFrame
    splits: pd.DataFrame
    decisions: pd.DataFrame
    tracks_stamp: Stamp
    n_grouped: int
    groups: str
    groups_are_artists: bool
    pieces: dict[str, Any] | None

    @property
    def models(self) -> list[str]:
        """All models and ensembles, best track accuracy first."""
        return best_first({model: self.track(model) for model in self.metrics})

    @property
    def trained(self) -> list[str]:
        """The models without the ensembles, best first."""
        return [model for model in self.models if model not in ENSEMBLES]

    @property
    def kinds(self) -> list[list[str]]:
        """What is compared with its like, best first: :attr:`trained` by what they know.

        The models that learnt from this corpus alone, then those in which outside data has a say;
        a kind that no model is of is left out.
        """
        alone = [model for model in self.trained if not self.outside_data(model)]
        others = [model for model in self.trained if model not in alone]
        return [kind for kind in (alone, others) if kind]

    @property
    def knows_outside_data(self) -> bool:
        """Whether outside data has a say in some model."""
        return any(self.outside_data(model) for model in self.trained)

    def outside_data(self, model: str) -> tuple[str, ...]:
        """Name the outside data that has a say in a model, or in the members of an ensemble."""
        names = (name for one in self.members(model) for name in self.params.outside_data_of(one))
        return tuple(dict.fromkeys(names))

    def members(self, model: str) -> list[str]:
        """Return the models that vote in an ensemble; a model stands for itself."""
        if model not in ENSEMBLES:
            return [model]
        table = self.table("ensemble")
        return list(table.loc[table["ensemble"] == model, "model"].unique())

    @property
    def has_baseline(self) -> bool:
        """Whether the baseline was trained."""
        return BASELINE in self.metrics

    @property
    def genres(self) -> list[str]:
        """The genres, in the order of the probability columns."""
        columns = self.decisions.columns
        return [genre_of(column) for column in columns if column not in OF_DECISIONS]

    @property
    def folds(self) -> list[str]:
        """The folds that were tested."""
        return sorted(self.decisions["fold"].unique(), key=name_order)

    @property
    def grouped(self) -> bool:
        """Whether some tracks belong together: by artist, or as copies of one recording."""
        facts = self.track(self.trained[0])
        return bool(facts["n_groups"] < facts["n_tracks"])

    @property
    def test(self) -> str:
        """What the test of a difference between two models is called."""
        if self.grouped:
            return "permutation test of whole groups"
        of_models = [self.track(model) for model in self.models]
        alone = all(m["n_seeds"] == 1 and m["n"] == m["n_tracks"] for m in of_models)
        return "exact McNemar test" if alone else "permutation test of whole tracks"

    @property
    def decision(self) -> str:
        """What is counted: tracks, unless these are tested several times."""
        return "track" if self.params.splits.repeats == 1 else "decision"

    @property
    def alpha(self) -> float:
        """Below which p-value a difference counts as significant."""
        return 1 - self.params.evaluation.confidence

    def track(self, model: str) -> dict[str, Any]:
        """Return the metrics of `model` at track level."""
        return self.metrics[model]["track"]

    def learnt_from(self, model: str) -> tuple[float, float]:
        """Return training tracks, and validation tracks that chose a number; mean over folds."""
        facts = [f for name in self.members(model) for f in self.model_facts[name].values()]
        return (
            sum(fact["n_train"] for fact in facts) / len(facts),
            sum(fact["n_valid"] for fact in facts) / len(facts),
        )

    def table(self, name: str) -> pd.DataFrame:
        """Read ``results/evaluation/<name>.csv``; folds are text."""
        return _read_csv(self.inputs.evaluation / f"{name}.csv")

    def explored(self, name: str) -> pd.DataFrame:
        """Read ``results/exploration/<name>``, a CSV or Parquet file."""
        path = self.inputs.exploration / name
        if path.suffix == ".csv":
            return _read_csv(path)
        return read_table(_existing(path), lineage.stamp("explore", self.params))

    @cached_property
    def costs(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What jobs cost by step and job, without those that weren't measured here."""
        found = {}
        for path in self.inputs.costs:
            step = path.stem if path.parent.name == "benchmarks" else path.parent.name
            if cost := read_json(path):
                found[step, path.stem] = cost
        return found

    @cached_property
    def duplicates(self) -> dict[str, Any]:
        """What :func:`~genreflow.tracks.audit.audit_duplicates` found."""
        found: dict[str, Any] = read_json(_existing(self.inputs.evaluation / "duplicates.json"))
        return found

    @cached_property
    def naive(self) -> dict[str, Any]:
        """What the naive protocol claims; see :mod:`genreflow.studies.naive`."""
        claim: dict[str, Any] = read_json(_existing(self.inputs.naive))
        return claim

    @cached_property
    def ungrouped(self) -> dict[str, Any]:
        """What ignoring artists would claim; see :mod:`genreflow.studies.ungrouped`."""
        claims: dict[str, Any] = read_json(_existing(self.inputs.ungrouped))
        return claims

    @cached_property
    def corpus_size(self) -> dict[str, Any]:
        """Accuracy against training tracks; see :mod:`genreflow.studies.corpus_size`."""
        curve: dict[str, Any] = read_json(_existing(self.inputs.corpus_size))
        return curve

    @cached_property
    def unknown(self) -> dict[str, Any]:
        """How sure models are of what they can't know; see :mod:`genreflow.studies.unknown`."""
        found: dict[str, Any] = read_json(_existing(self.inputs.unknown))
        return found

    @cached_property
    def chain(self) -> dict[str, Any]:
        """How well the chain alone tells the genre; see :mod:`genreflow.studies.chain_audit`."""
        found: dict[str, Any] = read_json(_existing(self.inputs.chain))
        return found

    @cached_property
    def model_facts(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What each training of each model says: best, n_parameters, model_bytes, …."""
        facts: dict[str, dict[str, dict[str, Any]]] = read_json(
            _existing(self.inputs.evaluation / "models.json")
        )
        return facts


def _existing(path: Path) -> Path:
    """Return `path`; raise :class:`ReportError` unless it is a file."""
    if not path.is_file():
        raise ReportError(f"{path}: no such file; rerun `snakemake`, which makes it anew.")
    return path


def _read_csv(path: Path) -> pd.DataFrame:
    return read_csv(_existing(path), names=_NAMES)


def read_results(params: Params, inputs: Inputs) -> Results:
    """Read what every part of the report needs.

    Raises
    ------
    ReportError
        There is no evaluation to report.
    genreflow.store.stamp.StaleArtifactError
        A file was made by other parameters.
    """
    metrics = inputs.evaluation / "metrics.json"
    if not metrics.is_file():
        raise ReportError(
            f"{metrics}: no such file, so there is nothing to report; `snakemake` makes it "
            "(rule evaluate)."
        )
    of_splits = read_stamp(inputs.splits).facts
    return Results(
        params=params,
        inputs=inputs,
        metrics=read_json(metrics),
        tracks=read_table(inputs.tracks, lineage.stamp("tracks", params)),
        splits=read_table(inputs.splits, lineage.stamp("splits", params)),
        decisions=read_table(
            inputs.evaluation / "predictions.parquet",
            lineage.stamp("evaluate", params, kind="evaluation"),
        ),
        tracks_stamp=read_stamp(inputs.tracks),
        n_grouped=of_splits["n_grouped"],
        groups=of_splits["groups"],
        groups_are_artists=of_splits["artists"],
        pieces=of_splits["pieces"],
    )
