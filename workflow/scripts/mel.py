"""Compute the log-mel frames of one shard."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as params:
    from genreflow.audio import AudioShard
    from genreflow.features.mel import write_mel
    from genreflow.lineage import stamp

    with AudioShard(Path(snakemake.input[0]), stamp("audio", params)) as shard:
        write_mel(shard, params.features.mel, Path(snakemake.output[0]), stamp("mel", params))
