"""Train the probes on parts of the training tracks."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.studies.corpus_size import corpus_size_curve

    corpus_size_curve(
        running.params,
        {kind: [Path(path) for path in snakemake.input[kind]] for kind in ("handcrafted", "mel")},
        Path(snakemake.input.splits),
        Path(snakemake.output.curve),
    )
