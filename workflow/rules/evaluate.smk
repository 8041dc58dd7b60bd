if TRAINED != TESTED:

    rule link_run:
        input:
            expand(
                f"{TRAINED_RUN}/{{file}}", dataset=TRAINED, file=TRAINED_FILES, allow_missing=True
            ),
        output:
            expand(f"{TESTED_RUN}/{{file}}", file=TRAINED_FILES, allow_missing=True),
        log:
            f"results/logs/{TESTED_RUN.removeprefix('results/')}/link_run.log",
        localrule: True
        conda:
            "../../envs/pipeline.yaml"
        resources:
            **LIGHT,
        params:
            folder=lambda wildcards, output: Path(output[0]).parent,
            code=code_hash("pipeline.evaluation.link_run"),
        shell:
            "python -m pipeline.evaluation.link_run --files {input:q} --folder {params.folder:q}"
            " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule embed:
    input:
        weights=f"{TESTED_RUN}/weights.safetensors",
        record=f"{TESTED_RUN}/run.json",
        shards=f"results/{TESTED}/shards",
    output:
        features=f"{TESTED_RUN}/features.npz",
    log:
        f"results/logs/{TESTED_RUN.removeprefix('results/')}/embed.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        runtime=480,
        mem_mb=8000,  # MSMT17 with the concatenated feature takes 7 GB
        gpu=1,
    params:
        compute=compute_options,
        device=CONFIG.compute.device,
        # what a training leaves: only when Snakemake has noted its end is it of no more use
        state=f"results/{TRAINED}/{{variant}}/seed{{seed}}/state.pt",
        code=code_hash("pipeline.evaluation.embed"),
    shell:
        "python -m pipeline.evaluation.embed --weights {input.weights:q} --record {input.record:q}"
        " --shards {input.shards:q} --features {output.features:q} --compute {params.compute:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}; rm -f {params.state:q}"


rule score:
    input:
        features=f"{TESTED_RUN}/features.npz",
        record=f"{TESTED_RUN}/run.json",
    output:
        metrics=f"{TESTED_RUN}/metrics.json",
        queries=f"{TESTED_RUN}/queries.csv",
    log:
        f"results/logs/{TESTED_RUN.removeprefix('results/')}/score.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        runtime=480,
        mem_mb=12000,  # the features of MSMT17 and two copies of one
    params:
        tested=CONFIG.label(CONFIG.tested()),
        options=CONFIG.evaluation.model_dump_json(),
        code=code_hash("pipeline.evaluation.score"),
    shell:
        "python -m pipeline.evaluation.score --features {input.features:q} --record {input.record:q}"
        " --dataset {params.tested:q} --options {params.options:q}"
        " --metrics {output.metrics:q} --queries {output.queries:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"
