# variants in figures of single images: the first, the last that selects patches, the last with FBM
# (if there is none, the figures that need it are not requested)
FIRST = CONFIG.compare[:1]
LAST_SELECTING = [*CONFIG.compare, *SELECTING][-1:]
LAST_BLENDING = [*CONFIG.compare, *BLENDING][-1:]


rule ablation:
    input:
        runs=runs("metrics.json"),
    output:
        figure=report_figure("ablation", "Evaluation", "mAP of each variant"),
    log:
        "results/logs/{experiment}/ablation_{table}.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.ablation:draw_ablation"),
        variants=CONFIG.compare,
    script:
        "../scripts/stage.py"


rule benchmark_sheet:
    input:
        trained=trained_shards,
        tested=tested_shards,
    output:
        figure=report_figure("benchmark", "Data", "The dataset"),
    log:
        "results/logs/{experiment}/benchmark_sheet_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.benchmark_sheet:draw_benchmark_sheet"),
    script:
        "../scripts/stage.py"


rule bank_sheet:
    input:
        bank=BANK,
    output:
        figure=report_figure("bank", "Data", "The occluder bank"),
    log:
        "results/logs/{experiment}/bank_sheet_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.bank_sheet:draw_bank_sheet"),
    script:
        "../scripts/stage.py"


rule views_sheet:
    input:
        shards=trained_shards,
        bank=BANK,
    output:
        figure=report_figure("views", "Data", "Training views"),
    log:
        "results/logs/{experiment}/views_sheet_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.views_sheet:draw_views_sheet"),
        options=lambda wildcards: COMPARED[PASTING[0]].model_dump_json(),
    script:
        "../scripts/stage.py"


rule curves:
    input:
        runs=runs("history.csv", "run.json"),
    output:
        figure=report_figure("curves", "Training", "Loss, learning rate and k"),
    log:
        "results/logs/{experiment}/curves_{table}.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.curves:draw_curves"),
    script:
        "../scripts/stage.py"


rule ranks:
    input:
        shards=tested_shards,
        baseline=first_runs(FIRST, "queries.csv", "features.npz", "run.json"),
        variant=first_runs(LAST_SELECTING, "queries.csv", "features.npz", "run.json"),
    output:
        figure=report_figure("ranks", "Queries", "Ranked lists"),
    log:
        "results/logs/{experiment}/ranks_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        runtime=60,
    params:
        stage=stage("pipeline.figures.ranks:draw_ranks"),
        options=CONFIG.figures.model_dump_json(),
    script:
        "../scripts/stage.py"


rule patches:
    input:
        shards=tested_shards,
        run=first_runs(LAST_SELECTING, "weights.safetensors", "run.json", "queries.csv"),
    output:
        figure=report_figure("patches", "Queries", "Kept patches"),
    log:
        "results/logs/{experiment}/patches_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.patches:draw_patches"),
        options=CONFIG.figures.model_dump_json(),
    script:
        "../scripts/stage.py"


rule attention:
    input:
        shards=tested_shards,
        run=first_runs(LAST_BLENDING, "weights.safetensors", "run.json", "queries.csv"),
    output:
        figure=report_figure("attention", "Queries", "FBM's attention"),
    log:
        "results/logs/{experiment}/attention_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.attention:draw_attention"),
        options=CONFIG.figures.model_dump_json(),
    script:
        "../scripts/stage.py"


rule k_histogram:
    input:
        runs=first_runs(SELECTING, "features.npz", "run.json"),
    output:
        figure=report_figure("k_histogram", "Evaluation", "Histograms of k"),
    log:
        "results/logs/{experiment}/k_histogram_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.k_histogram:draw_k_histogram"),
    script:
        "../scripts/stage.py"


rule map_by_occlusion:
    input:
        ground_truth=f"results/{RENDERED}/ground_truth.npz",
        runs=runs("queries.csv", "run.json"),
    output:
        figure=report_figure("map_by_occlusion", "Evaluation", "mAP by occlusion"),
        table=f"{FIGURES}/{{table}}_map_by_occlusion.csv",
    log:
        "results/logs/{experiment}/map_by_occlusion_{table}.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.map_by_occlusion:draw_map_by_occlusion"),
    script:
        "../scripts/stage.py"


rule open_set_curves:
    input:
        runs=runs("open_set.json", "run.json"),
    output:
        figure=report_figure("open_set", "Evaluation", "ROC, DET and open-set searches"),
    log:
        "results/logs/{experiment}/open_set_{table}.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.open_set:draw_open_set"),
    script:
        "../scripts/stage.py"
