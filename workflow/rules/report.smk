def trained(pattern):
    """What the compared models wrote, one file per model and fold."""
    return expand(f"results/models/{{model}}/{{fold}}/{pattern}", model=MODELS, fold=FOLDS)


def training_tables(wildcards):
    """Learning curves and grids of the compared models that write them."""
    names = {model: HISTORIES.get(model) for model in MODELS}
    return [
        f"results/models/{model}/{fold}/{name}"
        for model, name in names.items()
        for fold in FOLDS
        if name
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
