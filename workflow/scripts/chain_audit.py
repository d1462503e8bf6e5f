"""Predict the genre from the recording chain alone."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.studies.chain_audit import chain_audit

    chain_audit(
        running.params,
        [Path(path) for path in snakemake.input.audio],
        Path(snakemake.input.tracks),
        Path(snakemake.input.splits),
        Path(snakemake.output.found),
    )
