"""What `snakemake --report` shows of the tables: a report has no view of a CSV file."""

TABLE_STEM = "results/{experiment}/tables/{table}"
# by a table's path without its ending: its caption, and its title in the report
SHOWN = {TABLE_STEM: ("table", "All variants"), f"{TABLE_STEM}_runs": ("runs", "All runs")}
if len(CONFIG.compare) > 1:
    SHOWN[f"{TABLE_STEM}_paired"] = ("paired", "Paired differences")
if verdict_tables():
    SHOWN[f"{TABLE_STEM}_verdicts"] = ("verdicts", "Against published numbers")
if CONFIG.tested().is_rendered:
    SHOWN[f"{FIGURES}/{{table}}_map_by_occlusion"] = ("map_by_occlusion", "mAP by occlusion")


rule pages:
    input:
        tables=[f"{stem}.csv" for stem in SHOWN],
    output:
        pages=[
            report(
                f"{stem}.html",
                caption=f"../report/captions/{caption}.rst",
                category="Tables",
                labels={"table": title},
            )
            for stem, (caption, title) in SHOWN.items()
        ],
    log:
        "results/logs/{experiment}/pages_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.tables.pages:show_tables"),
    script:
        "../scripts/stage.py"
