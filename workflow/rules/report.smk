rule evaluate:
    input:
        predictions=trained(PREDICTIONS),
        metadata=trained(METADATA),
        histories=trained(HISTORY),
        grids=trained(GRID),
        importances=trained(IMPORTANCE),
        splits="results/splits.parquet",
        tracks="results/tracks.parquet",
    output:
        tables=directory("results/evaluation"),
        metrics="results/report/metrics.json",
        plots=directory("results/report/plots"),
        cost=cost("evaluate"),
    log:
        "results/logs/evaluate.log",
    params:
        evaluation=PARAMS.section("evaluation"),
        code=CODE["evaluate"],
    message:
        f"Evaluate {', '.join(PARAMS.evaluation.models)}"
    script:
        "../scripts/evaluate.py"


rule naive:
    input:
        features=features(features_of(BASELINE).name),
        splits="results/splits.parquet",
    output:
        claim="results/naive.json",
        cost=cost("naive"),
    log:
        "results/logs/naive.log",
    threads: PARAMS.at(MODELS[BASELINE].section).threads
    resources:
        mem_mb=MODELS[BASELINE].memory_mb,
    params:
        model=PARAMS.section(MODELS[BASELINE].section),
        code=CODE["naive"],
    message:
        "Train the baseline once on windows divided at random, to show what leakage claims"
    script:
        "../scripts/naive.py"


rule explore:
    input:
        handcrafted=features("handcrafted"),
        audio=expand("results/audio/{shard}.arrow", shard=SHARDS),
        tracks="results/tracks.parquet",
    output:
        tables=directory("results/exploration"),
        cost=cost("explore"),
    log:
        "results/logs/explore.log",
    resources:
        mem_mb=1000,
    params:
        exploration=PARAMS.section("exploration"),
        mel=PARAMS.section("features.mel"),
        code=CODE["explore"],
    message:
        "Map the features, draw examples"
    script:
        "../scripts/explore.py"


rule report:
    input:
        evaluation="results/evaluation",
        naive="results/naive.json",
        exploration="results/exploration",
        splits="results/splits.parquet",
        tracks="results/tracks.parquet",
        costs=[f"results/{path}" for path in stages.costs(PARAMS, GENRES)],
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
        cost=cost("report"),
    log:
        "results/logs/report.log",
    params:
        report=PARAMS.section("report"),
        code=CODE["report"],
    message:
        "Write the report"
    script:
        "../scripts/report.py"
