rule train:
    input:
        shards="results/{dataset}/shards",
        pretrained=pretrained,
        bank=bank,
        truth=truth,
    output:
        weights=f"{RUN_FOLDER}/weights.safetensors",
        history=f"{RUN_FOLDER}/history.csv",
        record=f"{RUN_FOLDER}/run.json",
    log:
        f"results/logs/{RUN_FOLDER.removeprefix('results/')}/train.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        mem_mb=4000,
        gpu=1,
    params:
        options=run_options,
        compute=CONFIG.compute.model_dump_json(),
        bank=lambda wildcards, input: f"--bank {input.bank}" if input.bank else "",
        truth=lambda wildcards, input: f"--truth {input.truth}" if input.truth else "",
        # not an output: it outlives an interrupted job, which then goes on from it
        state=f"{RUN_FOLDER}/state.pt",
        code=code_hash("pipeline.training.train"),
    shell:
        "python -m pipeline.training.train --shards {input.shards} --weights {output.weights}"
        " --history {output.history} --record {output.record} --state {params.state}"
        " --options {params.options:q} --compute {params.compute:q} --dataset {wildcards.dataset}"
        " --variant {wildcards.variant} --seed {wildcards.seed} {params.bank}"
        " {params.truth} 2>&1 | tee -i {log}"
