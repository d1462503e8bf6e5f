"""Train one model on one fold, and predict its validation and test tracks."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.training import train

    running.cost.update(
        train(
            snakemake.params.name,
            snakemake.wildcards.training,
            running.params,
            features=[Path(path) for path in snakemake.input.features],
            splits=Path(snakemake.input.splits),
            out=Path(snakemake.output.predictions_parquet).parent,
        )
    )
