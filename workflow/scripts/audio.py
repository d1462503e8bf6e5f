"""Decode one shard of the corpus."""

from pathlib import Path

from genreflow.jobs import job

with job(snakemake) as running:
    from genreflow.audio.write import write_audio
    from genreflow.corpus.scan import find_genres, list_shards, scan_shard
    from genreflow.lineage import stamp

    params = running.params
    root = Path(params.corpus.root)
    shards = list_shards(find_genres(root), params.corpus.shards_per_genre)
    scan = scan_shard(root, shards[snakemake.wildcards.shard])
    write_audio(
        scan.files,
        snakemake.wildcards.shard,
        params.audio,
        Path(snakemake.output.samples),
        Path(snakemake.output.manifest),
        stamp("audio", params),
        scan.ignored,
    )
