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
    conda:
        "../../environment.yml"
    params:
        evaluation=PARAMS.section("evaluation"),
        code=code_digest("genreflow.evaluation.run"),
    message:
        "Evaluate {MODELS}"
    script:
        "../scripts/evaluate.py"


rule leakage:
    input:
        mel=expand("results/features/mel/{shard}.npz", shard=SHARDS),
        splits="results/splits.parquet",
    output:
        "results/leakage.json",
    log:
        "results/logs/leakage.log",
    benchmark:
        "results/benchmarks/leakage.tsv"
    conda:
        "../../environment.yml"
    threads: PARAMS.models.xgb_mel.threads
    resources:
        mem_mb=3000,
    params:
        model=PARAMS.section("models.xgb_mel"),
        code=code_digest("genreflow.evaluation.naive", registry.module_name("xgb_mel")),
    message:
        "Train the baseline once on windows divided at random, to show what leakage claims"
    script:
        "../scripts/leakage.py"


rule report:
    input:
        tables="results/evaluation",
        metrics="results/report/metrics.json",
        leakage="results/leakage.json",
        predictions=trained("predictions.parquet"),
        training=training_tables,
        handcrafted=expand("results/features/handcrafted/{shard}.parquet", shard=SHARDS),
        mel=expand("results/features/mel/{shard}.npz", shard=SHARDS),
        audio=expand("results/audio/{shard}.arrow", shard=SHARDS),
        splits="results/splits.parquet",
        tracks="results/tracks.parquet",
    output:
        page=report(
            "results/report/index.html",
            caption="../report/page.rst",
            category="Comparison",
            labels={"what": "The report"},
        ),
        table=report(
            "results/report/comparison.csv",
            caption="../report/comparison.rst",
            category="Comparison",
            labels={"what": "All models and levels, as a table"},
        ),
        markdown="results/report/comparison.md",
        cards=report(
            directory("results/report/model_cards"),
            patterns=["{model}.md"],
            caption="../report/model_card.rst",
            category="Model cards",
            labels={"what": "{model}"},
        ),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../../environment.yml"
    params:
        report=PARAMS.section("report"),
        code=code_digest("genreflow.report.build"),
    message:
        "Write the report"
    script:
        "../scripts/report.py"
