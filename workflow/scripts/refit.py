"""Train one model on all tracks, for its release."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow import registry
    from genreflow.folds import name_order
    from genreflow.release.refit import refit

    name = snakemake.params.name
    folders = {Path(path).parent for path in snakemake.input.models}
    running.cost.update(
        refit(
            name,
            running.params,
            features=[Path(path) for path in snakemake.input.features],
            splits=Path(snakemake.input.splits),
            trainings=sorted(folders, key=lambda folder: name_order(folder.name)),
            out=Path(snakemake.output.model_json).parent,
            state=Path("results", registry.entry(name).state("release")),
            code=snakemake.params.code,
        )
    )
