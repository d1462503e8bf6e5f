# What a run ends with: `refit_cnn`, `refit_svm_mel`, … train each model on all tracks, and
# `release` puts each into a folder that predicts alone, with what vouches for it.


for model in MODELS.values():

    rule:
        name:
            model.refit_step
        input:
            features=features(*model.reads),
            splits="results/splits.parquet",
            models=[
                f"results/{model.artifact(training, name)}"
                for training in TRAININGS[model.name]
                for name in (METADATA, *model.model_files)
            ],
        output:
            **{
                name.replace(".", "_"): f"results/{model.refitted(name)}"
                for name in (METADATA, *model.model_files)
            },
            cost=cost(model.refit_step),
        log:
            f"results/logs/{model.refit_step}.log",
        priority: model.priority
        threads: PARAMS.at(model.section).threads
        resources:
            **gpu(model),
            mem_mb=memory(model.memory_mb),
            runtime=minutes(model.refit_step),
        params:
            name=model.name,
            wanted=PARAMS.release_of(model.name),
            code=CODE[model.refit_step],
        message:
            f"Train {model.name} on all tracks"
        script:
            "../scripts/refit.py"


rule release:
    input:
        models=[
            f"results/{MODELS[model].refitted(name)}"
            for model in PARAMS.evaluation.models
            for name in (METADATA, *MODELS[model].model_files)
        ],
        features=features("handcrafted"),
        evaluation="results/evaluation",
        splits="results/splits.parquet",
        tracks="results/tracks.parquet",
    output:
        releases=directory("results/release"),
        cost=cost("release"),
    log:
        "results/logs/release.log",
    resources:
        mem_mb=memory(1000),
        runtime=minutes("release"),
    params:
        code=CODE["release"],
    message:
        "Write a release of every model"
    script:
        "../scripts/release.py"
