rule splits:
    input:
        tracks="results/tracks.parquet",
        # Small files of the user's, beside the code wherever that runs.
        groups=local(ancient(PARAMS.corpus.groups)),
        roles=local(ancient(PARAMS.splits.file)),
    output:
        splits="results/splits.parquet",
        cost=cost("splits"),
    log:
        "results/logs/splits.log",
    resources:
        mem_mb=memory(500),
        runtime=minutes("splits"),
    params:
        labels=stages.label_digests(LAYOUT)["splits"],
        groups=listing_digest(PARAMS.corpus.groups),
        group_pattern=PARAMS.corpus.group_pattern,
        group_by=PARAMS.corpus.group_by,
        roles=listing_digest(PARAMS.splits.file),
        splits=PARAMS.section("splits"),
        code=CODE["splits"],
    message:
        "Divide the tracks into folds"
    script:
        "../scripts/splits.py"
