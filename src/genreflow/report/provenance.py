"""Where the numbers come from: commit, parameters, packages, corpus, splits."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from genreflow.evaluation.metrics import natural_order
from genreflow.params import Params
from genreflow.report.results import Results

_PACKAGES = [
    "genreflow",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "soundfile",
    "soxr",
    "librosa",
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

    Parameters
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
    root = results.folder.resolve().parent
    status = _git(root, "status", "--porcelain")
    splits = results.splits.sort_values(["fold", "track_id"])
    return Provenance(
        commit=_git(root, "rev-parse", "HEAD"),
        dirty=[line[3:] for line in (status or "").splitlines()],
        system=f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        packages=_versions(),
        parameters=yaml.safe_dump(
            results.params.model_dump(mode="json"), sort_keys=False, allow_unicode=True
        ),
        changed=_changed(results.params),
        corpus=corpus_fingerprint(results.tracks),
        split=_digest(
            "\t".join(row)
            for row in splits[["fold", "track_id", "role"]].itertuples(index=False, name=None)
        ),
        folds=_folds(results.splits),
    )


def corpus_fingerprint(tracks: pd.DataFrame) -> str:
    """Digest which audio files were used: track_id and SHA-256 of every usable file."""
    usable = tracks[tracks["status"] == "ok"].sort_values("track_id")
    return _digest(f"{row.track_id}\t{row.source_sha256}" for row in usable.itertuples(index=False))


def _digest(lines: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _git(root: Path, *arguments: str) -> str | None:
    """Return git's answer, or None outside of a repository or without git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.rstrip("\n")


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _changed(params: Params) -> list[tuple[str, Any, Any]]:
    default = dict(_leaves(Params().model_dump(mode="json")))
    here = _leaves(params.model_dump(mode="json"))
    return [(name, value, default[name]) for name, value in here if value != default[name]]


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _folds(splits: pd.DataFrame) -> list[dict[Hashable, Any]]:
    counts = pd.crosstab(splits["fold"], splits["role"])
    counts = counts.reindex(columns=["train", "valid", "test"], fill_value=0)
    ordered = counts.loc[sorted(counts.index, key=natural_order)].reset_index()
    return ordered.to_dict("records")
