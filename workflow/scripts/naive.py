"""Train the baseline once under the naive protocol."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.studies.naive import naive_protocol

    naive_protocol(
        running.params,
        [Path(path) for path in snakemake.input.features],
        Path(snakemake.input.splits),
        Path(snakemake.output.claim),
    )
