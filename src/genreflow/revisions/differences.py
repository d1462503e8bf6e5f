"""What is different between two runs, and whether their models can be paired track by track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from genreflow.evaluation.compare import groups_of_tracks, units_of
from genreflow.evaluation.intervals import difference_interval
from genreflow.evaluation.significance import holm, paired_p
from genreflow.params import Evaluation
from genreflow.revisions.snapshot import Snapshot

_ROW = ["fold", "track_id"]


@dataclass(frozen=True)
class ModelChange:
    """One model, then and now; what isn't known is None.

    Attributes
    ----------
    model
        Its name.
    then, now
        Its metrics at track level; None where it wasn't compared.
    delta
        Accuracy now less accuracy then.
    low, high
        Interval of `delta`, of paired tracks alone.
    gained, lost
        Decisions that are right now and weren't, and the other way round.
    p_value, p_adjusted
        Of the paired test; adjusted by Holm over all models that both runs have.
    """

    model: str
    then: Mapping[str, Any] | None
    now: Mapping[str, Any] | None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    gained: int | None = None
    lost: int | None = None
    p_value: float | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True)
class Differences:
    """What is different between two runs.

    Attributes
    ----------
    models
        Those of either run: those here in their order, then those that are no more.
    obstacles
        Why tracks can't be paired, in a few words each; none where they can.
    params
        Name, value then, value now; None where there was no such parameter.
    code
        Steps whose code differs, and those that are new or no more.
    """

    models: list[ModelChange]
    obstacles: list[str]
    params: list[tuple[str, Any, Any]]
    code: dict[str, list[str]]

    @property
    def paired(self) -> bool:
        """Whether models were compared track by track."""
        return not self.obstacles


def find(then: Snapshot, now: Snapshot, settings: Evaluation) -> Differences:
    """Compare two runs.

    Models are tested against themselves where both runs judged the same audio in the same
    divisions: the test that :func:`genreflow.evaluation.significance.paired_p` describes, on the
    groups that the divisions keep together.

    Parameters
    ----------
    then, now
        The runs.
    settings
        Level of intervals, and the seed of flips.
    """
    obstacles = _obstacles(then, now)
    models = list(dict.fromkeys([*now.models, *then.models]))
    changes = [_of_model(model, then, now, settings, paired=not obstacles) for model in models]
    return Differences(_adjusted(changes), obstacles, _params(then, now), _code(then, now))


def _of_model(
    model: str, then: Snapshot, now: Snapshot, settings: Evaluation, *, paired: bool
) -> ModelChange:
    before, after = (run.metrics.get(model, {}).get("track") for run in (then, now))
    if before is None or after is None:
        return ModelChange(model, before, after)
    if not paired:
        return ModelChange(model, before, after, after["accuracy"] - before["accuracy"])
    gained = (_right(now, model) - _right(then, model)).dropna()
    groups = groups_of_tracks(now.splits)
    units = units_of(gained.index.get_level_values("track_id"), groups)
    values = np.asarray(gained, dtype=np.float64)
    interval = difference_interval(values, units, settings.confidence)
    return ModelChange(
        model,
        before,
        after,
        float(values.mean()),
        interval.low if interval else None,
        interval.high if interval else None,
        int(np.sum(values > 0)),
        int(np.sum(values < 0)),
        paired_p(values, units, seed=settings.seed),
    )


def _right(run: Snapshot, model: str) -> pd.Series[float]:
    """Return how often a model is right of each test track: the mean over seeds."""
    rows = run.decisions[run.decisions["model"] == model]
    hit = (rows["predicted"] == rows["genre"]).astype(float)
    return hit.groupby([rows[name] for name in _ROW]).mean()


def _adjusted(changes: list[ModelChange]) -> list[ModelChange]:
    p_values = {one.model: one.p_value for one in changes if one.p_value is not None}
    adjusted = holm(p_values)
    return [replace(one, p_adjusted=adjusted.get(one.model)) for one in changes]


def _obstacles(then: Snapshot, now: Snapshot) -> list[str]:
    """Say why decisions of the two runs don't belong together."""
    before, after = (run.splits.set_index(_ROW).sort_index() for run in (then, now))
    both = before.index.intersection(after.index)
    told = []
    old, new = (set(table.index.get_level_values("track_id")) for table in (before, after))
    if gone := old - new:
        told.append(f"tracks that are no more: {_named(gone)}")
    if come := new - old:
        told.append(f"tracks that are new: {_named(come)}")
    if old == new and len(both) < max(len(before), len(after)):
        told.append("the folds are others")
    for column in ("role", "genre"):
        differs = (before.loc[both, column] != after.loc[both, column]).to_numpy()
        if differs.any():
            moved = set(both[differs].get_level_values("track_id"))
            told.append(f"tracks with another {column}: {_named(moved)}")
    if changed := _other_audio(then, now, old & new):
        told.append(f"tracks with other audio: {_named(changed)}")
    return told


def _other_audio(then: Snapshot, now: Snapshot, shared: set[str]) -> set[str]:
    before, after = (
        run.tracks.set_index("track_id")["source_sha256"].reindex(sorted(shared))
        for run in (then, now)
    )
    return set(before.index[(before != after).to_numpy()])


def _named(tracks: set[str]) -> str:
    return f"{len(tracks)} ({', '.join(sorted(tracks)[:2])}{', …' if len(tracks) > 2 else ''})"


def _params(then: Snapshot, now: Snapshot) -> list[tuple[str, Any, Any]]:
    names = dict.fromkeys([*now.params, *then.params])
    pairs = [(name, then.params.get(name), now.params.get(name)) for name in names]
    return [(name, before, after) for name, before, after in pairs if before != after]


def _code(then: Snapshot, now: Snapshot) -> dict[str, list[str]]:
    both = then.code.keys() & now.code.keys()
    return {
        "changed": sorted(step for step in both if then.code[step] != now.code[step]),
        "new": sorted(now.code.keys() - both),
        "gone": sorted(then.code.keys() - both),
    }
