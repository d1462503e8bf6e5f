"""The report step: results in, page, tables and model cards out."""

from __future__ import annotations

from pathlib import Path

from genreflow.params import Params
from genreflow.report import provenance
from genreflow.report.answer import plain_answer
from genreflow.report.costs import read_costs
from genreflow.report.model_cards import render_card
from genreflow.report.page import render
from genreflow.report.results import Inputs, read_results
from genreflow.report.tables import comparison, comparison_markdown
from genreflow.store.files import write_csv, write_text


def build_report(params: Params, inputs: Inputs, out: Path) -> None:
    """Write ``comparison.csv``, ``comparison.md``, ``index.html`` and ``model_cards/``.

    Parameters
    ----------
    params
        All parameters.
    inputs
        What to read. Costs that weren't measured here are left open.
    out
        The folder ``results/report``.

    Raises
    ------
    genreflow.report.results.ReportError
        There is no evaluation.
    genreflow.store.stamp.StaleArtifactError
        An input was made by other parameters.
    """
    run = read_results(params, inputs)
    costs = read_costs(run)
    origin = provenance.collect(run)
    table = comparison(run, costs)
    write_csv(table, out / "comparison.csv")
    write_text(comparison_markdown(run, table, plain_answer(run)), out / "comparison.md")
    for model in run.trained:
        write_text(
            render_card(run, model, costs[model], origin), out / "model_cards" / f"{model}.md"
        )
    write_text(render(run, costs, table, origin), out / "index.html")
