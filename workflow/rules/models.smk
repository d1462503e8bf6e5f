# One rule per model of the registry: `train_cnn`, `train_svm_mel`, … A job trains one fold. Long
# trainings go first, so that no core idles at the end.


for model in MODELS.values():

    rule:
        name:
            model.step
        input:
            features=features(model.features),
            splits="results/splits.parquet",
        output:
            **{
                name.replace(".", "_"): f"results/{model.artifact('{fold}', name)}"
                for name in model.files
            },
            cost=cost(model.step, "{fold}"),
        log:
            f"results/logs/{model.step}/{{fold}}.log",
        priority: model.priority
        threads: PARAMS.at(model.section).threads
        resources:
            mem_mb=model.memory_mb,
        params:
            name=model.name,
            model=PARAMS.section(model.section),
            code=CODE[model.step],
        message:
            f"Train {model.name} on fold {{wildcards.fold}}"
        script:
            "../scripts/train.py"
