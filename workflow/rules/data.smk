rule fetch:
    output:
        "results/downloads/{file}",
    log:
        "results/logs/downloads/{file}.log",
    wildcard_constraints:
        file=r"[^./][^/]*(/[^./][^/]*)?",
    localrule: True  # the nodes of a cluster often have no way out
    conda:
        "../../envs/pipeline.yaml"
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
        "python -m pipeline.downloads.fetch --file {output} --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log}"


rule draw_benchmark:
    output:
        archive="results/synthetic/archive.zip",
        truth="results/synthetic/truth.npz",
    log:
        "results/logs/draw_benchmark.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        options=CONFIG.benchmark.model_dump_json(),
        code=code_hash("pipeline.synthetic.benchmark"),
    shell:
        "python -m pipeline.synthetic.benchmark --archive {output.archive} --truth {output.truth}"
        " --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log}"


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
    conda:
        "../../envs/pipeline.yaml"
    params:
        options=lambda wildcards: CONFIG.ingest_options(wildcards.dataset).model_dump_json(),
        lists=lambda wildcards, input: (
            ["--lists", str(Path(input.lists[0]).parent)] if input.lists else []
        ),
        code=code_hash("pipeline.data.ingest"),
    shell:
        "python -m pipeline.data.ingest --archive {input.archive:q} --images {output.images}"
        " --manifest {output.manifest} --record {output.record} --options {params.options:q}"
        " {params.lists:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log}"


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
    params:
        code=code_hash("pipeline.data.shards"),
    shell:
        "python -m pipeline.data.shards --images {input.images} --manifest {input.manifest}"
        " --record {input.record} --shards {output.shards}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log}"
