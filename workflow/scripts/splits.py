"""Divide the tracks into folds."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as params:
    from genreflow.lineage import stamp
    from genreflow.splits import write_splits

    write_splits(
        Path(snakemake.input.tracks),
        Path(snakemake.input.groups),
        Path(snakemake.input.roles),
        Path(snakemake.output[0]),
        params.splits,
        tracks_stamp=stamp("tracks", params),
        stamp=stamp("splits", params),
    )
