"""Decode and describe sounds that are of no genre."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.robustness.strangers import write_strangers

    write_strangers(running.params, Path(snakemake.output.tracks))
