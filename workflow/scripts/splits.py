"""Divide the tracks into folds."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.lineage import stamp
    from genreflow.tracks.splits import write_splits

    write_splits(
        Path(snakemake.input.tracks),
        Path(snakemake.input.groups),
        Path(snakemake.input.roles),
        Path(snakemake.output.splits),
        running.params.splits,
        tracks_stamp=stamp("tracks", running.params),
        stamp=stamp("splits", running.params),
        is_demo=running.params.is_demo,
    )
