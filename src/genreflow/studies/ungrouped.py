"""What ignoring artists would have claimed: the same tracks, divided as if no artist were known.

A model that has heard an artist recognises the voice, the band, the studio. How much of an accuracy
is that shows where artists are listed: two cheap models are trained once more on folds that may
divide artists. Recordings found twice are treated as in the honest folds.

References
----------
A. Flexer, "A closer look on artist filters for musical genre classification", ISMIR 2007.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from genreflow import lineage
from genreflow.params import Params
from genreflow.registry import PROBES
from genreflow.store.files import write_json
from genreflow.store.tables import read_stamp, read_table
from genreflow.studies.trial import Features, run_trial
from genreflow.tracks.splits import make_splits


def ungrouped_protocol(
    params: Params, features: Features, tracks: Path, splits: Path, out: Path
) -> None:
    """Train the probes on folds that ignore artists, and write what they would claim.

    Parameters
    ----------
    params
        All parameters.
    features
        Of all shards, by kind.
    tracks, splits
        The manifest, and the honest splits.
    out
        JSON to write: models (model → n, n_train, accuracy); or skipped, the reason why
        nothing was trained.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError
        An input was made by other parameters.
    """
    stamp = read_stamp(splits)
    if reason := _obstacle(params, stamp.facts["n_grouped"]):
        write_json({"skipped": reason}, out)
        return
    once = params.splits.model_copy(update={"repeats": 1})
    manifest = read_table(tracks, lineage.stamp("tracks", params))
    nothing = pd.DataFrame(columns=["track_id", "group", "role"], dtype=str)
    table = make_splits(manifest[manifest["status"] == "ok"], nothing, nothing, once)
    folds = [fold for _, fold in table.groupby("fold")]
    claims = {
        model: run_trial(model, folds, params, features, splits).summary() for model in PROBES
    }
    write_json({"models": claims}, out)


def _obstacle(params: Params, n_grouped: int) -> str:
    """Say why there is nothing to find out; "" where there is."""
    if not params.ungrouped.enabled:
        return "ungrouped.enabled is false"
    if not params.splits.drawn:
        return f"splits.strategy is {params.splits.strategy}: the partition is given"
    if not n_grouped:
        return "no artists are known"
    return ""
