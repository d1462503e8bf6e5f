"""Synthesise one genre of the demo corpus."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.corpus.demo.synthesise import synthesise_genre

    synthesise_genre(snakemake.wildcards.genre, running.params.demo, Path(snakemake.output.tracks))
