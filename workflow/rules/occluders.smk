# the paths depend on the options, so that banks do not overwrite each other
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
    params:
        stage=stage("pipeline.synthetic.scenes:render_scenes"),
        options=CONFIG.occluders.scenes.model_dump_json(),
    script:
        "../scripts/stage.py"


if CONFIG.occluders.masks == "sam":

    rule segment:
        input:
            source(CONFIG.occluders.sam.checkpoint),
            images=occluder_images,
        output:
            masks=f"{MASKS}.jsonl",
        log:
            f"results/logs/occluders/{Path(MASKS).name}.log",
        benchmark:
            f"results/logs/occluders/{Path(MASKS).name}.tsv"
        conda:
            "../../envs/pipeline.yaml"
        resources:
            runtime=2880,  # SAM's ViT-H takes half a day on a GPU for 11,000 photographs
            mem_mb=memory(12000),  # ViT-H has 2.6 GB, and twice as much while loading
            gpu=1,
        params:
            CONFIG.compute.device,
            stage=stage("pipeline.occluders.segment:segment"),
            sam=CONFIG.occluders.sam.model_dump_json(),
            generator=CONFIG.occluders.generator.model_dump_json(),
            compute=compute_options,
            source=CONFIG.occluders.source_options().model_dump_json(),
            # not an output: Snakemake must not delete it when the job is interrupted
            checkpoint=f"{MASKS}.checkpoint.jsonl",
        script:
            "../scripts/stage.py"

elif CONFIG.occluders.masks == "coco":

    rule read_coco:
        input:
            images=occluder_images,
            annotations=coco_annotations,
        output:
            masks=f"{MASKS}.jsonl",
        log:
            f"results/logs/occluders/{Path(MASKS).name}.log",
        conda:
            "../../envs/pipeline.yaml"
        resources:
            **HEAVY,
        params:
            stage=stage("pipeline.occluders.coco:read_coco"),
            source=CONFIG.occluders.source_options().model_dump_json(),
            categories=CONFIG.occluders.coco.categories or [],
        script:
            "../scripts/stage.py"

else:
    READER = {
        "sa1b": stage("pipeline.occluders.sa1b:read_sa1b"),
        "alpha": stage("pipeline.occluders.alpha:read_alpha"),
    }

    rule read_masks:
        input:
            images=occluder_images,
        output:
            masks=f"{MASKS}.jsonl",
        log:
            f"results/logs/occluders/{Path(MASKS).name}.log",
        conda:
            "../../envs/pipeline.yaml"
        resources:
            **HEAVY,
        params:
            stage=READER[CONFIG.occluders.masks],
            source=CONFIG.occluders.source_options().model_dump_json(),
        script:
            "../scripts/stage.py"


rule select:
    input:
        images=occluder_images,
        masks=f"{MASKS}.jsonl",
    output:
        bank=directory(BANK),
    log:
        f"results/logs/occluders/{Path(BANK).name}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.occluders.select:select"),
        options=CONFIG.occluders.bank_options().model_dump_json(),
    script:
        "../scripts/stage.py"
