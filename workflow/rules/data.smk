rule fetch:
    output:
        file="results/downloads/{file}",
    log:
        "results/logs/downloads/{file}.log",
    wildcard_constraints:
        file=r"[^./][^/]*(/[^./][^/]*)?",
    retries: 2  # each goes on where the last one broke off
    localrule: True  # the nodes of a cluster often have no way out
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        lambda wildcards: CONFIG.fetch_options(wildcards.file).model_dump_json(exclude={"terms"}),
        # without a hash of the code: it decides how a file comes, not what is in it
        stage="pipeline.downloads.fetch:fetch",
        # not tracked, as in compute_options: another wording of the terms fetches nothing again
        options=lambda wildcards, input: CONFIG.fetch_options(wildcards.file).model_dump_json(),
    message:
        "Fetch {output}: {params.options}"
    script:
        "../scripts/stage.py"


rule render_benchmark:
    input:
        body=BODY,
    output:
        archive=f"results/{RENDERED}/archive.zip",
        ground_truth=f"results/{RENDERED}/ground_truth.npz",
    log:
        f"results/logs/{RENDERED}/render_benchmark.log",
    benchmark:
        f"results/logs/{RENDERED}/render_benchmark.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: 2
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.synthetic.benchmark:render_benchmark"),
        options=CONFIG.benchmark.model_dump_json(),
    script:
        "../scripts/stage.py"


rule publish_dataset:
    input:
        archive=f"results/{RENDERED}/archive.zip",
        ground_truth=f"results/{RENDERED}/ground_truth.npz",
        datasheet=shipped("workflow/report/datasheet.md"),
    output:
        dataset=directory(f"results/{RENDERED}/dataset"),
    log:
        f"results/logs/{RENDERED}/publish_dataset.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.synthetic.dataset:publish_dataset"),
        options=CONFIG.benchmark.model_dump_json(),
    script:
        "../scripts/stage.py"


# the rendered benchmark for others, who do not have this workflow. Not a part of `rule all`
rule synthetic_dataset:
    input:
        f"results/{RENDERED}/dataset",


rule ingest:
    input:
        lists,
        archive=archive,
    output:
        images=directory("results/{dataset}/images"),
        manifest="results/{dataset}/manifest.csv",
        record="results/{dataset}/ingest.json",
    log:
        "results/logs/{dataset}/ingest.log",
    priority: 1  # before any training: the dataset that is tested on may be hopeless
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.data.ingest:ingest"),
        options=lambda wildcards: CONFIG.ingest_options(wildcards.dataset).model_dump_json(),
        lists=lambda wildcards: CONFIG.source(wildcards.dataset).lists or "",
        needed=needed_splits,
    script:
        "../scripts/stage.py"


rule shard:
    input:
        images="results/{dataset}/images",
        manifest="results/{dataset}/manifest.csv",
    output:
        shards=directory("results/{dataset}/shards"),
    log:
        "results/logs/{dataset}/shard.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.data.shards:shard"),
    script:
        "../scripts/stage.py"
