"""Convert the tables to HTML for `snakemake --report`, which cannot display CSV files."""

# caption and title of each table in the report, by the table's path without suffix
REPORT_TABLES = {TABLE: ("table", "All variants"), f"{TABLE}_runs": ("runs", "All runs")}
if PAIRED_TABLES:
    REPORT_TABLES[f"{TABLE}_paired"] = ("paired", "Paired differences")
if VERDICT_TABLES:
    REPORT_TABLES[f"{TABLE}_verdicts"] = ("verdicts", "Against published numbers")
if CONFIG.tested().is_rendered:
    REPORT_TABLES[f"{FIGURES}/{{table}}_map_by_occlusion"] = (
        "map_by_occlusion",
        "mAP by occlusion",
    )


rule pages:
    input:
        tables=[f"{stem}.csv" for stem in REPORT_TABLES],
    output:
        pages=[
            report(
                page(stem),
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
