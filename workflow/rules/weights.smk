"""The shipped small weights: made again from seeds, and measured. Not a part of `rule all`."""

# weights that are measured: just made, or those in the repository
WEIGHTS = {"demo": "results/demo_weights", "shipped": "workflow/weights"}


rule demo_weights:
    input:
        "results/demo_weights/small_vit.json",
        "results/demo_weights/small_sam.json",


rule shipped_weights_report:
    input:
        "results/shipped_weights/small_vit.json",
        "results/shipped_weights/small_sam.json",


rule pretrain_vit:
    output:
        weights="results/demo_weights/small_vit.safetensors",
    log:
        "results/logs/demo_weights/pretrain_vit.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        code=code_hash("pipeline.pretraining.small_vit"),
    shell:
        "python -m pipeline.pretraining.small_vit --weights {output.weights:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule pretrain_sam:
    output:
        weights="results/demo_weights/small_sam.safetensors",
    log:
        "results/logs/demo_weights/pretrain_sam.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        code=code_hash("pipeline.pretraining.small_sam"),
    shell:
        "python -m pipeline.pretraining.small_sam --weights {output.weights:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule report_vit:
    input:
        checkpoint=lambda wildcards: shipped(f"{WEIGHTS[wildcards.origin]}/small_vit.safetensors"),
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
        " --report {output.report:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule report_sam:
    input:
        checkpoint=lambda wildcards: shipped(f"{WEIGHTS[wildcards.origin]}/small_sam.safetensors"),
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
        " --report {output.report:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"
