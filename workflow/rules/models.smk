# One rule per model of the registry: `train_cnn`, `train_svm_mel`, … A job is one training: a
# fold, with a seed. Long ones go first, so that no core idles at the end.


for model in MODELS.values():

    rule:
        name:
            model.step
        input:
            features=features(*model.reads),
            splits="results/splits.parquet",
        output:
            **{
                name.replace(".", "_"): f"results/{model.artifact('{training}', name)}"
                for name in model.files
            },
            cost=cost(model.step, "{training}"),
        log:
            f"results/logs/{model.step}/{{training}}.log",
        priority: model.priority
        threads: PARAMS.at(model.section).threads
        resources:
            **gpu(model),
            mem_mb=memory(model.memory_mb),
            runtime=minutes(model.step),
        params:
            name=model.name,
            model=lambda wildcards, model=model.name: own_parameters(
                model, parse_training(wildcards.training)[1]
            ),
            code=CODE[model.step],
        message:
            f"Train {model.name} on fold {{wildcards.training}}"
        script:
            "../scripts/train.py"
