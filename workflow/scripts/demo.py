"""Synthesise one genre of the demo corpus."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as params:
    from genreflow.corpus.demo import synthesise_genre

    synthesise_genre(snakemake.wildcards.genre, params.demo, Path(snakemake.output[0]))
