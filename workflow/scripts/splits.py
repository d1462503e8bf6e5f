"""Divide the tracks into folds."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.corpus.labels import read_rows
    from genreflow.lineage import stamp
    from genreflow.tracks.splits import write_splits

    params = running.params
    corpus = params.corpus
    write_splits(
        Path(snakemake.input.tracks),
        Path(snakemake.input.groups),
        Path(snakemake.input.roles),
        Path(snakemake.output.splits),
        params.splits,
        tracks_stamp=stamp("tracks", params),
        stamp=stamp("splits", params),
        rows=read_rows(Path(corpus.labels), Path(corpus.root)),
        corpus=corpus,
        is_demo=params.is_demo,
    )
