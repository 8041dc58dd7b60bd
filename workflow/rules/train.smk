rule train:
    input:
        shards="results/{dataset}/shards",
        pretrained=pretrained,
        bank=bank,
        truth=truth,
    output:
        weights=f"{TRAINED_RUN}/weights.safetensors",
        history=f"{TRAINED_RUN}/history.csv",
        record=f"{TRAINED_RUN}/run.json",
    log:
        f"results/logs/{TRAINED_RUN.removeprefix('results/')}/train.log",
    conda:
        "../../envs/pipeline.yaml"
    # one for each loader process; torch itself has one thread, whatever the number
    threads: 1 + CONFIG.compute.workers
    resources:
        runtime=2880,  # minutes; a job that is cut off goes on from its last state
        mem_mb=12000,  # 10,000 occluders, and 0.5 GB of decoded images in each process
        gpu=1,
    params:
        options=run_options,
        compute=compute_options,
        needs=training_needs,
        device=CONFIG.compute.device,
        precision=CONFIG.compute.precision,
        dataset=lambda wildcards: CONFIG.label(CONFIG.source(wildcards.dataset)),
        bank=lambda wildcards, input: ["--bank", *input.bank] if input.bank else [],
        truth=lambda wildcards, input: ["--truth", *input.truth] if input.truth else [],
        # not an output: it outlives an interrupted job, which then goes on from it
        state=f"{TRAINED_RUN}/state.pt",
        code=code_hash("pipeline.training.train"),
    shell:
        "python -m pipeline.training.train --shards {input.shards:q} --weights {output.weights:q}"
        " --history {output.history:q} --record {output.record:q} --state {params.state:q}"
        " --options {params.options:q} --compute {params.compute:q} --dataset {params.dataset:q}"
        " --variant {wildcards.variant} --seed {wildcards.seed} {params.bank:q} {params.truth:q}"
        " --needs {params.needs:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"
