"""Export trained networks to ONNX, and check the models on the test set. Not part of `rule all`."""


rule export:
    input:
        [experiment_runs(experiment, "model.onnx") for experiment in EXPERIMENTS],


rule onnx:
    input:
        weights=evaluated("weights.safetensors"),
        record=evaluated("run.json"),
        shards=tested_shards,
    output:
        model=f"{TESTED_RUN}/model.onnx",
        report=f"{TESTED_RUN}/onnx.json",
    log:
        f"results/logs/{TESTED_RUN.removeprefix('results/')}/onnx.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        runtime=1440,  # both networks embed the test set on one core
        mem_mb=memory(12000),  # the features of MSMT17, twice
    params:
        stage=stage("pipeline.use.export:export_run"),
    script:
        "../scripts/stage.py"


rule onnx_int8:
    input:
        exported=f"{TESTED_RUN}/model.onnx",
        training=trained_shards,
        shards=tested_shards,
    output:
        model=f"{TESTED_RUN}/model.int8.onnx",
        report=f"{TESTED_RUN}/int8.json",
    log:
        f"results/logs/{TESTED_RUN.removeprefix('results/')}/onnx_int8.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        runtime=1440,  # both networks embed the test set on one core
        mem_mb=memory(12000),  # the features of MSMT17, twice
    params:
        stage=stage("pipeline.use.export:quantise_run"),
    script:
        "../scripts/stage.py"
