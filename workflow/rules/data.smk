rule fetch:
    output:
        file=local("results/downloads/{file}"),
    log:
        "results/logs/downloads/{file}.log",
    wildcard_constraints:
        file=r"[^./][^/]*(/[^./][^/]*)?",
    retries: 2  # each resumes the partial download
    localrule: True  # cluster nodes often have no internet access
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        lambda wildcards: CONFIG.fetch_options(wildcards.file).model_dump_json(exclude={"terms"}),
        # no hash of the code, which does not affect the file's content
        stage="pipeline.downloads.fetch:fetch",
        # not tracked: changed terms rerun nothing
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
    priority: 1  # before the scenes: while one core segments them, the other can train
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
        datasheet=source("workflow/report/datasheet.md"),
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


# the rendered benchmark as a dataset for publication. Not part of `rule all`
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
    wildcard_constraints:
        dataset=one_of(SOURCES),
    priority: 1  # before any training, so that a bad test set fails early
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.data.ingest:ingest"),
        options=lambda wildcards: CONFIG.ingest_options(wildcards.dataset).model_dump_json(),
        lists=lambda wildcards: CONFIG.sources()[wildcards.dataset].lists or "",
        required_splits=required_splits,
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
    wildcard_constraints:
        dataset=one_of(SOURCES),
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.data.shards:shard"),
    script:
        "../scripts/stage.py"


if len(CONFIG.trained()) > 1:

    rule join:
        input:
            parts=expand("results/{dataset}/shards", dataset=CONFIG.trained()),
        output:
            shards=directory(f"results/{TRAINED}/shards"),
        log:
            f"results/logs/{TRAINED}/join.log",
        conda:
            "../../envs/pipeline.yaml"
        resources:
            **HEAVY,
        params:
            stage=stage("pipeline.data.joint:join"),
            names=[CONFIG.label(folder) for folder in CONFIG.trained()],
        script:
            "../scripts/stage.py"
