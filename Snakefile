# genreflow: from a folder of genre-labelled audio to one comparison of trained classifiers.


configfile: "params.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/audio.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/splits.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/robustness.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/release.smk"


rule all:
    default_target: True
    input:
        rules.report.output,
        rules.release.output,


# Targets for one step over all its genres, shards or folds. DVC's stages ask for these.


rule all_demo:
    input:
        expand("data/demo/{genre}", genre=GENRES if PARAMS.is_demo else []),


rule all_audio:
    input:
        rules.tracks.input.samples,
        rules.tracks.input.manifests,


# Switched off, it is part of no run.
rule all_fingerprints:
    input:
        fingerprints(),


for kind in FEATURES:

    rule:
        name:
            f"all_{kind}"
        input:
            features(kind) if takes_part(kind, PARAMS) else [],


for model in MODELS.values():

    rule:
        name:
            f"all_{model.step}"
        input:
            [
                f"results/{model.artifact(training, PREDICTIONS)}"
                for training in TRAININGS[model.name]
            ],


rule all_changed:
    input:
        expand("results/changed/{family}.parquet", family=FAMILIES),


# Switched off, it is part of no run. But DVC wants every output to exist.
rule all_robustness:
    input:
        answers(),
