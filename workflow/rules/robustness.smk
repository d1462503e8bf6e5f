# Whether models still know the song. A job of `changed` makes one family of changes; then
# each model judges all of them in one job, `robustness_cnn`, `robustness_svm_mel`, …


rule changed:
    input:
        samples=expand("results/audio/{shard}.arrow", shard=SHARDS),
        manifests=expand("results/audio/{shard}.parquet", shard=SHARDS),
        splits="results/splits.parquet",
    output:
        tracks="results/changed/{family}.parquet",
        cost=cost("changed", "{family}"),
    log:
        "results/logs/changed/{family}.log",
    resources:
        mem_mb=memory(max(kind.memory_mb for kind in kinds_in_use(PARAMS))),
        runtime=minutes("changed"),
    params:
        **{kind.name: PARAMS.section(kind.section) for kind in kinds_in_use(PARAMS)},
        root=lambda wildcards: PARAMS.corpus.root,  # where braces are no wildcards
        labels=lambda wildcards: PARAMS.corpus.labels,
        robustness=lambda wildcards: PARAMS.of_family(wildcards.family).section(
            "robustness"
        ),
        code=CODE["changed"],
    message:
        "Change the test tracks: {wildcards.family}"
    script:
        "../scripts/changed.py"


for model in MODELS.values():

    rule:
        name:
            model.robustness_step
        input:
            changed=expand("results/changed/{family}.parquet", family=FAMILIES),
            models=[
                f"results/{model.artifact(fold, name)}"
                for fold in changed_folds(PARAMS.splits, PARAMS.robustness)
                for name in (METADATA, *model.model_files)
            ],
            splits="results/splits.parquet",
        output:
            answers=f"results/robustness/{model.name}.parquet",
            cost=cost(model.robustness_step),
        log:
            f"results/logs/{model.robustness_step}.log",
        priority: model.priority
        threads: PARAMS.at(model.section).threads
        resources:
            **gpu(model),
            mem_mb=memory(model.memory_mb),
            runtime=minutes(model.robustness_step),
        params:
            name=model.name,
            code=CODE[model.robustness_step],
        message:
            f"Ask {model.name} for the genres of changed tracks"
        script:
            "../scripts/robustness.py"
