"""Write the report."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.report.build import build_report
    from genreflow.report.results import Inputs

    build_report(
        running.params,
        Inputs(
            evaluation=Path(snakemake.input.evaluation),
            exploration=Path(snakemake.input.exploration),
            naive=Path(snakemake.input.naive),
            ungrouped=Path(snakemake.input.ungrouped),
            corpus_size=Path(snakemake.input.corpus_size),
            unknown=Path(snakemake.input.unknown),
            chain=Path(snakemake.input.chain),
            tracks=Path(snakemake.input.tracks),
            splits=Path(snakemake.input.splits),
            costs=[Path(path) for path in snakemake.input.costs],
        ),
        Path(snakemake.output.page).parent,
    )
