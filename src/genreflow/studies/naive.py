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
import pandas as pd

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

_FEWER_ROUNDS = 3


def naive_protocol(params: Params, features: Sequence[Path], splits: Path, out: Path) -> None:
    """Train and test the baseline on windows divided at random, and write what it would claim.

    The shares of training, validation and test windows are those of the first fold, and the model
    is given as many windows as the baseline draws from the tracks of that fold. Its parameters are
    the baseline's own but for a third of the rounds: where windows leak, boosting finds no end,
    and two thirds of the time would go into the last point of a claim that is wrong anyway.
    Copies of tracks (``audio.augment``) take no part: those of a test window would train.

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
        n_shared (how many of these also have training windows); or skipped, the reason why nothing
        was trained.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        An input was made by other parameters.
    """
    if not params.naive.enabled:
        write_json({"skipped": "naive.enabled is false"}, out)
        return
    params = params.of_training(BASELINE, 0)
    table = read_table(splits, lineage.stamp("splits", params))
    fold = table[table["fold"] == fold_names(params.splits)[0]].set_index("track_id")
    entry = registry.entry(BASELINE)
    with MelWindows(features, lineage.stamp(entry.reads[0], params)) as windows:
        genres = tuple(sorted(fold["genre"].unique()))
        # A partition may leave out a whole genre: its windows take no part.
        number = {genre: i for i, genre in enumerate(genres)}
        label = np.array([number.get(genre, -1) for genre in windows.genre])[windows.window_track]
        honest = np.array([fold["role"].get(track, "") for track in windows.track_id])
        role = _shuffled(honest[windows.window_track], params.splits.seed)
        per_track = params.at(entry.section).windows_per_track
        role = _thinned(role, fold["role"].value_counts() * per_track)
        parts = {name: _examples(windows, np.flatnonzero(role == name), label) for name in ROLES}
        signature = Signature(BASELINE, genres, windows.shape[1:])
        section = params.at(entry.section)
        rounds = max(1, section.n_estimators // _FEWER_ROUNDS)
        model = create(section.model_copy(update={"n_estimators": rounds}), signature)
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


def _thinned(role: np.ndarray, most: pd.Series[int]) -> np.ndarray:
    """Keep at most so many windows of each role, evenly spaced, so that no track is left out."""
    number = pd.Series(role)
    rank = number.groupby(number).cumcount().to_numpy()
    share = number.map(most / number.value_counts()).fillna(0).clip(upper=1).to_numpy()
    return np.where(np.floor((rank + 1) * share) > np.floor(rank * share), role, "")


def _examples(windows: MelWindows, rows: Integers, label: Integers) -> Examples:
    track = windows.window_track[rows]
    return Examples(
        source=windows,
        rows=rows,
        label=label[rows],
        track=track,
        group=track,
        copy=windows.window_copy[rows],
    )
