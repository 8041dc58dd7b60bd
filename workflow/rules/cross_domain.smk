"""The cross-domain matrix: training sets x test sets. Not part of `rule all`."""

MATRIX = [pair.experiment for pair in CONFIG.cross_domain_experiments()]
MATRIX_TABLE = f"results/{TRAINED}/tables/{CONFIG.table}_cross_domain"
MATRIX_FIGURE = f"results/{TRAINED}/figures/{CONFIG.table}_cross_domain.png"


rule tabulate_cross_domain:
    input:
        metrics=matrix_metrics,
    output:
        csv=f"{MATRIX_TABLE}.csv",
        markdown=f"{MATRIX_TABLE}.md",
        each=f"{MATRIX_TABLE}_runs.csv",
    log:
        f"results/logs/{TRAINED}/tabulate_{CONFIG.table}_cross_domain.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.tables.cross_domain:tabulate_cross_domain"),
        variants=CONFIG.compare,
    script:
        "../scripts/stage.py"


rule draw_cross_domain:
    input:
        metrics=matrix_metrics,
    output:
        figure=report(
            MATRIX_FIGURE,
            caption="../report/captions/cross_domain.rst",
            category="Evaluation",
            labels={"figure": "Trained on x tested on"},
        ),
    log:
        f"results/logs/{TRAINED}/draw_{CONFIG.table}_cross_domain.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.figures.cross_domain:draw_cross_domain"),
        variants=CONFIG.compare,
    script:
        "../scripts/stage.py"


rule cross_domain:
    input:
        f"{MATRIX_TABLE}.csv",
        MATRIX_FIGURE,
