"""Map the features, and draw examples of the genres."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.exploration.run import explore

    explore(
        running.params,
        Path(snakemake.input.tracks),
        [Path(path) for path in snakemake.input.handcrafted],
        [Path(path) for path in snakemake.input.audio],
        Path(snakemake.output.tables),
    )
