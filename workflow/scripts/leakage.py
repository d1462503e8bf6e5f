"""Train the baseline once under the naive protocol."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as params:
    from genreflow.evaluation.naive import naive_protocol

    naive_protocol(
        params,
        [Path(path) for path in snakemake.input.mel],
        Path(snakemake.input.splits),
        Path(snakemake.output[0]),
    )
