rule demo:
    output:
        tracks=directory("data/demo/{genre}"),
        cost=cost("demo", "{genre}"),
    log:
        "results/logs/demo/{genre}.log",
    resources:
        mem_mb=memory(500),
        runtime=minutes("demo"),
    params:
        demo=PARAMS.section("demo"),
        code=CODE["demo"],
    message:
        "Synthesise the demo genre {wildcards.genre}"
    script:
        "../scripts/demo.py"


rule audio:
    input:
        corpus_folder,
    output:
        samples="results/audio/{shard}.arrow",
        manifest="results/audio/{shard}.parquet",
        cost=cost("audio", "{shard}"),
    log:
        "results/logs/audio/{shard}.log",
    resources:
        mem_mb=memory(500),
        runtime=minutes("audio"),
    params:
        root=lambda wildcards: PARAMS.corpus.root,  # where braces are no wildcards
        labels=lambda wildcards: PARAMS.corpus.labels,
        shard=lambda wildcards: list(astuple(SHARDS[wildcards.shard])),
        corpus=corpus_digest,
        audio=PARAMS.section("audio"),
        code=CODE["audio"],
    message:
        "Decode {wildcards.shard}"
    script:
        "../scripts/audio.py"


rule fingerprints:
    input:
        samples="results/audio/{shard}.arrow",
    output:
        prints="results/fingerprints/{shard}.arrow",
        cost=cost("fingerprints", "{shard}"),
    log:
        "results/logs/fingerprints/{shard}.log",
    resources:
        mem_mb=memory(500),
        runtime=minutes("fingerprints"),
    params:
        code=CODE["fingerprints"],
    message:
        "Fingerprint {wildcards.shard}"
    script:
        "../scripts/fingerprints.py"


rule tracks:
    input:
        samples=expand("results/audio/{shard}.arrow", shard=SHARDS),
        manifests=expand("results/audio/{shard}.parquet", shard=SHARDS),
        prints=fingerprints(),
    output:
        manifest="results/tracks.parquet",
        cost=cost("tracks"),
    log:
        "results/logs/tracks.log",
    resources:
        mem_mb=memory(2000),
        runtime=minutes("tracks"),
    params:
        tracks=PARAMS.section("tracks"),
        code=CODE["tracks"],
    message:
        "List all tracks and find recordings that occur more than once"
    script:
        "../scripts/tracks.py"
