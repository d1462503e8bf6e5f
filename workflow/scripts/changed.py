"""Put the test tracks through one family of changes."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.robustness.write import write_changed

    write_changed(
        snakemake.wildcards.family,
        running.params,
        [Path(path) for path in snakemake.input.samples],
        [Path(path) for path in snakemake.input.manifests],
        Path(snakemake.input.splits),
        Path(snakemake.output.tracks),
    )
