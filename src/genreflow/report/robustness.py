"""Whether models still know a song that came through another chain, in words and rows."""

from __future__ import annotations

from typing import Any

import pandas as pd

from genreflow.registry.changes import CHANGES, CLEAN
from genreflow.report import text
from genreflow.report.results import Results

UNCHANGED = "unchanged"
"""What the page calls the clean tracks."""

_MATTERS = 0.02
"""A change that costs more than this share of the tracks is named in the answer."""

_NAMED = 3


def measured(results: Results) -> pd.DataFrame:
    """Return ``robustness.csv`` with what the page writes of it; empty where it wasn't measured.

    Returns
    -------
    pandas.DataFrame
        Its columns, and: title (of the change), delta (accuracy less that of the unchanged
        tracks), and as text accuracy_text (with its interval), delta_text, agreement_text.
    """
    table = results.table("robustness")
    if table["change"].isin([CLEAN]).all():  # which is so of no rows, too
        return table.iloc[:0]
    clean = table[table["change"] == CLEAN].set_index("model")["accuracy"]
    table["title"] = table["change"].map({CLEAN: UNCHANGED, **CHANGES})
    table["delta"] = table["accuracy"] - table["model"].map(clean)
    return table.assign(
        accuracy_text=[
            text.percent_interval(*row)
            for row in table[["accuracy", "low", "high"]].itertuples(index=False)
        ],
        delta_text=table["delta"].map(text.points),
        agreement_text=table["agreement"].map(text.percent),
    )


def in_short(results: Results) -> list[str]:
    """Say which changes cost the best model of each kind most; empty where none was measured."""
    table = measured(results)
    known = set(table["model"])
    best = [kind[0] for kind in results.kinds if kind[0] in known]
    costly = [model for model in best if len(_costly(table, model))]
    return [
        _loses(results, table, model, explained=model == costly[-1])
        if model in costly
        else _holds(results, table, model)
        for model in best
    ]


def _costly(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the changes that cost `model` enough to be named, the dearest first."""
    rows = table[(table["model"] == model) & (table["change"] != CLEAN)]
    return rows[rows["delta"] < -_MATTERS].sort_values("delta", kind="stable")


def _holds(results: Results, table: pd.DataFrame, model: str) -> str:
    rows = table[table["model"] == model]
    return (
        f"Through other chains {model} holds: of {text.count(_n_changes(rows), 'change')} to the "
        "sound that leave the song what it is, none costs it more than two points "
        f"({_unchanged(results, model)}, on {_tracks(results, rows)})."
    )


def _loses(results: Results, table: pd.DataFrame, model: str, *, explained: bool) -> str:
    # Titles hold commas.
    named = "; ".join(
        f"{row['title']} {text.percent(row['accuracy'])}"
        for row in _costly(table, model).head(_NAMED).to_dict("records")
    )
    clean = _unchanged(results, model)
    tracks = _tracks(results, table[table["model"] == model])
    why = (
        ": that is what another recording chain does, and your own music may have come through one."
    )
    return (
        f"Through another chain {model} may know less: {named}, instead of {clean}, "
        f"on {tracks}{why if explained else '.'}"
    )


def _unchanged(results: Results, model: str) -> str:
    """Write what `model` gets right unchanged, and why where the leaderboard says otherwise."""
    scores = results.track(model)
    unchanged, all_of_it = (
        text.percent(scores[name]) for name in ("unchanged_accuracy", "accuracy")
    )
    why = (
        "" if unchanged == all_of_it else f" (not {all_of_it}: fewer windows or tracks are judged)"
    )
    return f"{unchanged} unchanged{why}"


def describe(results: Results, table: pd.DataFrame) -> dict[str, Any]:
    """Say what was done, and return the rows of both tables; see the template for the keys.

    Parameters
    ----------
    table
        From :func:`measured`, not empty.
    """
    return {
        "tracks": _tracks(results, table),
        "n_changes": text.count(_n_changes(table), "change"),
        "models": [_model(results, table, model) for model in _models(results, table)],
        "rows": table.to_dict("records"),
    }


def for_the_card(results: Results, model: str) -> str:
    """Say in a sentence or two how much `model` still knows."""
    table = measured(results)
    if model not in _models(results, table):
        return (
            "Whether it still knows a song that came through another codec, rate, level or room "
            "was not measured (`robustness.enabled`)."
        )
    row = _model(results, table, model)
    return (
        f"Through another chain: of {_tracks(results, table)} it gets {row['clean_text']} right "
        f"unchanged. After {text.count(_n_changes(table), 'change')} to the sound that leave the "
        f"song what it is, it gets {row['robust_text']} right on average and {row['worst_text']} "
        f"at worst ({row['worst_title']}); {row['agreement_text']} of its answers are those for "
        "the unchanged track."
    )


def in_the_comparison(results: Results) -> str:
    """Say what the columns of a comparison mean; "" where nothing was measured."""
    table = measured(results)
    if table.empty:
        return ""
    return (
        f"Robust: mean accuracy after {text.count(_n_changes(table), 'change')} to the sound that "
        f"leave the song what it is, on {_tracks(results, table)}; worst: the least of them; "
        "unchanged: accuracy on the same tracks as they are."
    )


def _n_changes(table: pd.DataFrame) -> int:
    return table.loc[table["change"] != CLEAN, "change"].nunique()


def _models(results: Results, table: pd.DataFrame) -> list[str]:
    """Return the models that were measured, best first."""
    known = set(table["model"])
    return [model for model in results.models if model in known]


def _model(results: Results, table: pd.DataFrame, model: str) -> dict[str, Any]:
    rows = table[table["model"] == model]
    metrics = results.track(model)
    agreement = rows.loc[rows["change"] != CLEAN, "agreement"].mean()
    return {
        "model": model,
        "clean": metrics["unchanged_accuracy"],
        "clean_text": text.percent(metrics["unchanged_accuracy"]),
        "robust": metrics["robust_accuracy"],
        "robust_text": text.percent(metrics["robust_accuracy"]),
        "worst": metrics["worst_accuracy"],
        "worst_text": text.percent(metrics["worst_accuracy"]),
        "worst_title": CHANGES[metrics["worst_change"]],
        "agreement": agreement,
        "agreement_text": text.percent(agreement),
    }


def _tracks(results: Results, table: pd.DataFrame) -> str:
    """Say how many test tracks were changed, and of which folds."""
    n = int(table["n"].max())
    tested = results.decisions.drop_duplicates(["fold", "track_id"])["fold"].value_counts()
    if len(tested) == 1:
        return f"the {text.count(n, 'test track')}"
    whose = "one fold" if n <= tested.max() else "all folds"
    return f"the {text.count(n, f'test {results.decision}')} of {whose}"
