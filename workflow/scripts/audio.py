"""Decode one shard of the corpus."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.audio.write import write_audio
    from genreflow.corpus.layout import read_layout
    from genreflow.corpus.scan import list_shards
    from genreflow.lineage import stamp

    params = running.params
    layout = read_layout(Path(params.corpus.root), Path(params.corpus.labels))
    shards = list_shards(layout.genres, params.corpus.shards_per_genre)
    scan = layout.scan(shards[snakemake.wildcards.shard])
    write_audio(
        scan.files,
        snakemake.wildcards.shard,
        params.audio,
        Path(snakemake.output.samples),
        Path(snakemake.output.manifest),
        stamp("audio", params),
        scan.ignored,
    )
