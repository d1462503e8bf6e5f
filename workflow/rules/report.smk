rule evaluate:
    input:
        predictions=trained(PREDICTIONS),
        metadata=trained(METADATA),
        histories=trained(HISTORY),
        grids=trained(GRID),
        importances=trained(IMPORTANCE),
        robustness=answers() if PARAMS.robustness.enabled else [],
        splits="results/splits.parquet",
        tracks="results/tracks.parquet",
    output:
        tables=directory("results/evaluation"),
        metrics="results/report/metrics.json",
        plots=directory("results/report/plots"),
        cost=cost("evaluate"),
    log:
        "results/logs/evaluate.log",
    resources:
        mem_mb=memory(1000),
        runtime=minutes("evaluate"),
    params:
        evaluation=PARAMS.section("evaluation"),
        code=CODE["evaluate"],
    message:
        f"Evaluate {', '.join(PARAMS.evaluation.models)}"
    script:
        "../scripts/evaluate.py"


rule naive:
    input:
        features=features(*MODELS[BASELINE].reads),
        splits="results/splits.parquet",
    output:
        claim="results/naive.json",
        cost=cost("naive"),
    log:
        "results/logs/naive.log",
    threads: PARAMS.at(MODELS[BASELINE].section).threads
    resources:
        mem_mb=memory(MODELS[BASELINE].memory_mb),
        runtime=minutes("naive"),
    params:
        naive=PARAMS.section("naive"),
        model=PARAMS.section(MODELS[BASELINE].section),
        code=CODE["naive"],
    message:
        "Train the baseline once on windows divided at random, to show what leakage claims"
    script:
        "../scripts/naive.py"


rule ungrouped:
    input:
        **{kind: features(kind) for kind in PROBED},
        splits="results/splits.parquet",
        tracks="results/tracks.parquet",
    output:
        claim="results/ungrouped.json",
        cost=cost("ungrouped"),
    log:
        "results/logs/ungrouped.log",
    threads: max(PARAMS.at(MODELS[model].section).threads for model in PROBES)
    resources:
        mem_mb=memory(max(MODELS[model].memory_mb for model in PROBES)),
        runtime=minutes("ungrouped"),
    params:
        **{model: PARAMS.section(MODELS[model].section) for model in PROBES},
        ungrouped=PARAMS.section("ungrouped"),
        code=CODE["ungrouped"],
    message:
        "Train two cheap models on folds that ignore artists, to show what that claims"
    script:
        "../scripts/ungrouped.py"


rule corpus_size:
    input:
        **{kind: features(kind) for kind in PROBED},
        splits="results/splits.parquet",
    output:
        curve="results/corpus_size.json",
        cost=cost("corpus_size"),
    log:
        "results/logs/corpus_size.log",
    threads: max(PARAMS.at(MODELS[model].section).threads for model in PROBES)
    resources:
        mem_mb=memory(max(MODELS[model].memory_mb for model in PROBES)),
        runtime=minutes("corpus_size"),
    params:
        **{model: PARAMS.section(MODELS[model].section) for model in PROBES},
        corpus_size=PARAMS.section("corpus_size"),
        confidence=PARAMS.evaluation.confidence,
        code=CODE["corpus_size"],
    message:
        "Train two cheap models on parts of the training tracks, to see if more would help"
    script:
        "../scripts/corpus_size.py"


if STORAGE:

    # A node that lacks the folder would say that there are no such sounds; whoever starts a run
    # has them.
    localrules:
        strangers,


rule strangers:
    output:
        tracks="results/strangers.parquet",
        cost=cost("strangers"),
    log:
        "results/logs/strangers.log",
    resources:
        mem_mb=memory(max(FEATURES[kind].memory_mb for kind in PROBED)),
        runtime=minutes("strangers"),
    params:
        **{
            kind: PARAMS.section(FEATURES[kind].section)
            for model in PROBES
            for kind in MODELS[model].reads
        },
        audio=PARAMS.section("audio"),
        enabled=PARAMS.unknown.enabled,
        folder=lambda wildcards: PARAMS.unknown.folder,  # where braces are no wildcards
        content=strangers_digest,
        code=CODE["strangers"],
    message:
        "Decode and describe sounds that are of no genre"
    script:
        "../scripts/strangers.py"


rule unknown:
    input:
        **{kind: features(kind) for kind in PROBED},
        splits="results/splits.parquet",
        strangers="results/strangers.parquet",
    output:
        found="results/unknown.json",
        cost=cost("unknown"),
    log:
        "results/logs/unknown.log",
    threads: max(PARAMS.at(MODELS[model].section).threads for model in PROBES)
    resources:
        mem_mb=memory(max(MODELS[model].memory_mb for model in PROBES)),
        runtime=minutes("unknown"),
    params:
        **{model: PARAMS.section(MODELS[model].section) for model in PROBES},
        unknown=PARAMS.section("unknown"),
        code=CODE["unknown"],
    message:
        "Train two cheap models without a genre, to see how sure they are of it"
    script:
        "../scripts/unknown.py"


rule chain_audit:
    input:
        audio=expand("results/audio/{shard}.arrow", shard=SHARDS),
        tracks="results/tracks.parquet",
        splits="results/splits.parquet",
    output:
        found="results/chain.json",
        cost=cost("chain_audit"),
    log:
        "results/logs/chain_audit.log",
    resources:
        mem_mb=memory(1000),
        runtime=minutes("chain_audit"),
    params:
        chain_audit=PARAMS.section("chain_audit"),
        confidence=PARAMS.evaluation.confidence,
        code=CODE["chain_audit"],
    message:
        "Predict the genre from the recording chain alone, without music"
    script:
        "../scripts/chain_audit.py"


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
        mem_mb=memory(1000),
        runtime=minutes("explore"),
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
        ungrouped="results/ungrouped.json",
        corpus_size="results/corpus_size.json",
        unknown="results/unknown.json",
        chain="results/chain.json",
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
    resources:
        mem_mb=memory(1000),
        runtime=minutes("report"),
    params:
        report=PARAMS.section("report"),
        code=CODE["report"],
    message:
        "Write the report"
    script:
        "../scripts/report.py"
