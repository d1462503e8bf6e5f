"""Train one model on one fold, and predict its validation and test tracks."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow import registry
    from genreflow.training import train

    name, training = snakemake.params.name, snakemake.wildcards.training
    running.cost.update(
        train(
            name,
            training,
            running.params,
            features=[Path(path) for path in snakemake.input.features],
            splits=Path(snakemake.input.splits),
            out=Path(snakemake.output.predictions_parquet).parent,
            state=Path("results", registry.entry(name).state(training)),
            code=snakemake.params.code,
        )
    )
