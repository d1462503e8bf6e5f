"""The page: every section's data gathered, then laid out by one template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from genreflow.registry import BASELINE
from genreflow.report import sections, text, theme
from genreflow.report.costs import Cost
from genreflow.report.exploration import explore
from genreflow.report.provenance import Provenance
from genreflow.report.results import Results
from genreflow.report.unknown import describe_unknown

templates = Environment(
    loader=PackageLoader("genreflow.report"),
    autoescape=lambda name: name is not None and ".html" in name,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Jinja2 environment of the page and the model cards."""


def render(
    results: Results,
    costs: Mapping[str, Cost],
    comparison: pd.DataFrame,
    provenance: Provenance,
) -> str:
    """Return the page as HTML that needs nothing else."""
    specs: dict[str, theme.Spec] = {}
    content: dict[str, Any] = {
        **_frame(results),
        **sections.answer_section(results, comparison),
        **sections.robustness_section(results, specs),
        "unknown": describe_unknown(results),
        **sections.confusion_section(results),
        **sections.genres_section(results, specs),
        **sections.stability_section(results, specs),
        **sections.learning_section(results, specs),
        **sections.hardest_section(results),
        **sections.audit_section(results),
        **sections.cost_section(results, costs, comparison, specs),
        "exploration": explore(results, specs),
        "provenance": provenance,
    }
    page = templates.get_template("page.html.j2").render(
        **content,
        chart_ids=set(specs),
        contents=_contents(content),
        charts=Markup(_json({"config": theme.CONFIG, "specs": specs})),
        css=Markup(_asset("page.css")),
        js=Markup(_asset("page.js")),
        vega=Markup(theme.javascript()),
    )
    return page + "\n"


def _asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """Write JSON that can't close the script element it stands in."""
    escaped = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return escaped.replace("<", "\\u003c")


def _contents(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    listed = [
        ("answer", "Answer"),
        ("leaderboard", "Leaderboard"),
        ("robustness", "Robustness"),
        ("unknown", "Unknown music"),
        ("confusion", "Confusion matrices"),
        ("genres", "Genres"),
        ("stability", "Stability"),
        ("learning", "Training"),
        ("hardest", "Hardest tracks"),
        ("audit", "Leak audit"),
        ("cost", "Cost"),
        ("exploration", "Exploration"),
        ("provenance", "Provenance"),
    ]
    trained = content["curves"] or content["grids"]
    return [(id_, name) for id_, name in listed if id_ != "learning" or trained]


def _frame(results: Results) -> dict[str, Any]:
    params = results.params
    usable = int((results.tracks["status"] == "ok").sum())
    strategy = params.splits.strategy
    how = {
        "holdout": f"stratified split, {params.splits.test_fraction:.0%} for testing",
        "kfold": f"{params.splits.n_splits} stratified folds, every track tested once",
        "predefined": f"roles as listed in {params.splits.file}",
        "fault_filtered": "GTZAN's fault-filtered partition (Kereliuk, Sturm and Larsen 2015)",
    }
    kept = [
        *(["artists" if not results.groups else "listed groups"] if results.n_grouped else []),
        *(["recordings found twice"] if params.splits.keep_duplicates_together else []),
    ] or ["windows of a track"]
    return {
        "title": params.report.title,
        "confidence": f"{100 * params.evaluation.confidence:g} %",
        "alpha": f"{1 - params.evaluation.confidence:.3g}",
        "baseline": BASELINE,
        "has_baseline": results.has_baseline,
        "n_folds": len(results.folds),
        "fold_names": results.folds,
        "grouped": results.grouped,
        "n_bootstrap": text.integer(params.evaluation.n_bootstrap),
        "n_trained": text.count(len(results.trained), "model"),
        "n_usable": text.count(usable, "track"),
        "demo": params.is_demo,
        "corpus_root": params.corpus.root,
        "split_line": how[strategy]
        + (f", {params.splits.repeats} times" if params.splits.repeats > 1 else "")
        + f"; seed {params.splits.seed}; by track, "
        + " and ".join(kept)
        + " never divided",
        "corpus_line": f"{text.count(usable, 'track')}, {text.count(len(results.genres), 'genre')}"
        + (", synthesised demo corpus" if params.is_demo else "")
        + f", {text.count(len(results.folds), 'fold')}",
    }
