"""The report step: results in, page, tables and model cards out."""

from __future__ import annotations

from pathlib import Path

from genreflow.artifacts import atomic
from genreflow.evaluation.run import write_csv
from genreflow.params import Params
from genreflow.report import provenance
from genreflow.report.answer import plain_answer
from genreflow.report.cards import render_card
from genreflow.report.costs import read_costs
from genreflow.report.page import render
from genreflow.report.results import read_results
from genreflow.report.tables import comparison, comparison_markdown


def build_report(params: Params, results: Path, out: Path) -> None:
    """Write ``comparison.csv``, ``comparison.md``, ``index.html`` and ``model_cards/``.

    Parameters
    ----------
    params
        All parameters.
    results
        The folder ``results``: evaluation, models, benchmarks, features, tracks and splits.
        Costs, features and histories may be missing: the page then goes without them.
    out
        The folder ``results/report``.

    Raises
    ------
    genreflow.report.results.ReportError
        There is no evaluation.
    genreflow.artifacts.StaleArtifactError
        An input was made by other parameters.
    """
    run = read_results(params, results)
    costs = read_costs(run)
    origin = provenance.collect(run)
    table = comparison(run, costs)
    write_csv(table, out / "comparison.csv")
    _write(comparison_markdown(run, table, plain_answer(run)), out / "comparison.md")
    for model in run.trained:
        _write(render_card(run, model, costs[model], origin), out / "model_cards" / f"{model}.md")
    _write(render(run, costs, table, origin), out / "index.html")


def _write(content: str, path: Path) -> None:
    with atomic(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
