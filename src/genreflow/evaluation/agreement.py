"""How alike models decide, and which tracks and genres they get wrong."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score

from genreflow.evaluation.predictions import Predictions


def agreement(decisions: Mapping[str, Predictions]) -> pd.DataFrame:
    """Compare every pair of models on the tracks that both decided.

    Parameters
    ----------
    decisions
        Of tracks, per model.

    Returns
    -------
    DataFrame
        Columns model, other, n, agreement (share of equal decisions), kappa (Cohen's: agreement
        beyond chance), both_right, only_model, only_other, both_wrong (counts).
    """
    rows = []
    for model, other in product(decisions, repeat=2):
        here, there = paired(decisions[model], decisions[other])
        right, other_right = here.actual == here.predicted, there.actual == there.predicted
        same = here.predicted == there.predicted
        rows.append(
            {
                "model": model,
                "other": other,
                "n": len(here),
                "agreement": float(same.mean()) if len(here) else np.nan,
                "kappa": _kappa(here.predicted, there.predicted),
                "both_right": int((right & other_right).sum()),
                "only_model": int((right & ~other_right).sum()),
                "only_other": int((~right & other_right).sum()),
                "both_wrong": int((~right & ~other_right).sum()),
            }
        )
    return pd.DataFrame(rows)


def paired(one: Predictions, other: Predictions) -> tuple[Predictions, Predictions]:
    """Return the rows that both have, in the same order."""
    if one.index.equals(other.index):
        return one, other
    common = one.index.intersection(other.index, sort=False)
    return (
        one.select(np.asarray(one.index.get_indexer(common), np.intp)),
        other.select(np.asarray(other.index.get_indexer(common), np.intp)),
    )


def confused_pairs(decisions: Mapping[str, Predictions]) -> pd.DataFrame:
    """Rank ordered pairs of genres by how often one was taken for the other.

    Parameters
    ----------
    decisions
        Of tracks, per model.

    Returns
    -------
    DataFrame
        Columns actual, predicted, count (summed over models), share (of all decisions on tracks
        of `actual`), and models: how many models made the mistake at least once.
    """
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "model": model,
                    "actual": part.keys["genre"],
                    "predicted": np.asarray(part.genres, dtype=object)[part.predicted],
                }
            )
            for model, part in decisions.items()
        ],
        ignore_index=True,
    )
    support = table.groupby("actual").size()
    wrong = table[table["actual"] != table["predicted"]]
    pairs = (
        wrong.groupby(["actual", "predicted"])
        .agg(count=("model", "size"), models=("model", "nunique"))
        .reset_index()
    )
    # Where nobody errs the table is empty, and mapping keeps the type of the names.
    pairs["share"] = pairs["count"] / pairs["actual"].map(support).astype(float)
    return pairs.sort_values(
        ["count", "actual", "predicted"], ascending=[False, True, True], ignore_index=True
    )[["actual", "predicted", "count", "share", "models"]]


def hardest_tracks(decisions: Mapping[str, Predictions]) -> pd.DataFrame:
    """Rank tracks by how many models got them wrong, then by how little they believed the truth.

    Parameters
    ----------
    decisions
        Of tracks, per model.

    Returns
    -------
    DataFrame
        Columns fold, track_id, genre, models (that decided the track), wrong (how many of them
        were), probability (mean probability of the true genre), taken_for (the most frequent wrong
        decision, "" when there is none); only tracks that some model got wrong.
    """
    table = pd.concat(
        [
            part.keys[["fold", "track_id", "genre"]].assign(
                decision=np.asarray(part.genres, dtype=object)[part.predicted],
                probability=part.probabilities[np.arange(len(part)), part.actual],
            )
            for part in decisions.values()
        ],
        ignore_index=True,
    )
    table["wrong"] = table["decision"] != table["genre"]
    keys = ["fold", "track_id", "genre"]
    ranked = (
        table.groupby(keys)
        .agg(models=("wrong", "size"), wrong=("wrong", "sum"), probability=("probability", "mean"))
        .reset_index()
    )
    mistakes = table[table["wrong"]].groupby([*keys, "decision"]).size().rename("n").reset_index()
    taken = mistakes.sort_values(["n", "decision"], ascending=[False, True]).drop_duplicates(keys)
    ranked = ranked.merge(taken[[*keys, "decision"]], on=keys, how="left")
    ranked = ranked.rename(columns={"decision": "taken_for"}).fillna({"taken_for": ""})
    return ranked[ranked["wrong"] > 0].sort_values(
        ["wrong", "probability", "track_id", "fold"],
        ascending=[False, True, True, True],
        ignore_index=True,
    )


def _kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Return Cohen's kappa, or 1 where both models decide the same single genre throughout."""
    if one.size == 0:
        return float("nan")
    if np.unique(one).size == 1 and np.array_equal(one, other):
        return 1.0
    return float(cohen_kappa_score(one, other))
