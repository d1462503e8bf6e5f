rule demo:
    output:
        directory("data/demo/{genre}"),
    log:
        "results/logs/demo/{genre}.log",
    benchmark:
        "results/benchmarks/demo/{genre}.tsv"
    conda:
        "../../environment.yml"
    params:
        demo=PARAMS.section("demo"),
        code=code_digest("genreflow.corpus.demo"),
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
    log:
        "results/logs/audio/{shard}.log",
    benchmark:
        "results/benchmarks/audio/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=500,
    params:
        root=PARAMS.corpus.root,
        corpus=corpus_digest,
        audio=PARAMS.section("audio"),
        code=code_digest("genreflow.audio", "genreflow.corpus.scan"),
    message:
        "Decode {wildcards.shard}"
    script:
        "../scripts/audio.py"


rule tracks:
    input:
        samples=expand("results/audio/{shard}.arrow", shard=SHARDS),
        manifests=expand("results/audio/{shard}.parquet", shard=SHARDS),
    output:
        "results/tracks.parquet",
    log:
        "results/logs/tracks.log",
    benchmark:
        "results/benchmarks/tracks.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=2000,
    params:
        tracks=PARAMS.section("tracks"),
        code=code_digest("genreflow.tracks"),
    message:
        "List all tracks and find recordings that occur more than once"
    script:
        "../scripts/tracks.py"
