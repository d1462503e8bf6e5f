# One rule per kind of features, called like it: `handcrafted`, `mel`. A job extracts one shard.


for kind in FEATURES.values():

    rule:
        name:
            kind.name
        input:
            samples="results/audio/{shard}.arrow",
        output:
            features=f"results/{kind.artifact('{shard}')}",
            cost=cost(kind.name, "{shard}"),
        log:
            f"results/logs/{kind.name}/{{shard}}.log",
        resources:
            mem_mb=memory(kind.memory_mb),
            runtime=minutes(kind.name),
        params:
            kind=kind.name,
            settings=PARAMS.section(kind.section),
            code=CODE[kind.name],
        message:
            f"Extract {kind.title} of {{wildcards.shard}}"
        script:
            "../scripts/features.py"
