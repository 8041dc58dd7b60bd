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
    resources:
        mem_mb=12000,  # MSMT17 at 256 x 128 and 10,000 occluders are held in memory
        gpu=1,
    params:
        options=run_options,
        compute=compute_options,
        device=CONFIG.compute.device,
        precision=CONFIG.compute.precision,
        bank=lambda wildcards, input: f"--bank {input.bank}" if input.bank else "",
        truth=lambda wildcards, input: f"--truth {input.truth}" if input.truth else "",
        # not an output: it outlives an interrupted job, which then goes on from it
        state=f"{TRAINED_RUN}/state.pt",
        code=code_hash("pipeline.training.train"),
    shell:
        "python -m pipeline.training.train --shards {input.shards} --weights {output.weights}"
        " --history {output.history} --record {output.record} --state {params.state}"
        " --options {params.options:q} --compute {params.compute:q} --dataset {wildcards.dataset}"
        " --variant {wildcards.variant} --seed {wildcards.seed} {params.bank}"
        " {params.truth}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log}"
