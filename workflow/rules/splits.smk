rule splits:
    input:
        tracks="results/tracks.parquet",
        groups=ancient(PARAMS.corpus.groups),
        roles=ancient(PARAMS.splits.file),
    output:
        splits="results/splits.parquet",
        cost=cost("splits"),
    log:
        "results/logs/splits.log",
    resources:
        mem_mb=500,
    params:
        groups=listing_digest(PARAMS.corpus.groups),
        roles=listing_digest(PARAMS.splits.file),
        splits=PARAMS.section("splits"),
        code=CODE["splits"],
    message:
        "Divide the tracks into folds"
    script:
        "../scripts/splits.py"
