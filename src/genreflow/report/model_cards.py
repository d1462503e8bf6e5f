"""A model card in Markdown for every trained model.

Mitchell et al. (2019), "Model cards for model reporting", FAT*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from genreflow import registry
from genreflow.folds import name_order
from genreflow.registry import BASELINE, embedding, resnet50
from genreflow.report import robustness, text
from genreflow.report.costs import Cost
from genreflow.report.page import templates
from genreflow.report.provenance import Provenance
from genreflow.report.results import Results

_MISTAKES = 5

_TRAINED_ON = embedding.TRAINED_ON | resnet50.TRAINED_ON

_UNKNOWN = (
    "what it was trained on can't be known here; if recordings of this corpus were among that, the "
    "accuracy is too high"
)


def render_card(results: Results, model: str, cost: Cost, provenance: Provenance) -> str:
    """Return the card of `model`."""
    params = results.params
    per_genre = results.table("per_genre")
    per_genre = per_genre[(per_genre["model"] == model) & (per_genre["level"] == "track")]
    usable = int((results.tracks["status"] == "ok").sum())
    return templates.get_template("card.md.j2").render(
        model=model,
        about=_about(model),
        input=_input(results, model),
        genres=[text.markdown(genre) for genre in results.genres],
        corpus=f"{text.count(usable, 'track')} in {text.markdown(params.corpus.root)}",
        split=f"{text.count(len(results.folds), 'fold')} ({params.splits.strategy})",
        outside=_outside_data(results, model),
        learnt=text.learnt_from(*results.learnt_from(model)),
        parameters=text.integer(cost.parameters),
        size=text.number(cost.model_mb),
        fit=text.duration(cost.fit_seconds),
        predict=text.number(cost.predict_ms_per_track),
        memory=text.number(cost.peak_rss_mb),
        levels=[_level(level, metrics) for level, metrics in results.metrics[model].items()],
        confidence=f"{100 * params.evaluation.confidence:g} %",
        versus=_versus(results, model),
        robustness=robustness.for_the_card(results, model),
        per_genre=[
            {
                "genre": text.markdown(row["genre"]),
                "precision": text.ratio(row["precision"]),
                "recall": text.ratio(row["recall"]),
                "f1": text.ratio(row["f1"]),
                "support": row["support"],
            }
            for row in per_genre.to_dict("records")
        ],
        calibrated=text.ratio(results.track(model)["ece_calibrated"]),
        confusions=_mistakes(results.table("confusion"), model),
        settings=yaml.safe_dump(params.section(registry.entry(model).section), sort_keys=False),
        chosen=_chosen(results, model),
        commit=f"{provenance.commit or 'not in a Git repository'}"
        + (" with uncommitted changes" if provenance.dirty else ""),
        fingerprint=provenance.corpus,
        split_digest=provenance.split,
        system=provenance.system,
    )


def _about(model: str) -> str:
    """Return the model's title and what it is."""
    entry = registry.entry(model)
    return f"{entry.title}: {entry.summary}"


def _input(results: Results, model: str) -> str:
    """Return which features the model reads, and how they were computed."""
    described = []
    for kind in registry.kinds_of(model):
        settings = results.params.section(kind.section).items()
        values = ", ".join(f"{name} {value}" for name, value in settings)
        described.append(f"{kind.title} ({values})")
    return "; ".join(described)


def _outside_data(results: Results, model: str) -> list[dict[str, str]]:
    """Return what outside data has a say in the model, together where the same is said of it."""
    names: dict[str, list[str]] = {}
    for name in results.outside_data(model):
        names.setdefault(_TRAINED_ON.get(name, _UNKNOWN), []).append(text.markdown(name))
    return [{"names": text.listing(named), "said": said} for said, named in names.items()]


def _level(level: str, metrics: Mapping[str, Any]) -> dict[str, str]:
    get = metrics.get
    return {
        "level": level,
        "n": text.integer(metrics["n"]),
        "accuracy": text.percent_interval(
            metrics["accuracy"], get("accuracy_low"), get("accuracy_high")
        ),
        "balanced": text.percent_interval(
            metrics["balanced_accuracy"],
            get("balanced_accuracy_low"),
            get("balanced_accuracy_high"),
        ),
        "f1": text.ratio_interval(metrics["f1_macro"], get("f1_macro_low"), get("f1_macro_high")),
        "precision": text.ratio(metrics["precision_macro"]),
        "recall": text.ratio(metrics["recall_macro"]),
        "ece": text.ratio(metrics["ece"]),
    }


def _versus(results: Results, model: str) -> str:
    if model == BASELINE:
        return "This is the baseline that the other models are compared with."
    metrics = results.track(model)
    if "p_adjusted" not in metrics:
        return ""
    difference = text.points_interval(
        metrics["delta_accuracy"], metrics.get("delta_low"), metrics.get("delta_high")
    )
    return (
        f"Against the baseline `{BASELINE}`: {difference} percentage points, "
        f"p {text.p_value(metrics['p_adjusted'])} ({results.test}, Holm-corrected)."
    )


def _mistakes(confusion: pd.DataFrame, model: str) -> str:
    wrong = confusion[
        (confusion["model"] == model)
        & (confusion["level"] == "track")
        & (confusion["actual"] != confusion["predicted"])
        & (confusion["count"] > 0)
    ].sort_values(["count", "actual", "predicted"], ascending=[False, True, True])
    return ", ".join(
        f"{text.markdown(actual)} taken for {text.markdown(predicted)} ({count}×)"
        for actual, predicted, count in wrong[["actual", "predicted", "count"]]
        .head(_MISTAKES)
        .to_numpy()
    )


def _chosen(results: Results, model: str) -> str:
    """Return what each training chose as YAML; "" where it chose nothing."""
    facts = results.model_facts[model]
    trainings = sorted(facts, key=name_order)
    chosen = {name: best for name in trainings if (best := facts[name].get("best"))}
    return yaml.safe_dump(chosen, sort_keys=False) if chosen else ""
