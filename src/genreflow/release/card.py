"""The card of a release, in Markdown.

References
----------
M. Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from genreflow import registry
from genreflow.models.metadata import Metadata
from genreflow.params import Params
from genreflow.prediction.release import Release
from genreflow.registry import MODELS, embedding, resnet50

_TEMPLATES = Environment(
    loader=PackageLoader("genreflow.release"),
    autoescape=False,  # Markdown
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_TRAINED_ON = embedding.TRAINED_ON | resnet50.TRAINED_ON

_METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
    "precision_macro": "precision",
    "recall_macro": "recall",
    "robust_accuracy": "accuracy after codecs, filters, rooms",
    "ece": "expected calibration error",
    "ece_calibrated": "the same at the temperature of this release",
}


def render_card(
    release: Release, members: Mapping[str, Metadata], per_genre: pd.DataFrame, params: Params
) -> str:
    """Return the card of a release.

    Parameters
    ----------
    members
        What its models say of themselves, by their names.
    per_genre
        Columns genre, precision, recall, f1, support: of the model on test tracks.
    """
    evaluation = release.evaluation
    return _TEMPLATES.get_template("card.md.j2").render(
        name=release.name,
        about=_about(release),
        genres=release.genres,
        learnt=f"{release.trained_on} ({evaluation['tracks']} in all)",
        outside=[_outside(data) for data in release.outside_data],
        seconds=f"{release.stretch_seconds:.4g}",
        vouched=_vouched(release),
        metrics=[
            {"metric": title, "value": f"{evaluation[name]:.3f}{_interval(evaluation, name)}"}
            for name, title in _METRICS.items()
            if name in evaluation
        ],
        per_genre=[
            {
                "genre": row["genre"].replace("|", "\\|"),
                **{name: f"{row[name]:.2f}" for name in ("precision", "recall", "f1")},
                "support": row["support"],
            }
            for row in per_genre.to_dict("records")
        ],
        members=[
            {
                "name": name,
                "weight": _weight(release, name),
                "settings": yaml.safe_dump(
                    {
                        "parameters": params.section(registry.entry(name).section),
                        "chosen": dict(metadata.best),
                    },
                    sort_keys=False,
                ),
            }
            for name, metadata in members.items()
        ],
    )


def _about(release: Release) -> str:
    if release.name in MODELS:
        entry = MODELS[release.name]
        return f"{entry.title}: {entry.summary}"
    return (
        "A weighted vote: the logarithms of its members' probabilities are added with the mean of "
        "the weights that the folds' validation tracks chose."
    )


def _vouched(release: Release) -> str:
    facts = release.evaluation
    folds = "one split" if facts["folds"] == 1 else f"{facts['folds']} folds"
    same = (
        "No track is left to judge this model by. The same training was judged"
        if release.trained_on == "all tracks"
        else "The same training was judged"
    )
    return (
        f"{same} on {facts['n_tracks']} test tracks that it hadn't heard, in {folds} "
        f"({facts['strategy']}) of {facts['tracks']} tracks in {facts['groups']} groups, none of "
        "which is on two sides:"
    )


def _outside(data: str) -> str:
    return f"{data}: {_TRAINED_ON[data]}." if data in _TRAINED_ON else data


def _interval(evaluation: Mapping[str, Any], name: str) -> str:
    low, high = evaluation.get(f"{name}_low"), evaluation.get(f"{name}_high")
    return "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"


def _weight(release: Release, name: str) -> float | None:
    weights = {member.folder: member.weight for member in release.members}
    return weights.get(name)
