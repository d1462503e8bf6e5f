def trained(pattern):
    """What the compared models wrote, one file per model and fold."""
    return expand(
        f"results/models/{{model}}/{{fold}}/{pattern}", model=MODELS, fold=FOLDS
    )


def training_tables(wildcards):
    """Learning curves and grids, of the compared models that write them."""
    return [
        f"results/models/{model}/{fold}/{registry.entry(model).table}"
        for model in MODELS
        if registry.entry(model).table
        for fold in FOLDS
    ]


rule evaluate:
    input:
        predictions=trained("predictions.parquet"),
        training=training_tables,
        splits="results/splits.parquet",
        tracks="results/tracks.parquet",
    output:
        tables=directory("results/evaluation"),
        metrics="results/report/metrics.json",
        plots=directory("results/report/plots"),
    log:
        "results/logs/evaluate.log",
    benchmark:
        "results/benchmarks/evaluate.tsv"
    params:
        evaluation=PARAMS.section("evaluation"),
        code=code_digest("genreflow.evaluation.run"),
    message:
        "Evaluate {MODELS}"
    script:
        "../scripts/evaluate.py"


rule report:
    input:
        tables="results/evaluation",
        metrics="results/report/metrics.json",
        predictions=trained("predictions.parquet"),
        training=training_tables,
        handcrafted=expand("results/features/handcrafted/{shard}.parquet", shard=SHARDS),
        mel=expand("results/features/mel/{shard}.npz", shard=SHARDS),
        audio=expand("results/audio/{shard}.arrow", shard=SHARDS),
        splits="results/splits.parquet",
        tracks="results/tracks.parquet",
    output:
        page="results/report/index.html",
        table="results/report/comparison.csv",
        markdown="results/report/comparison.md",
        cards=directory("results/report/model_cards"),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    params:
        report=PARAMS.section("report"),
        code=code_digest("genreflow.report.build"),
    message:
        "Write the report"
    script:
        "../scripts/report.py"
