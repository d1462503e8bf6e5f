"""Measure what each lever does for the features of tracks that another recording chain changed.

    python benchmarks/changed_copies.py data/genres data/changed
    python benchmarks/levers.py data/genres data/changed --groups data/groups.csv

Handcrafted features, one more lever in each row, without and with copies to train on, and what
those do to a support vector machine (RBF, C = 10): five folds that no group crosses and five at
random, each of several divisions, test tracks changed. docs/experiments.md shows the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console
from rich.progress import track as progress
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from genreflow.audio.augment import make_copies
from genreflow.audio.decode import decode
from genreflow.audio.samples import Samples
from genreflow.features.handcrafted.extract import extract
from genreflow.models.grid import preparation
from genreflow.params import Audio
from genreflow.registry.handcrafted import Handcrafted

CLEAN = "clean"
PLAIN: dict[str, Any] = {
    "normalise": False,
    "skip_silence": False,
    "statistics": "plain",
    "range_db": 80.0,
}
LEVERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("plain", {}),
    ("same level", {"normalise": True}),
    ("no silence", {"skip_silence": True}),
    ("robust statistics", {"statistics": "robust"}),
    ("range of 60 dB", {"range_db": 60.0}),
)

Floats = npt.NDArray[np.float32]
Folds = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]


def features(tracks: Mapping[str, Samples], params: Handcrafted) -> Floats:
    """Return one row of features per track."""
    return np.stack([extract(samples, Audio().sample_rate, params) for samples in tracks.values()])


def decoded(folder: Path, tracks: Sequence[str]) -> dict[str, Samples]:
    """Decode the tracks (``genre/name``) of a folder of genre folders."""
    found = {f"{path.parent.name}/{path.stem}": path for path in folder.glob("*/*")}
    return {track: decode(found[track], Audio()).samples for track in tracks}


def accuracies(
    values: Mapping[str, Floats],
    copies: Sequence[Floats],
    label: Floats,
    folds: Folds,
    *,
    ranks: bool,
) -> dict[str, float]:
    """Return the accuracy on the test tracks of all folds, by change."""
    right: dict[str, list[float]] = {change: [] for change in values}
    for train, test in folds:
        seen = np.concatenate([part[train] for part in (values[CLEAN], *copies)])
        scale, _ = preparation("ranks" if ranks else "standard").steps
        machine = Pipeline([scale, ("classify", SVC(C=10, gamma=1 / seen.shape[1]))])
        machine.fit(seen, np.tile(label[train], 1 + len(copies)))
        for change, rows in values.items():
            right[change].extend(machine.predict(rows[test]) == label[test])
    return {change: float(np.mean(hits)) for change, hits in right.items()}


def rows(
    corpus: Path,
    changed: Path,
    changes: Sequence[str],
    folds_of: Mapping[str, Folds],
    tracks: list[str],
) -> Iterator[dict[str, Any]]:
    """Yield what each lever does, one more at a time."""
    label = np.array([track.partition("/")[0] for track in tracks])
    audio = {change: decoded(changed / change, tracks) for change in progress(changes, "decode")}
    originals = decoded(corpus, tracks)
    made: dict[str, dict[str, Samples]] = {}
    for track, samples in progress(list(originals.items()), "copy", console=Console(stderr=True)):
        for name, copy in make_copies(samples, track, Audio()):
            made.setdefault(name, {})[track] = copy
    settings = dict(PLAIN)
    for lever, setting in progress(LEVERS, "levers", console=Console(stderr=True)):
        settings |= setting
        params = Handcrafted(**settings)
        values = {change: features(audio[change], params) for change in changes}
        copies = [features(of_name, params) for of_name in made.values()]
        for protocol, folds in folds_of.items():
            for trained, more in (("tracks", []), ("and copies", copies)):
                found = accuracies(values, more, label, folds, ranks=False)
                yield {"levers": lever, "trained on": trained, "folds": protocol, **found}
                if setting == LEVERS[-1][1]:
                    found = accuracies(values, more, label, folds, ranks=True)
                    yield {"levers": "ranks", "trained on": trained, "folds": protocol, **found}


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder of genre folders.")],
    changed: Annotated[Path, typer.Argument(help="What changed_copies.py wrote of it.")],
    groups: Annotated[Path, typer.Option(help="CSV track_id, group.")] = Path("data/groups.csv"),
    divisions: Annotated[int, typer.Option(min=1, help="Mean over so many seeds of folds.")] = 3,
    changes: Annotated[
        str, typer.Option(help="With commas between.")
    ] = "clean,band_16khz,mp3_64,mp3_32,treble_down,silence_25ms,noise,faster,quieter",
) -> None:
    """Print the table."""
    listed = pd.read_csv(groups, dtype=str).set_index("track_id")["group"]
    files = sorted(path for path in corpus.glob("*/*") if path.is_file())
    tracks = [f"{path.parent.name}/{path.stem}" for path in files]
    group = [listed.get(f"{path.parent.name}/{path.name}", path.stem) for path in files]
    label = [path.parent.name for path in files]
    folds_of: dict[str, Folds] = {"artists apart": [], "random": []}
    for seed in range(divisions):
        apart = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        mixed = StratifiedKFold(5, shuffle=True, random_state=seed)
        folds_of["artists apart"] += apart.split(label, label, group)
        folds_of["random"] += mixed.split(label, label)
    table = pd.DataFrame(rows(corpus, changed, changes.split(","), folds_of, tracks))
    print(table.round(3).to_markdown(index=False))


if __name__ == "__main__":
    typer.run(main)
