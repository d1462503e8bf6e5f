"""Write a release of every model and ensemble."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.release.assemble import assemble

    folders = [Path(path).parent for path in snakemake.input.models]
    assemble(
        running.params,
        {folder.name: folder for folder in folders},
        Path(snakemake.input.evaluation),
        Path(snakemake.input.tracks),
        Path(snakemake.input.splits),
        [Path(path) for path in snakemake.input.features],
        Path(snakemake.output.releases),
    )
