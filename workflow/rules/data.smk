rule fetch:
    output:
        "results/downloads/{file}",
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
        # no hash of the code: it decides how a file comes, not what is in it
        # not tracked, as in compute_options: another wording of the terms fetches nothing again
        options=lambda wildcards, input: CONFIG.fetch_options(wildcards.file).model_dump_json(),
        tracked=lambda wildcards: (
            CONFIG.fetch_options(wildcards.file).model_dump_json(exclude={"terms"})
        ),
    message:
        "Fetch {output}: {params.options}"
    shell:
        "python -m pipeline.downloads.fetch --file {output:q} --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule render_benchmark:
    input:
        body=BODY,
    output:
        archive=f"results/{RENDERED}/archive.zip",
        truth=f"results/{RENDERED}/truth.npz",
    log:
        f"results/logs/{RENDERED}/render_benchmark.log",
    conda:
        "../../envs/pipeline.yaml"
    threads: 2
    resources:
        **HEAVY,
    params:
        options=CONFIG.benchmark.model_dump_json(),
        code=code_hash("pipeline.synthetic.benchmark"),
    shell:
        "python -m pipeline.synthetic.benchmark --body {input.body:q} --archive {output.archive:q}"
        " --truth {output.truth:q} --options {params.options:q} --processes {threads}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule publish_dataset:
    input:
        archive=f"results/{RENDERED}/archive.zip",
        truth=f"results/{RENDERED}/truth.npz",
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
        options=CONFIG.benchmark.model_dump_json(),
        code=code_hash("pipeline.synthetic.dataset"),
    shell:
        "python -m pipeline.synthetic.dataset --archive {input.archive:q} --truth {input.truth:q}"
        " --datasheet {input.datasheet:q} --dataset {output.dataset:q} --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


# the rendered benchmark for others, who do not have this workflow. Not a part of `rule all`
rule synthetic_dataset:
    input:
        f"results/{RENDERED}/dataset",


rule ingest:
    input:
        archive=archive,
        lists=lists,
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
        options=lambda wildcards: CONFIG.ingest_options(wildcards.dataset).model_dump_json(),
        lists=lambda wildcards, input: (
            ["--lists", str(Path(input.lists[0]).parent)] if input.lists else []
        ),
        needed=needed_splits,
        code=code_hash("pipeline.data.ingest"),
    shell:
        "python -m pipeline.data.ingest --archive {input.archive:q} --images {output.images:q}"
        " --manifest {output.manifest:q} --record {output.record:q} --options {params.options:q}"
        " {params.lists:q} --needed {params.needed:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule shard:
    input:
        images="results/{dataset}/images",
        manifest="results/{dataset}/manifest.csv",
        record="results/{dataset}/ingest.json",
    output:
        shards=directory("results/{dataset}/shards"),
    log:
        "results/logs/{dataset}/shard.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        code=code_hash("pipeline.data.shards"),
    shell:
        "python -m pipeline.data.shards --images {input.images:q} --manifest {input.manifest:q}"
        " --record {input.record:q} --shards {output.shards:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"
