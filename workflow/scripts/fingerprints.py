"""Fingerprint the tracks of one shard."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.audio.cache import AudioShard
    from genreflow.fingerprints.write import write
    from genreflow.lineage import stamp

    params = running.params
    with AudioShard(Path(snakemake.input.samples), stamp("audio", params)) as shard:
        write(shard, Path(snakemake.output.prints), stamp("fingerprints", params))
