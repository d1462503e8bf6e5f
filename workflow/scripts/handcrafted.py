"""Extract the handcrafted features of one shard."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as params:
    from genreflow.audio import AudioShard
    from genreflow.features.handcrafted import write_handcrafted
    from genreflow.lineage import stamp

    with AudioShard(Path(snakemake.input[0]), stamp("audio", params)) as shard:
        write_handcrafted(
            shard,
            params.features.handcrafted,
            Path(snakemake.output[0]),
            stamp("handcrafted", params),
        )
