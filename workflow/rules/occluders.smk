rule draw_scenes:
    output:
        images=directory("results/occluders/scenes"),
    log:
        "results/logs/occluders/draw_scenes.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        options=CONFIG.occluders.scenes.model_dump_json(),
        code=code_hash("pipeline.synthetic.scenes"),
    shell:
        "python -m pipeline.synthetic.scenes --images {output.images}"
        " --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log}"


if CONFIG.occluders.masks == "sam":

    rule segment:
        input:
            images=occluder_images,
            checkpoint=CONFIG.occluders.sam.checkpoint,
        output:
            masks="results/occluders/masks.jsonl",
            record="results/occluders/masks.json",
        log:
            "results/logs/occluders/segment.log",
        conda:
            "../../envs/pipeline.yaml"
        resources:
            mem_mb=4000,
            gpu=1,
        params:
            sam=CONFIG.occluders.sam.model_dump_json(),
            generator=CONFIG.occluders.generator.model_dump_json(),
            compute=compute_options,
            device=CONFIG.compute.device,
            source=CONFIG.occluders.source_options().model_dump_json(),
            # not an output: it outlives an interrupted job, which then goes on from it
            state="results/occluders/masks.state.jsonl",
            code=code_hash("pipeline.occluders.segment"),
        shell:
            "python -m pipeline.occluders.segment --images {input.images:q} --masks {output.masks}"
            " --record {output.record} --state {params.state} --sam {params.sam:q}"
            " --generator {params.generator:q} --compute {params.compute:q}"
            " --source {params.source:q}"
            " --made-of {input:q} --makes {output:q} 2>&1 | tee {log}"

else:

    rule read_sa1b:
        input:
            images=occluder_images,
        output:
            masks="results/occluders/masks.jsonl",
            record="results/occluders/masks.json",
        log:
            "results/logs/occluders/read_sa1b.log",
        conda:
            "../../envs/pipeline.yaml"
        params:
            source=CONFIG.occluders.source_options().model_dump_json(),
            code=code_hash("pipeline.occluders.sa1b"),
        shell:
            "python -m pipeline.occluders.sa1b --images {input.images:q} --masks {output.masks}"
            " --record {output.record} --source {params.source:q}"
            " --made-of {input:q} --makes {output:q} 2>&1 | tee {log}"


rule select:
    input:
        images=occluder_images,
        masks="results/occluders/masks.jsonl",
        record="results/occluders/masks.json",
    output:
        bank=directory("results/occluders/bank"),
    log:
        "results/logs/occluders/select.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        options=CONFIG.occluders.bank_options().model_dump_json(),
        code=code_hash("pipeline.occluders.select"),
    shell:
        "python -m pipeline.occluders.select --images {input.images:q} --masks {input.masks}"
        " --record {input.record} --bank {output.bank} --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log}"
