import sys
from pathlib import Path

from pipeline.config import load_config
from pipeline.errors import InputError


configfile: f"{workflow.basedir}/config.yaml"


try:
    CONFIG = load_config(config)
except InputError as error:
    sys.exit(f"error: {error}")

DATASET = CONFIG.data.dataset


wildcard_constraints:
    dataset=DATASET,
    variant="|".join(CONFIG.compare),
    seed=r"\d+",
    table=CONFIG.table,


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/occluders.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/weights.smk"


rule all:
    default_target: True
    input:
        expand("results/{dataset}/tables/{table}.csv", dataset=DATASET, table=CONFIG.table),
        expand(paired_tables(), dataset=DATASET, table=CONFIG.table),
        expand("results/{dataset}/figures/{figure}.png", dataset=DATASET, figure=figures()),
        expand(
            "results/{dataset}/tables/{table}_published.json", dataset=DATASET, table=CONFIG.table
        ),
