"""What changed between two runs, in a terminal and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genreflow.params import Evaluation
from genreflow.report import text
from genreflow.revisions.differences import Differences, ModelChange
from genreflow.revisions.snapshot import Snapshot
from genreflow.store.files import write_text

_FEW = 12
"""Parameters that a terminal lists; the page has all of them."""


def headline(found: Differences, then: Snapshot, settings: Evaluation) -> str:
    """Say in one sentence what became of the models."""
    if not found.paired:
        return f"Not judged on the same tracks as {then.name}"
    tested = [one for one in found.models if one.p_adjusted is not None]
    if not tested:
        return f"No model was compared both here and at {then.name}"
    sure = [one for one in tested if (one.p_adjusted or 0) < 1 - settings.confidence]
    if sure:
        told = [f"{one.model} {text.points(one.delta)}" for one in sure]
        return f"Changed since {then.name}, in points: {text.listing(told)}"
    if not any(one.gained or one.lost for one in tested):
        return f"Every track is decided as at {then.name}"
    return f"No model differs from {then.name} by more than chance"


def explanation(found: Differences) -> str:
    """Say what the numbers are, and why some are missing."""
    if found.paired:
        return (
            "Tests are paired: each model against itself on the same test tracks, whole groups "
            "flipped (exact McNemar where every track stands alone), Holm-corrected over models."
        )
    return (
        f"Numbers stand side by side, untested: {'; '.join(found.obstacles)}. Other tracks are "
        "easier or harder, so a difference says little of the models."
    )


def print_differences(
    found: Differences, then: Snapshot, settings: Evaluation, console: Console
) -> None:
    """Print a table of the models, and what else is different."""
    table = Table(title=escape(headline(found, then, settings)))
    for name in _HEADINGS:
        left = name == _HEADINGS[0]
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    for one in found.models:
        table.add_row(*_cells(one))
    console.print(table)
    console.print(f"{then.name}: {then.about}", markup=False, highlight=False)
    console.print(explanation(found), markup=False, highlight=False)
    console.print(_code_sentence(found), markup=False, highlight=False)
    console.print(f"Parameters that differ: {len(found.params)}.", highlight=False)
    for name, before, after in found.params[:_FEW]:
        console.print(f"  {escape(name)}: {escape(_value(before))} → {escape(_value(after))}")
    if len(found.params) > _FEW:
        console.print(f"  … and {len(found.params) - _FEW} more on the page")


def write_page(
    found: Differences, then: Snapshot, now: Snapshot, settings: Evaluation, out: Path
) -> None:
    """Write the page, which needs nothing else."""
    page = _templates.get_template("compare.html.j2").render(
        headline=headline(found, then, settings),
        explanation=explanation(found),
        then=then,
        now=now,
        found=found,
        headings=_HEADINGS,
        rows=[_cells(one) for one in found.models],
        value=_value,
        intervals=[_intervals(one) for one in found.models],
    )
    write_text(page + "\n", out)


_HEADINGS = ("Model", "Then", "Now", "Change", "Gained", "Lost", "p")

_templates = Environment(
    # The style is the report's.
    loader=ChoiceLoader([PackageLoader("genreflow.revisions"), PackageLoader("genreflow.report")]),
    autoescape=lambda name: name is not None and ".html" in name,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _cells(one: ModelChange) -> tuple[str, ...]:
    return (
        one.model,
        _accuracy(one.then),
        _accuracy(one.now),
        text.points(one.delta),
        text.integer(one.gained),
        text.integer(one.lost),
        text.p_value(one.p_adjusted),
    )


def _accuracy(metrics: Mapping[str, Any] | None) -> str:
    return text.percent(None if metrics is None else metrics["accuracy"])


def _intervals(one: ModelChange) -> dict[str, str]:
    """Return what stands below the numbers, by heading."""
    told = {}
    for name, of in (("Then", one.then), ("Now", one.now)):
        if of is not None:
            low, high = of.get("accuracy_low"), of.get("accuracy_high")
            told[name] = text.between(low, high, text.percent)
    told["Change"] = text.between(one.low, one.high, text.points)
    return told


def _value(value: Any) -> str:
    if value is None:
        return text.NONE
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _code_sentence(found: Differences) -> str:
    words = {"changed": "Steps with other code", "new": "new steps", "gone": "steps no more"}
    told = [f"{words[kind]}: {', '.join(steps)}" for kind, steps in found.code.items() if steps]
    return f"{'; '.join(told)}." if told else "No step's code differs."
