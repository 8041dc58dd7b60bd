"""Where results come from, and whether another machine has them too. Not a part of `rule all`."""

TABLE = f"results/{EXPERIMENT}/tables/{CONFIG.table}"


# no input: it looks at the files as they are, and what was tampered with must not be made again
rule provenance:
    log:
        f"results/logs/{EXPERIMENT}/provenance_{CONFIG.table}.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        # the receipt is made of all that the experiment made
        file=FILE or (f"{TABLE}.csv" if CELL else f"{TABLE}_published.json"),
        cell=["--cell", CELL] if CELL else [],
    shell:
        "python -m pipeline.lineage.trace --file {params.file:q} {params.cell:q}"
        " 2>&1 | tee {log:q}"


rule agreement:
    input:
        table=f"{TABLE}.csv",
        reference=REFERENCE or shipped(f"workflow/report/{CONFIG.table}.csv"),
    log:
        f"results/logs/{EXPERIMENT}/agreement_{CONFIG.table}.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    shell:
        "python -m pipeline.tables.agree --table {input.table:q} --reference {input.reference:q}"
        " 2>&1 | tee {log:q}"
