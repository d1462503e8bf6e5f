"""Join the manifests of all shards; find recordings that occur more than once."""

from dataclasses import replace
from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as params:
    from genreflow.lineage import stamp
    from genreflow.parquet import write_table
    from genreflow.tracks import collect_tracks

    tracks, facts = collect_tracks(
        [Path(path) for path in snakemake.input.manifests],
        [Path(path) for path in snakemake.input.samples],
        stamp("audio", params),
        params.tracks,
    )
    write_table(tracks, Path(snakemake.output[0]), replace(stamp("tracks", params), facts=facts))
