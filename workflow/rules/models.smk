# One rule per model of the registry: `train_cnn`, `train_svm_mel`, … A job trains one fold. Long
# trainings go first, so that no core idles at the end.


for model in MODELS.values():

    rule:
        name:
            f"train_{model.name}"
        input:
            features=features(model.features),
            splits="results/splits.parquet",
        output:
            **{
                name.replace(".", "_"): f"results/models/{model.name}/{{fold}}/{name}"
                for name in model.files
            },
            cost=cost(f"train_{model.name}", "{fold}"),
        log:
            f"results/logs/train_{model.name}/{{fold}}.log",
        priority: model.priority
        threads: PARAMS.at(model.section).threads
        resources:
            mem_mb=model.memory_mb,
        params:
            name=model.name,
            model=PARAMS.section(model.section),
            code=CODE[f"train_{model.name}"],
        message:
            f"Train {model.name} on fold {{wildcards.fold}}"
        script:
            "../scripts/train.py"
