"""What the naive protocol would have claimed: windows, not tracks, divided at random.

Windows of one track share its instruments, its recording and, overlapping, their very samples. A
model that has seen some of them recognises the others without knowing the genre. Training the
baseline once that way shows by how much this inflates its accuracy.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genreflow import lineage, registry
from genreflow.evaluation.metrics import scores
from genreflow.features.mel.read import MelWindows
from genreflow.features.rows import Integers
from genreflow.folds import fold_names
from genreflow.models.base import Examples, Signature
from genreflow.models.loading import create
from genreflow.params import Params
from genreflow.registry import BASELINE
from genreflow.store.files import write_json
from genreflow.store.tables import read_table

log = logging.getLogger(__name__)

ROLES = ("train", "valid", "test")


def naive_protocol(params: Params, features: Sequence[Path], splits: Path, out: Path) -> None:
    """Train and test the baseline on windows divided at random, and write what it would claim.

    The shares of training, validation and test windows are those of the first fold, and the
    model's parameters, its training windows per track among them, are the baseline's own.

    Parameters
    ----------
    params
        All parameters.
    features
        Mel windows of all shards.
    splits
        The honest splits, for the shares and the tracks.
    out
        JSON to write: model, n (test windows), accuracy, f1_macro, n_tracks (with test windows),
        n_shared (how many of these also have training windows).

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        An input was made by other parameters.
    """
    table = read_table(splits, lineage.stamp("splits", params))
    fold = table[table["fold"] == fold_names(params.splits)[0]].set_index("track_id")
    entry = registry.entry(BASELINE)
    with MelWindows(features, lineage.stamp(entry.features, params)) as windows:
        genres = tuple(sorted(fold["genre"].unique()))
        # A partition may leave out a whole genre: its windows take no part.
        number = {genre: i for i, genre in enumerate(genres)}
        label = np.array([number.get(genre, -1) for genre in windows.genre])[windows.window_track]
        honest = np.array([fold["role"].get(track, "") for track in windows.track_id])
        role = _shuffled(honest[windows.window_track], params.splits.seed)
        parts = {name: _examples(windows, np.flatnonzero(role == name), label) for name in ROLES}
        signature = Signature(BASELINE, genres, windows.shape[1:])
        model = create(params.at(entry.section), signature)
        log.info("naive protocol: %d training windows", len(parts["train"]))
        model.fit(parts["train"], parts["valid"])
        test = parts["test"]
        predicted = np.concatenate([model.predict_proba(x) for x in test.batches()]).argmax(axis=1)
    claimed = scores(test.label, predicted)
    tested = np.unique(test.track)
    write_json(
        {
            "model": BASELINE,
            "n": len(test),
            "accuracy": claimed.accuracy,
            "f1_macro": claimed.f1_macro,
            "n_tracks": len(tested),
            "n_shared": int(np.isin(tested, parts["train"].track).sum()),
        },
        out,
    )


def _shuffled(role: np.ndarray, seed: int) -> np.ndarray:
    """Deal the roles of all windows anew; windows that take no part (``""``) stay out."""
    shuffled = role.copy()
    taking_part = np.flatnonzero(role != "")
    shuffled[taking_part] = np.random.default_rng(seed).permutation(role[taking_part])
    return shuffled


def _examples(windows: MelWindows, rows: Integers, label: Integers) -> Examples:
    track = windows.window_track[rows]
    return Examples(source=windows, rows=rows, label=label[rows], track=track, group=track)
