# runs that pictures of single images show: the first variant, the last that selects patches, the
# last that blends; where there is none, no rule that shows it is asked for
BASELINE = first_run(CONFIG.compare[0])
SELECTING = first_run([*CONFIG.compare, *selecting_variants()][-1])
BLENDING = first_run([*CONFIG.compare, *blending_variants()][-1])


rule ablation:
    input:
        metrics=runs("metrics.json"),
        records=runs("run.json"),
    output:
        figure=shown_figure("ablation", "Evaluation", "mAP of each variant"),
    log:
        "results/logs/{experiment}/ablation_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        variants=CONFIG.compare,
        code=code_hash("pipeline.figures.ablation"),
    shell:
        "python -m pipeline.figures.ablation --metrics {input.metrics:q} --figure {output.figure:q}"
        " --variants {params.variants:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule benchmark_sheet:
    input:
        trained=f"results/{TRAINED}/shards",
        tested=f"results/{TESTED}/shards",
    output:
        figure=shown_figure("benchmark", "Data", "The dataset"),
    log:
        "results/logs/{experiment}/benchmark_sheet_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        code=code_hash("pipeline.figures.benchmark_sheet"),
    shell:
        "python -m pipeline.figures.benchmark_sheet --trained {input.trained:q}"
        " --tested {input.tested:q} --figure {output.figure:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule bank_sheet:
    input:
        bank=BANK,
    output:
        figure=shown_figure("bank", "Data", "The occluder bank"),
    log:
        "results/logs/{experiment}/bank_sheet_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        code=code_hash("pipeline.figures.bank_sheet"),
    shell:
        "python -m pipeline.figures.bank_sheet --bank {input.bank:q} --figure {output.figure:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule views_sheet:
    input:
        shards=f"results/{TRAINED}/shards",
        bank=BANK,
    output:
        figure=shown_figure("views", "Data", "Training views"),
    log:
        "results/logs/{experiment}/views_sheet_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        options=lambda wildcards: CONFIG.run_options(pasting_variants()[0]).model_dump_json(),
        code=code_hash("pipeline.figures.views_sheet"),
    shell:
        "python -m pipeline.figures.views_sheet --shards {input.shards:q} --bank {input.bank:q}"
        " --figure {output.figure:q} --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule curves:
    input:
        histories=runs("history.csv"),
        records=runs("run.json"),
    output:
        figure=shown_figure("curves", "Training", "Loss, learning rate and k"),
    log:
        "results/logs/{experiment}/curves_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        code=code_hash("pipeline.figures.curves"),
    shell:
        "python -m pipeline.figures.curves --histories {input.histories:q}"
        " --figure {output.figure:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule ranks:
    input:
        shards=f"results/{TESTED}/shards",
        baseline=multiext(f"{BASELINE}/", "queries.csv", "features.npz", "run.json"),
        variant=multiext(f"{SELECTING}/", "queries.csv", "features.npz", "run.json"),
    output:
        figure=shown_figure("ranks", "Queries", "Ranked lists"),
    log:
        "results/logs/{experiment}/ranks_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        runtime=60,
        mem_mb=4000,  # the test feature of MSMT17
    params:
        baseline=lambda wildcards, input: Path(input.baseline[0]).parent,
        variant=lambda wildcards, input: Path(input.variant[0]).parent,
        options=CONFIG.figures.model_dump_json(),
        code=code_hash("pipeline.figures.ranks"),
    shell:
        "python -m pipeline.figures.ranks --shards {input.shards:q} --baseline {params.baseline:q}"
        " --variant {params.variant:q} --figure {output.figure:q} --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule patches:
    input:
        shards=f"results/{TESTED}/shards",
        run=multiext(f"{SELECTING}/", "weights.safetensors", "run.json", "queries.csv"),
    output:
        figure=shown_figure("patches", "Queries", "Kept patches"),
    log:
        "results/logs/{experiment}/patches_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        run=lambda wildcards, input: Path(input.run[0]).parent,
        options=CONFIG.figures.model_dump_json(),
        code=code_hash("pipeline.figures.patches"),
    shell:
        "python -m pipeline.figures.patches --shards {input.shards:q} --run {params.run:q}"
        " --figure {output.figure:q} --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule attention:
    input:
        shards=f"results/{TESTED}/shards",
        run=multiext(f"{BLENDING}/", "weights.safetensors", "run.json", "queries.csv"),
    output:
        figure=shown_figure("attention", "Queries", "FBM's attention"),
    log:
        "results/logs/{experiment}/attention_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        run=lambda wildcards, input: Path(input.run[0]).parent,
        options=CONFIG.figures.model_dump_json(),
        code=code_hash("pipeline.figures.attention"),
    shell:
        "python -m pipeline.figures.attention --shards {input.shards:q} --run {params.run:q}"
        " --figure {output.figure:q} --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule k_histogram:
    input:
        features=selecting_runs("features.npz"),
        records=selecting_runs("run.json"),
    output:
        figure=shown_figure("k_histogram", "Evaluation", "Histograms of k"),
    log:
        "results/logs/{experiment}/k_histogram_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        runs=selecting_runs(""),
        code=code_hash("pipeline.figures.k_histogram"),
    shell:
        "python -m pipeline.figures.k_histogram --runs {params.runs:q} --figure {output.figure:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule map_by_occlusion:
    input:
        truth=f"results/{RENDERED}/truth.npz",
        queries=runs("queries.csv"),
        records=runs("run.json"),
    output:
        figure=shown_figure("map_by_occlusion", "Evaluation", "mAP by occlusion"),
        table=f"{FIGURES}/{{table}}_map_by_occlusion.csv",
    log:
        "results/logs/{experiment}/map_by_occlusion_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        runs=runs(""),
        code=code_hash("pipeline.figures.map_by_occlusion"),
    shell:
        "python -m pipeline.figures.map_by_occlusion --runs {params.runs:q} --truth {input.truth:q}"
        " --figure {output.figure:q} --table {output.table:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"
