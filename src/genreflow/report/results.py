"""What the report is made from: the files that the pipeline wrote, read once."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from genreflow import lineage, parquet
from genreflow.artifacts import Stamp
from genreflow.evaluation.compare import Metrics
from genreflow.evaluation.ensemble import NAME as ENSEMBLE
from genreflow.evaluation.metrics import natural_order
from genreflow.evaluation.run import stamp as evaluation_stamp
from genreflow.params import BASELINE, Params

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class ReportError(ValueError):
    """The report can't be made; the message says which file is missing and what makes it."""


@dataclass(frozen=True)
class Results:
    """The results of a run.

    Parameters
    ----------
    params
        All parameters.
    folder
        ``results``.
    metrics
        Model → level → metric.
    tracks, splits, decisions
        The manifest, the splits, and the pooled test decisions of every model.
    tracks_stamp
        The manifest's stamp, whose facts name the ignored files.
    notes
        What had to be left out of the page, and why; sections append to it.
    """

    params: Params
    folder: Path
    metrics: Metrics
    tracks: pd.DataFrame
    splits: pd.DataFrame
    decisions: pd.DataFrame
    tracks_stamp: Stamp
    notes: list[str] = field(default_factory=list)

    @property
    def models(self) -> list[str]:
        """All models and the ensemble, best track accuracy first."""
        return sorted(self.metrics, key=lambda model: (*_descending(self.track(model)), model))

    @property
    def trained(self) -> list[str]:
        """The models without the ensemble, best first."""
        return [model for model in self.models if model != ENSEMBLE]

    @property
    def has_baseline(self) -> bool:
        """Whether the baseline was trained."""
        return BASELINE in self.metrics

    @property
    def genres(self) -> list[str]:
        """The genres, in the order of the probability columns."""
        known = {"model", "track_id", "genre", "fold", "predicted", "predicted_hard"}
        return [column for column in self.decisions.columns if column not in known]

    @property
    def folds(self) -> list[str]:
        """The folds that were tested."""
        return sorted(self.decisions["fold"].unique(), key=natural_order)

    def track(self, model: str) -> dict[str, Any]:
        """Return the metrics of `model` at track level."""
        return self.metrics[model]["track"]

    def table(self, name: str) -> pd.DataFrame:
        """Read ``results/evaluation/<name>.csv``; folds are text."""
        path = self.folder / "evaluation" / f"{name}.csv"
        if not path.is_file():
            raise ReportError(f"{path}: no such file; `snakemake` makes it (rule evaluate).")
        return pd.read_csv(path, dtype={"fold": str}, keep_default_na=False, na_values=[""])

    def model_folders(self, model: str) -> dict[str, Path]:
        """Return the folder of each tested fold of `model`."""
        folders = {fold: self.folder / "models" / model / fold for fold in self.folds}
        return {fold: folder for fold, folder in folders.items() if folder.is_dir()}

    def model_facts(self, model: str) -> dict[str, dict[str, Any]]:
        """Return the content of ``model.json`` per fold, where there is one."""
        return {
            fold: json.loads((folder / "model.json").read_text(encoding="utf-8"))
            for fold, folder in self.model_folders(model).items()
            if (folder / "model.json").is_file()
        }

    def optional(self, what: str, make: Callable[[], _T]) -> _T | None:
        """Return ``make()``, or None and a note on the page when its input can't be used."""
        try:
            return make()
        except (OSError, ValueError, KeyError) as error:
            log.warning("the report goes without %s: %s", what, error)
            self.notes.append(f"{what}: {error}")
            return None


def read_results(params: Params, folder: Path) -> Results:
    """Read what every part of the report needs.

    Raises
    ------
    ReportError
        There is no evaluation to report.
    genreflow.artifacts.StaleArtifactError
        A file was made by other parameters.
    """
    evaluation = folder / "evaluation"
    metrics_path = evaluation / "metrics.json"
    if not metrics_path.is_file():
        raise ReportError(
            f"{metrics_path}: no such file, so there is nothing to report; `snakemake` makes it "
            "(rule evaluate)."
        )
    tracks = folder / "tracks.parquet"
    return Results(
        params=params,
        folder=folder,
        metrics=json.loads(metrics_path.read_text(encoding="utf-8")),
        tracks=parquet.read_table(tracks, lineage.stamp("tracks", params)),
        splits=parquet.read_table(folder / "splits.parquet", lineage.stamp("splits", params)),
        decisions=parquet.read_table(evaluation / "predictions.parquet", evaluation_stamp(params)),
        tracks_stamp=parquet.read_stamp(tracks),
    )


def _descending(metrics: dict[str, Any]) -> tuple[float, float]:
    return -metrics["accuracy"], -metrics["f1_macro"]
