# One rule per model: what it reads, what it writes, what it needs. A job trains one fold. Long
# trainings go first, so that no core idles at the end.


rule train_svm_mel:
    input:
        features=expand("results/features/mel/{shard}.npz", shard=SHARDS),
        splits="results/splits.parquet",
    output:
        predictions="results/models/svm_mel/{fold}/predictions.parquet",
        metadata="results/models/svm_mel/{fold}/model.json",
        model="results/models/svm_mel/{fold}/model.skops",
    log:
        "results/logs/train_svm_mel/{fold}.log",
    benchmark:
        "results/benchmarks/train_svm_mel/{fold}.tsv"
    conda:
        "../../environment.yml"
    threads: PARAMS.models.svm_mel.threads
    resources:
        mem_mb=3000,
    params:
        name="svm_mel",
        model=PARAMS.section("models.svm_mel"),
        cost="results/benchmarks/svm_mel/{fold}.json",
        code=training_code("svm_mel"),
    message:
        "Train svm_mel on fold {wildcards.fold}"
    script:
        "../scripts/train.py"


use rule train_svm_mel as train_xgb_mel with:
    output:
        predictions="results/models/xgb_mel/{fold}/predictions.parquet",
        metadata="results/models/xgb_mel/{fold}/model.json",
        model="results/models/xgb_mel/{fold}/model.ubj",
        history="results/models/xgb_mel/{fold}/history.csv",
    log:
        "results/logs/train_xgb_mel/{fold}.log",
    benchmark:
        "results/benchmarks/train_xgb_mel/{fold}.tsv"
    threads: PARAMS.models.xgb_mel.threads
    resources:
        mem_mb=3000,
    params:
        name="xgb_mel",
        model=PARAMS.section("models.xgb_mel"),
        cost="results/benchmarks/xgb_mel/{fold}.json",
        code=training_code("xgb_mel"),
    message:
        "Train xgb_mel on fold {wildcards.fold}"


use rule train_svm_mel as train_svm_handcrafted with:
    input:
        features=expand("results/features/handcrafted/{shard}.parquet", shard=SHARDS),
        splits="results/splits.parquet",
    output:
        predictions="results/models/svm_handcrafted/{fold}/predictions.parquet",
        metadata="results/models/svm_handcrafted/{fold}/model.json",
        model="results/models/svm_handcrafted/{fold}/model.skops",
        grid="results/models/svm_handcrafted/{fold}/cv.csv",
    log:
        "results/logs/train_svm_handcrafted/{fold}.log",
    benchmark:
        "results/benchmarks/train_svm_handcrafted/{fold}.tsv"
    threads: PARAMS.models.svm_handcrafted.threads
    resources:
        mem_mb=1000,
    params:
        name="svm_handcrafted",
        model=PARAMS.section("models.svm_handcrafted"),
        cost="results/benchmarks/svm_handcrafted/{fold}.json",
        code=training_code("svm_handcrafted"),
    message:
        "Train svm_handcrafted on fold {wildcards.fold}"


use rule train_svm_mel as train_xgb_handcrafted with:
    input:
        features=expand("results/features/handcrafted/{shard}.parquet", shard=SHARDS),
        splits="results/splits.parquet",
    output:
        predictions="results/models/xgb_handcrafted/{fold}/predictions.parquet",
        metadata="results/models/xgb_handcrafted/{fold}/model.json",
        model="results/models/xgb_handcrafted/{fold}/model.skops",
        booster="results/models/xgb_handcrafted/{fold}/model.ubj",
        grid="results/models/xgb_handcrafted/{fold}/cv.csv",
    log:
        "results/logs/train_xgb_handcrafted/{fold}.log",
    benchmark:
        "results/benchmarks/train_xgb_handcrafted/{fold}.tsv"
    threads: PARAMS.models.xgb_handcrafted.threads
    resources:
        mem_mb=1000,
    params:
        name="xgb_handcrafted",
        model=PARAMS.section("models.xgb_handcrafted"),
        cost="results/benchmarks/xgb_handcrafted/{fold}.json",
        code=training_code("xgb_handcrafted"),
    message:
        "Train xgb_handcrafted on fold {wildcards.fold}"


use rule train_svm_mel as train_cnn with:
    output:
        predictions="results/models/cnn/{fold}/predictions.parquet",
        metadata="results/models/cnn/{fold}/model.json",
        model="results/models/cnn/{fold}/model.keras",
        history="results/models/cnn/{fold}/history.csv",
    log:
        "results/logs/train_cnn/{fold}.log",
    benchmark:
        "results/benchmarks/train_cnn/{fold}.tsv"
    priority: 1
    threads: PARAMS.models.cnn.threads
    resources:
        mem_mb=3000,
    params:
        name="cnn",
        model=PARAMS.section("models.cnn"),
        cost="results/benchmarks/cnn/{fold}.json",
        code=training_code("cnn"),
    message:
        "Train cnn on fold {wildcards.fold}"


use rule train_svm_mel as train_lstm with:
    output:
        predictions="results/models/lstm/{fold}/predictions.parquet",
        metadata="results/models/lstm/{fold}/model.json",
        model="results/models/lstm/{fold}/model.keras",
        history="results/models/lstm/{fold}/history.csv",
    log:
        "results/logs/train_lstm/{fold}.log",
    benchmark:
        "results/benchmarks/train_lstm/{fold}.tsv"
    priority: 1
    threads: PARAMS.models.lstm.threads
    resources:
        mem_mb=3000,
    params:
        name="lstm",
        model=PARAMS.section("models.lstm"),
        cost="results/benchmarks/lstm/{fold}.json",
        code=training_code("lstm"),
    message:
        "Train lstm on fold {wildcards.fold}"


use rule train_svm_mel as train_resnet50 with:
    output:
        predictions="results/models/resnet50/{fold}/predictions.parquet",
        metadata="results/models/resnet50/{fold}/model.json",
        model="results/models/resnet50/{fold}/model.keras",
        history="results/models/resnet50/{fold}/history.csv",
    log:
        "results/logs/train_resnet50/{fold}.log",
    benchmark:
        "results/benchmarks/train_resnet50/{fold}.tsv"
    priority: 2
    threads: PARAMS.models.resnet50.threads
    resources:
        mem_mb=3000,
    params:
        name="resnet50",
        model=PARAMS.section("models.resnet50"),
        cost="results/benchmarks/resnet50/{fold}.json",
        code=training_code("resnet50"),
    message:
        "Train resnet50 on fold {wildcards.fold}"
