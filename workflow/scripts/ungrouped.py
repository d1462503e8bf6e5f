"""Train the probes once more on folds that ignore artists."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.studies.ungrouped import ungrouped_protocol

    ungrouped_protocol(
        running.params,
        {kind: [Path(path) for path in snakemake.input[kind]] for kind in ("handcrafted", "mel")},
        Path(snakemake.input.tracks),
        Path(snakemake.input.splits),
        Path(snakemake.output.claim),
    )
