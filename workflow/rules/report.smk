"""What `snakemake --report` shows of the tables: a report has no view of a CSV file."""

# by the end of a table's name: its caption, and its title in the report
SHOWN = {"": ("table", "All variants"), "_runs": ("runs", "All runs")}
if len(CONFIG.compare) > 1:
    SHOWN["_paired"] = ("paired", "Paired differences")
if verdict_tables():
    SHOWN["_verdicts"] = ("verdicts", "Against published numbers")


rule pages:
    input:
        tables=[f"results/{{experiment}}/tables/{{table}}{end}.csv" for end in SHOWN],
    output:
        pages=[
            report(
                f"results/{{experiment}}/tables/{{table}}{end}.html",
                caption=f"../report/captions/{caption}.rst",
                category="Tables",
                labels={"table": title},
            )
            for end, (caption, title) in SHOWN.items()
        ],
    log:
        "results/logs/{experiment}/pages_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **LIGHT,
    params:
        code=code_hash("pipeline.tables.pages"),
    shell:
        "python -m pipeline.tables.pages --tables {input.tables:q} --pages {output.pages:q}"
        " --made-of {input:q} --makes {output:q} 2>&1 | tee {log:q}"
