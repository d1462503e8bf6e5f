"""Write the report."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as params:
    from genreflow.report.build import build_report

    build_report(params, Path("results"), Path(snakemake.output.page).parent)
