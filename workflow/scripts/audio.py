"""Decode one shard of the corpus."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.audio.write import write_audio
    from genreflow.corpus.layout import read_layout
    from genreflow.corpus.scan import Shard
    from genreflow.lineage import stamp

    params = running.params
    # The demo is made by a job: without a shared disk, this one has a copy of its own.
    root = Path(snakemake.input[0]).parent if params.is_demo else Path(params.corpus.root)
    layout = read_layout(root, Path(params.corpus.labels))
    # As it was planned: its genre may have vanished since, and is to be named then.
    shard = Shard(*snakemake.params.shard)
    scan = layout.scan(shard)
    write_audio(
        scan.files,
        shard.name,
        params.audio,
        Path(snakemake.output.samples),
        Path(snakemake.output.manifest),
        stamp("audio", params),
        scan.ignored,
    )
