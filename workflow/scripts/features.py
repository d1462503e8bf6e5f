"""Extract one kind of features of one shard."""

from importlib import import_module
from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.audio.cache import AudioShard
    from genreflow.lineage import stamp
    from genreflow.registry import FEATURES

    params, kind = running.params, FEATURES[snakemake.params.kind]
    with AudioShard(Path(snakemake.input.samples), stamp("audio", params)) as shard:
        import_module(kind.extractor).write(
            shard,
            params.at(kind.section),
            Path(snakemake.output.features),
            stamp(kind.name, params),
        )
