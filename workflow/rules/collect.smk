# the table of the runs that are finished. Not part of `rule all`
PARTIAL = f"{TABLE}_partial"


rule tabulate:
    input:
        runs=runs("metrics.json"),
    output:
        csv="results/{experiment}/tables/{table}.csv",
        markdown="results/{experiment}/tables/{table}.md",
        latex="results/{experiment}/tables/{table}.tex",
        each="results/{experiment}/tables/{table}_runs.csv",
    log:
        "results/logs/{experiment}/tabulate_{table}.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.tables.tabulate:tabulate"),
        variants=CONFIG.compare,
    script:
        "../scripts/stage.py"


rule tabulate_partial:
    input:
        runs=finished_runs,
    output:
        csv=f"{PARTIAL}.csv",
        markdown=f"{PARTIAL}.md",
        latex=f"{PARTIAL}.tex",
        each=f"{PARTIAL}_runs.csv",
    log:
        "results/logs/{experiment}/tabulate_{table}_partial.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.tables.partial:tabulate_partial"),
        variants=CONFIG.compare,
        seeds=CONFIG.seeds,
    script:
        "../scripts/stage.py"


rule compare:
    input:
        runs=runs("queries.csv", "metrics.json"),
    output:
        csv="results/{experiment}/tables/{table}_paired.csv",
        markdown="results/{experiment}/tables/{table}_paired.md",
    log:
        "results/logs/{experiment}/compare_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
    params:
        stage=stage("pipeline.tables.compare:compare"),
        variants=CONFIG.compare,
        reference=CONFIG.reference_variant(),
    script:
        "../scripts/stage.py"


rule verdicts:
    input:
        runs=runs("metrics.json", "run.json"),
    output:
        csv="results/{experiment}/tables/{table}_verdicts.csv",
        markdown="results/{experiment}/tables/{table}_verdicts.md",
    log:
        "results/logs/{experiment}/verdicts_{table}.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.tables.verdicts:give_verdicts"),
        variants=CONFIG.compare,
        occluders=CONFIG.occluders.model_dump_json(),
    script:
        "../scripts/stage.py"


rule configuration:
    output:
        output="results/{experiment}/tables/{table}_config.json",
    log:
        "results/logs/{experiment}/configuration_{table}.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    params:
        configuration_text(exclude={"compute", "search", "tracking"}),
        stage=stage("pipeline.config:write_configuration"),
        # not tracked: a change of `compute` alone reruns nothing
        configuration=lambda wildcards, input: configuration_text(exclude={"search", "tracking"}),
    script:
        "../scripts/stage.py"


rule publish:
    input:
        runs=runs(
            *("weights.safetensors", "history.csv", "run.json"),
            *("metrics.json", "queries.csv", "open_set.json"),
        ),
        tables=lambda wildcards: tables(wildcards.experiment),
        figures=lambda wildcards: figures(wildcards.experiment)
        + figure_tables(wildcards.experiment),
        bank=[BANK] if PASTING else [],
    output:
        receipt="results/{experiment}/tables/{table}_published.json",
    log:
        "results/logs/{experiment}/publish_{table}.log",
    localrule: True  # too short for a queue
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.tracking.publish:publish"),
        database="results/mlflow.db",
        server=lambda wildcards: destination(wildcards.experiment),
    script:
        "../scripts/stage.py"
