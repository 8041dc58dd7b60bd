"""Convert the tables to HTML for `snakemake --report`, which cannot display CSV files."""

TABLE_STEM = "results/{experiment}/tables/{table}"
# caption and title of each table in the report, by the table's path without suffix
REPORT_TABLES = {TABLE_STEM: ("table", "All variants"), f"{TABLE_STEM}_runs": ("runs", "All runs")}
if len(CONFIG.compare) > 1:
    REPORT_TABLES[f"{TABLE_STEM}_paired"] = ("paired", "Paired differences")
if verdict_tables():
    REPORT_TABLES[f"{TABLE_STEM}_verdicts"] = ("verdicts", "Against published numbers")
if CONFIG.tested().is_rendered:
    REPORT_TABLES[f"{FIGURES}/{{table}}_map_by_occlusion"] = ("map_by_occlusion", "mAP by occlusion")


rule pages:
    input:
        tables=[f"{stem}.csv" for stem in REPORT_TABLES],
    output:
        pages=[
            report(
                f"{stem}.html",
                caption=f"../report/captions/{caption}.rst",
                category="Tables",
                labels={"table": title},
            )
            for stem, (caption, title) in REPORT_TABLES.items()
        ],
    log:
        "results/logs/{experiment}/pages_{table}.log",
    conda:
        "../../envs/pipeline.yaml"
    params:
        stage=stage("pipeline.tables.pages:show_tables"),
    script:
        "../scripts/stage.py"
