"""Train the probes without a genre, and ask how sure they are of it."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.studies.unknown import unknown_music

    unknown_music(
        running.params,
        {kind: [Path(path) for path in snakemake.input[kind]] for kind in ("handcrafted", "mel")},
        Path(snakemake.input.splits),
        Path(snakemake.input.strangers),
        Path(snakemake.output.found),
    )
