"""Train one model on one fold, and predict its validation and test tracks."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as params:
    from genreflow.training import train

    train(
        snakemake.params.name,
        snakemake.wildcards.fold,
        params,
        features=[Path(path) for path in snakemake.input.features],
        splits=Path(snakemake.input.splits),
        out=Path(snakemake.output.predictions).parent,
        cost=Path(snakemake.params.cost),
    )
