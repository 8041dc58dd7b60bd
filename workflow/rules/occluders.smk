# another path for other options: two banks never take each other's place
SCENES, MASKS, BANK = (
    CONFIG.occluders.scenes_path(),
    CONFIG.occluders.masks_path(),
    CONFIG.occluders.bank_path(),
)


rule render_scenes:
    input:
        body=BODY,
    output:
        images=directory(SCENES),
    log:
        f"results/logs/occluders/{Path(SCENES).name}.log",
    conda:
        "../../envs/pipeline.yaml"
    threads: 2
    resources:
        **LIGHT,
    params:
        options=CONFIG.occluders.scenes.model_dump_json(),
        code=code_hash("pipeline.synthetic.scenes"),
    shell:
        "python -m pipeline.synthetic.scenes --body {input.body:q} --images {output.images:q}"
        " --options {params.options:q} --processes {threads}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


if CONFIG.occluders.masks == "sam":

    rule segment:
        input:
            images=occluder_images,
            checkpoint=shipped(CONFIG.occluders.sam.checkpoint),
        output:
            masks=f"{MASKS}.jsonl",
            record=f"{MASKS}.json",
        log:
            f"results/logs/occluders/{Path(MASKS).name}.log",
        conda:
            "../../envs/pipeline.yaml"
        resources:
            runtime=2880,  # 11,000 photographs take SAM's ViT-H about half a day on a GPU
            mem_mb=12000,  # ViT-H is 2.6 GB, twice while it is read
            gpu=1,
        params:
            sam=CONFIG.occluders.sam.model_dump_json(),
            generator=CONFIG.occluders.generator.model_dump_json(),
            compute=compute_options,
            device=CONFIG.compute.device,
            source=CONFIG.occluders.source_options().model_dump_json(),
            # not an output: it outlives an interrupted job, which then goes on from it
            state=f"{MASKS}.state.jsonl",
            code=code_hash("pipeline.occluders.segment"),
        shell:
            "python -m pipeline.occluders.segment --images {input.images:q}"
            " --masks {output.masks:q} --record {output.record:q} --state {params.state:q}"
            " --sam {params.sam:q} --generator {params.generator:q} --compute {params.compute:q}"
            " --source {params.source:q}"
            " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"

else:

    rule read_sa1b:
        input:
            images=occluder_images,
        output:
            masks=f"{MASKS}.jsonl",
            record=f"{MASKS}.json",
        log:
            f"results/logs/occluders/{Path(MASKS).name}.log",
        conda:
            "../../envs/pipeline.yaml"
        resources:
            **HEAVY,
        params:
            source=CONFIG.occluders.source_options().model_dump_json(),
            code=code_hash("pipeline.occluders.sa1b"),
        shell:
            "python -m pipeline.occluders.sa1b --images {input.images:q} --masks {output.masks:q}"
            " --record {output.record:q} --source {params.source:q}"
            " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule select:
    input:
        images=occluder_images,
        masks=f"{MASKS}.jsonl",
        record=f"{MASKS}.json",
    output:
        bank=directory(BANK),
    log:
        f"results/logs/occluders/{Path(BANK).name}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        options=CONFIG.occluders.bank_options().model_dump_json(),
        code=code_hash("pipeline.occluders.select"),
    shell:
        "python -m pipeline.occluders.select --images {input.images:q} --masks {input.masks:q}"
        " --record {input.record:q} --bank {output.bank:q} --options {params.options:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"
