"""Where the numbers come from: commit, parameters, packages, corpus, splits."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import pandas as pd
import yaml

from genreflow.folds import name_order
from genreflow.nested import flatten
from genreflow.params import Params
from genreflow.registry import entry
from genreflow.report.results import Results
from genreflow.store.files import text_sha256

_PACKAGES = [
    "genreflow",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "soundfile",
    "soxr",
    "scikit-learn",
    "xgboost",
    "xgboost-cpu",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "statsmodels",
    "altair",
    "snakemake",
    "dvc",
]


@dataclass(frozen=True)
class Provenance:
    """What identifies a run.

    Attributes
    ----------
    commit
        Git commit, None outside of a repository.
    dirty
        Tracked or new files that differ from the commit.
    system, packages
        Python and platform; installed versions by package.
    parameters
        All parameters as YAML.
    changed
        Parameters that differ from their defaults: name, value, default.
    corpus, split
        Fingerprints (SHA-256) of the audio files used and of the splits.
    folds
        One row per fold: fold, train, valid, test.
    """

    commit: str | None
    dirty: list[str]
    system: str
    packages: dict[str, str]
    parameters: str
    changed: list[tuple[str, Any, Any]]
    corpus: str
    split: str
    folds: list[dict[Hashable, Any]]


def collect(results: Results) -> Provenance:
    """Describe the run behind `results`."""
    status = _git("status", "--porcelain")
    splits = results.splits.sort_values(["fold", "track_id"])
    return Provenance(
        commit=_git("rev-parse", "HEAD"),
        dirty=[line[3:] for line in (status or "").splitlines()],
        system=f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        packages=_versions([*_PACKAGES, *_of_other_packages(results)]),
        parameters=yaml.safe_dump(
            results.params.model_dump(mode="json"), sort_keys=False, allow_unicode=True
        ),
        changed=_changed(results.params),
        corpus=corpus_fingerprint(results.tracks),
        split=_fingerprint(splits[["fold", "track_id", "role"]].itertuples(index=False, name=None)),
        folds=_folds(results.splits),
    )


def corpus_fingerprint(tracks: pd.DataFrame) -> str:
    """Digest which audio files were used: track_id and SHA-256 of every usable file."""
    usable = tracks[tracks["status"] == "ok"].sort_values("track_id")
    return _fingerprint(usable[["track_id", "source_sha256"]].itertuples(index=False, name=None))


def _fingerprint(rows: Iterable[tuple[str, ...]]) -> str:
    return text_sha256(["\n".join("\t".join(row) for row in rows)])


def _git(*arguments: str) -> str | None:
    """Return git's answer, or None outside of a repository or without git."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.rstrip("\n")


def _of_other_packages(results: Results) -> list[str]:
    """Return the packages that compared models come from, where they aren't ours."""
    found = {entry(model).distribution for model in results.trained}
    return sorted(name for name in found if name is not None)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _changed(params: Params) -> list[tuple[str, Any, Any]]:
    default = flatten(Params().model_dump(mode="json"))
    here = flatten(params.model_dump(mode="json")).items()
    return [(name, value, default[name]) for name, value in here if value != default[name]]


def _folds(splits: pd.DataFrame) -> list[dict[Hashable, Any]]:
    counts = pd.crosstab(splits["fold"], splits["role"])
    counts = counts.reindex(columns=["train", "valid", "test"], fill_value=0)
    ordered = counts.loc[sorted(counts.index, key=name_order)].reset_index()
    return ordered.to_dict("records")
