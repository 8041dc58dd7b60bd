rule embed:
    input:
        weights=evaluated("weights.safetensors"),
        record=evaluated("run.json"),
        shards=tested_shards,
    output:
        features=f"{TESTED_RUN}/features.npz",
    log:
        f"results/logs/{TESTED_RUN.removeprefix('results/')}/embed.log",
    conda:
        "../../envs/pipeline.yaml"
    threads: CONFIG.compute.gpus * (1 + CONFIG.compute.workers)
    resources:
        runtime=480,
        # the network, a batch and the loader's processes (estimate)
        mem_mb=memory(4000 * CONFIG.compute.gpus),
        gpu=CONFIG.compute.gpus,
    params:
        CONFIG.compute.device,
        stage=stage("pipeline.evaluation.embed:embed"),
        compute=compute_options,
        dtype=CONFIG.evaluation.feature_dtype,
        # deleted here: once Snakemake has recorded the training, it is no longer needed
        checkpoint=evaluated("checkpoint.pt"),
    script:
        "../scripts/stage.py"


rule score:
    input:
        features=f"{TESTED_RUN}/features.npz",
        record=evaluated("run.json"),
    output:
        metrics=f"{TESTED_RUN}/metrics.json",
        queries=f"{TESTED_RUN}/queries.csv",
    log:
        f"results/logs/{TESTED_RUN.removeprefix('results/')}/score.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        runtime=480,
        mem_mb=memory(8000),  # MSMT17 with re-ranking (estimate); 2 GB without
    params:
        stage=stage("pipeline.evaluation.score:score"),
        dataset=tested_label,
        options=CONFIG.evaluation.model_dump_json(),
    script:
        "../scripts/stage.py"


rule open_set:
    input:
        features=f"{TESTED_RUN}/features.npz",
        record=evaluated("run.json"),
    output:
        report=f"{TESTED_RUN}/open_set.json",
    log:
        f"results/logs/{TESTED_RUN.removeprefix('results/')}/open_set.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        runtime=480,
        mem_mb=memory(12000),  # all features of MSMT17
    params:
        stage=stage("pipeline.evaluation.open_set:open_set"),
        dataset=tested_label,
    script:
        "../scripts/stage.py"
