rule train:
    input:
        pretrained,
        shards="results/{dataset}/shards",
        bank=bank,
        ground_truth=ground_truth,
    output:
        weights=f"{TRAINED_RUN}/weights.safetensors",
        history=f"{TRAINED_RUN}/history.csv",
        record=f"{TRAINED_RUN}/run.json",
    log:
        f"results/logs/{TRAINED_RUN.removeprefix('results/')}/train.log",
    conda:
        "../../envs/pipeline.yaml"
    # one per loader process; torch itself always uses one thread
    threads: CONFIG.compute.gpus * (1 + CONFIG.compute.workers)
    resources:
        runtime=2880,  # minutes; an interrupted job resumes from its last checkpoint
        # 10,000 occluders, and 0.5 GB of decoded images per process
        mem_mb=memory(12000 * CONFIG.compute.gpus),
        gpu=CONFIG.compute.gpus,
    params:
        CONFIG.compute.device,
        CONFIG.compute.precision,
        stage=stage("pipeline.training.train:train"),
        options=run_options,
        compute=compute_options,
        needs=training_needs,
        dataset=lambda wildcards: CONFIG.label(wildcards.dataset),
        # not tracked: where a run is shown reruns nothing
        server=lambda wildcards, input: destination(wildcards.dataset),
        # not an output: Snakemake must not delete it when the job is interrupted
        checkpoint=f"{TRAINED_RUN}/checkpoint.pt",
    script:
        "../scripts/stage.py"
