"""Convert the tables to HTML for `snakemake --report`, which cannot display CSV files."""

# experiments with the same tables share a rule, because the outputs of a rule are fixed
SAME_TABLES = {}
for experiment in PAIRS:
    SAME_TABLES.setdefault(tuple(report_tables(experiment).items()), []).append(experiment)

for number, (stems, experiments) in enumerate(SAME_TABLES.items()):

    rule:
        name:
            f"pages{number or ''}"
        input:
            tables=[f"{stem}.csv" for stem, _ in stems],
        output:
            pages=[
                report(
                    page(stem),
                    caption=f"../report/captions/{caption}.rst",
                    category="Tables",
                    labels={"table": title},
                )
                for stem, (caption, title) in stems
            ],
        log:
            "results/logs/{experiment}/pages_{table}.log",
        wildcard_constraints:
            experiment=one_of(experiments),
        localrule: True  # too short for a queue
        conda:
            "../../envs/pipeline.yaml"
        params:
            stage=stage("pipeline.tables.pages:show_tables"),
        script:
            "../scripts/stage.py"


rule page_partial:
    input:
        tables=[f"{PARTIAL}.csv"],
    output:
        pages=[
            report(
                page(PARTIAL),
                caption="../report/captions/partial.rst",
                category="Tables",
                labels={"table": "Finished runs"},
            )
        ],
    log:
        "results/logs/{experiment}/page_{table}_partial.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.tables.pages:show_tables"),
    script:
        "../scripts/stage.py"


rule partial:
    input:
        expand(page(PARTIAL), experiment=EXPERIMENTS, table=CONFIG.table),
