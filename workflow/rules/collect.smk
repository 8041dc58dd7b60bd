rule tabulate:
    input:
        metrics=runs("metrics.json"),
    output:
        csv="results/{experiment}/tables/{table}.csv",
        markdown="results/{experiment}/tables/{table}.md",
        latex="results/{experiment}/tables/{table}.tex",
        runs="results/{experiment}/tables/{table}_runs.csv",
    log:
        "results/logs/{experiment}/tabulate_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        variants=CONFIG.compare,
        code=code_hash("pipeline.tables.tabulate"),
    shell:
        "python -m pipeline.tables.tabulate --metrics {input.metrics:q} --csv {output.csv:q}"
        " --markdown {output.markdown:q} --latex {output.latex:q} --runs {output.runs:q}"
        " --variants {params.variants:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule compare:
    input:
        queries=runs("queries.csv"),
        metrics=runs("metrics.json"),
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
        variants=CONFIG.compare,
        reference=CONFIG.reference_variant(),
        code=code_hash("pipeline.tables.compare"),
    shell:
        "python -m pipeline.tables.compare --queries {input.queries:q} --csv {output.csv:q}"
        " --markdown {output.markdown:q} --variants {params.variants:q}"
        " --reference {params.reference:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule verdicts:
    input:
        metrics=runs("metrics.json"),
        records=runs("run.json"),
    output:
        csv="results/{experiment}/tables/{table}_verdicts.csv",
        markdown="results/{experiment}/tables/{table}_verdicts.md",
    log:
        "results/logs/{experiment}/verdicts_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        variants=CONFIG.compare,
        occluders=CONFIG.occluders.model_dump_json(),
        code=code_hash("pipeline.tables.verdicts"),
    shell:
        "python -m pipeline.tables.verdicts --metrics {input.metrics:q} --csv {output.csv:q}"
        " --markdown {output.markdown:q} --variants {params.variants:q}"
        " --occluders {params.occluders:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule configuration:
    output:
        "results/{experiment}/tables/{table}_config.json",
    log:
        "results/logs/{experiment}/configuration_{table}.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        # not tracked, as in compute_options: it is that with which the rest was made
        configuration=lambda wildcards, input: configuration_text(),
        tracked=configuration_text(exclude={"compute"}),
        code=code_hash("pipeline.lineage.configuration"),
    shell:
        "python -m pipeline.lineage.configuration --configuration {params.configuration:q}"
        " --output {output:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"


rule publish:
    input:
        files=[
            runs(file)
            for file in (
                "weights.safetensors",
                "history.csv",
                "run.json",
                "metrics.json",
                "queries.csv",
            )
        ],
        tables=[
            *multiext(
                "results/{experiment}/tables/{table}",
                *(".csv", ".md", ".tex", "_runs.csv", "_config.json"),
            ),
            *paired_tables(),
            *verdict_tables(),
            *[f"{stem}.html" for stem in SHOWN],
        ],
        figures=expand(f"{FIGURES}/{{figure}}.png", figure=figures(), allow_missing=True),
        numbers=[f"{FIGURES}/{{table}}_map_by_occlusion.csv"] if CONFIG.tested().is_rendered else [],
        bank=[BANK] if pasting_variants() else [],
    output:
        receipt="results/{experiment}/tables/{table}_published.json",
    log:
        "results/logs/{experiment}/publish_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        runs=runs(""),
        database="results/mlflow.db",
        bank=lambda wildcards, input: ["--bank", *input.bank] if input.bank else [],
        code=code_hash("pipeline.tracking.publish"),
    shell:
        "python -m pipeline.tracking.publish --database {params.database:q}"
        " --receipt {output.receipt:q} --experiment {wildcards.experiment}"
        " --table {wildcards.table} --runs {params.runs:q} --tables {input.tables:q}"
        " --figures {input.figures:q} {input.numbers:q} {params.bank:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"
