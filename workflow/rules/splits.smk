rule splits:
    input:
        tracks="results/tracks.parquet",
        groups=ancient(PARAMS.corpus.groups),
        roles=ancient(PARAMS.splits.file),
    output:
        "results/splits.parquet",
    log:
        "results/logs/splits.log",
    benchmark:
        "results/benchmarks/splits.tsv"
    conda:
        "../../environment.yml"
    params:
        groups=file_digest(PARAMS.corpus.groups),
        roles=file_digest(PARAMS.splits.file),
        splits=PARAMS.section("splits"),
        code=code_digest("genreflow.splits"),
    message:
        "Divide the tracks into folds"
    script:
        "../scripts/splits.py"
