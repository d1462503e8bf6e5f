rule handcrafted:
    input:
        "results/audio/{shard}.arrow",
    output:
        "results/features/handcrafted/{shard}.parquet",
    log:
        "results/logs/handcrafted/{shard}.log",
    benchmark:
        "results/benchmarks/handcrafted/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
    params:
        handcrafted=PARAMS.section("features.handcrafted"),
        code=code_digest("genreflow.features.handcrafted"),
    message:
        "Extract handcrafted features of {wildcards.shard}"
    script:
        "../scripts/handcrafted.py"


rule mel:
    input:
        "results/audio/{shard}.arrow",
    output:
        "results/features/mel/{shard}.npz",
    log:
        "results/logs/mel/{shard}.log",
    benchmark:
        "results/benchmarks/mel/{shard}.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
    params:
        mel=PARAMS.section("features.mel"),
        code=code_digest("genreflow.features.mel"),
    message:
        "Compute mel windows of {wildcards.shard}"
    script:
        "../scripts/mel.py"
