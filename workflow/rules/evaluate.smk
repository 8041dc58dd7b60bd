rule embed:
    input:
        weights=f"{RUN_FOLDER}/weights.safetensors",
        record=f"{RUN_FOLDER}/run.json",
        shards="results/{dataset}/shards",
    output:
        features=f"{RUN_FOLDER}/features.npz",
    log:
        f"results/logs/{RUN_FOLDER.removeprefix('results/')}/embed.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        mem_mb=4000,
        gpu=1,
    params:
        compute=CONFIG.compute.model_dump_json(),
        code=code_hash("pipeline.evaluation.embed"),
    shell:
        "python -m pipeline.evaluation.embed --weights {input.weights} --record {input.record}"
        " --shards {input.shards} --features {output.features} --compute {params.compute:q}"
        " 2>&1 | tee {log}"


rule score:
    input:
        features=f"{RUN_FOLDER}/features.npz",
        record=f"{RUN_FOLDER}/run.json",
    output:
        metrics=f"{RUN_FOLDER}/metrics.json",
        queries=f"{RUN_FOLDER}/queries.csv",
    log:
        f"results/logs/{RUN_FOLDER.removeprefix('results/')}/score.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        code=code_hash("pipeline.evaluation.score"),
    shell:
        "python -m pipeline.evaluation.score --features {input.features} --record {input.record}"
        " --metrics {output.metrics} --queries {output.queries} 2>&1 | tee {log}"
