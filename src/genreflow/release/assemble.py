"""The step `release`: a folder for each model and ensemble that predicts alone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import genreflow
from genreflow import lineage, registry
from genreflow.models.metadata import Metadata, read_metadata
from genreflow.params import Params
from genreflow.prediction.release import (
    ENCODERS,
    Index,
    Member,
    Release,
    write_index,
    write_release,
)
from genreflow.ranking import best_first
from genreflow.registry import ENSEMBLES
from genreflow.registry.entry import METADATA
from genreflow.release.acquaint import acquaint
from genreflow.release.card import render_card
from genreflow.store.files import file_sha256, read_csv, read_json, text_sha256
from genreflow.store.tables import read_stamp, read_table

CARD = "README.md"


@dataclass(frozen=True)
class Evaluation:
    """The tables that vouch for the models; see :mod:`genreflow.evaluation.run`.

    Attributes
    ----------
    metrics
        Of the level "track", by the model.
    temperatures
        Columns model, fold, temperature.
    weights
        Columns ensemble, fold, model, weight.
    per_genre
        Columns model, genre, precision, recall, f1, support: of the level "track".
    """

    metrics: Mapping[str, Any]
    temperatures: pd.DataFrame
    weights: pd.DataFrame
    per_genre: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> Evaluation:
        """Read what evaluation wrote."""
        return cls(
            {
                model: levels["track"]
                for model, levels in read_json(folder / "metrics.json").items()
            },
            read_csv(folder / "temperatures.csv"),
            read_csv(folder / "ensemble.csv"),
            read_csv(folder / "per_genre.csv").query("level == 'track'"),
        )

    def temperature_of(self, model: str) -> float:
        """Return the geometric mean over the folds."""
        of_folds = self.temperatures.loc[self.temperatures["model"] == model, "temperature"]
        return round(float(np.exp(np.log(of_folds).mean())), 6)

    def members_of(self, ensemble: str) -> tuple[Member, ...]:
        """Return the mean weights over the folds; a model without a say is left out."""
        rows = self.weights[self.weights["ensemble"] == ensemble]
        folds = rows["fold"].nunique()
        means = rows.groupby("model", sort=False)["weight"].sum() / folds
        return tuple(Member(str(name), round(float(w), 6)) for name, w in means.items() if w > 0)


def assemble(
    params: Params,
    refitted: Mapping[str, Path],
    evaluation: Path,
    tracks: Path,
    splits: Path,
    features: Sequence[Path],
    out: Path,
) -> None:
    """Write a release of every model and ensemble, and the index that names the best.

    Parameters
    ----------
    params
        All parameters.
    refitted
        Folder of each compared model, trained on all tracks.
    evaluation
        Folder of the tables of the comparison.
    tracks, splits
        The manifest and the splits.
    features
        Handcrafted features of all shards.
    out
        Folder to make, ``results/release``.

    Raises
    ------
    genreflow.models.base.ModelFileError, genreflow.store.stamp.StaleArtifactError
        An input can't be read, or was made by other parameters.
    """
    vouching = Evaluation.read(evaluation)
    split = read_table(splits, lineage.stamp("splits", params))
    audio: Mapping[str, str] = read_stamp(splits).facts["audio"]
    common = _common(params, tracks, split, audio)
    acquaintance = acquaint(params, features, split)
    if out.exists():
        shutil.rmtree(out)
    for model, folder in refitted.items():
        metadata = read_metadata(folder)
        _copy(folder, out / model)
        _add_encoders(params, [model], out / model)
        alone = replace(
            common,
            name=model,
            genres=metadata.signature.genres,
            members=(Member("."),),
            trained_on=_trained_on(params, [model]),
            outside_data=params.outside_data_of(model),
        )
        acquaintance.save(out / model)
        _finish(alone, {model: metadata}, vouching, params, out / model)
    for ensemble in ENSEMBLES:
        members = vouching.members_of(ensemble)
        if not members:
            continue
        models = [member.folder for member in members]
        found = {model: read_metadata(refitted[model]) for model in models}
        for model in models:
            _copy(refitted[model], out / ensemble / model)
        _add_encoders(params, models, out / ensemble)
        joined = replace(
            common,
            name=ensemble,
            genres=found[models[0]].signature.genres,
            members=members,
            joined="pool",
            trained_on=_trained_on(params, models),
            outside_data=tuple(dict.fromkeys(o for m in models for o in params.outside_data_of(m))),
        )
        acquaintance.save(out / ensemble)
        _finish(joined, found, vouching, params, out / ensemble)
    released = {name: vouching.metrics[name] for name in vouching.metrics if (out / name).is_dir()}
    ranked = best_first(released)
    write_index(Index(ranked[0], {name: released[name]["accuracy"] for name in ranked}), out)


def _common(params: Params, tracks: Path, split: pd.DataFrame, audio: Mapping[str, str]) -> Release:
    """Return what all releases of a run have in common."""
    manifest = read_table(tracks, lineage.stamp("tracks", params))
    heard = manifest[manifest["track_id"].isin(split["track_id"])]
    return Release(
        name="",
        genres=(),
        members=(),
        stretch_seconds=float(heard["decoded_seconds"].max()),
        digests={"audio": text_sha256(f"{name} {digest}\n" for name, digest in audio.items())},
        evaluation={
            "strategy": params.splits.strategy,
            "folds": int(split["fold"].nunique()),
            "groups": int(split["group"].nunique()),
            "tracks": int(split["track_id"].nunique()),
        },
    )


def _trained_on(params: Params, models: Sequence[str]) -> str:
    of_a_fold = [model for model in models if not params.release_of(model)]
    if not of_a_fold:
        return "all tracks"
    if of_a_fold == list(models):
        return "the training tracks of the first fold"
    return f"all tracks; {', '.join(of_a_fold)}: the training tracks of the first fold"


def _copy(folder: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    metadata = read_metadata(folder)
    for name in (METADATA, *registry.entry(metadata.signature.model).model_files):
        shutil.copyfile(folder / name, to / name)


def _add_encoders(params: Params, models: Sequence[str], to: Path) -> None:
    """Copy the encoders that some models' features are made with."""
    for kind in {kind.name: kind for model in models for kind in registry.kinds_of(model)}.values():
        for path in params.at(kind.section).needed:
            (to / ENCODERS).mkdir(exist_ok=True)
            copy = shutil.copytree if path.is_dir() else shutil.copyfile
            copy(path, to / ENCODERS / path.name)


def _finish(
    release: Release,
    members: Mapping[str, Metadata],
    vouching: Evaluation,
    params: Params,
    folder: Path,
) -> None:
    """Write what a release says of itself, beside the files that are there."""
    libraries = {k: v for metadata in members.values() for k, v in metadata.libraries.items()}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    release = replace(
        release,
        temperature=vouching.temperature_of(release.name),
        evaluation={**release.evaluation, **vouching.metrics[release.name]},
        versions={"genreflow": genreflow.__version__, **libraries},
        digests={
            **release.digests,
            **{path.relative_to(folder).as_posix(): file_sha256(path) for path in files},
        },
    )
    per_genre = vouching.per_genre.query("model == @release.name")
    card = render_card(release, members, per_genre, params)
    (folder / CARD).write_text(card, encoding="utf-8")
    write_release(release, folder)
