import sys
from pathlib import Path

import yaml
from snakemake.utils import min_version, update_config

from pipeline.load_config import load_config
from pipeline.errors import InputError, warn

min_version("9.0")


configfile: f"{workflow.current_basedir}/config.yaml"


# a workflow that imports this one as a module replaces `config`: config.yaml supplies missing keys
values = yaml.safe_load(Path(workflow.current_basedir, "config.yaml").read_text(encoding="utf-8"))
update_config(values, config)
try:
    CONFIG = load_config(values)
except InputError as error:
    sys.exit(f"error: {error}")

if workflow.is_main_process:  # jobs load this file again
    for warning in CONFIG.warnings():
        warn(f"config: {warning}")

# folders in results/: of the experiments, of all datasets, and of the training set
EXPERIMENTS = [pair.experiment for pair in CONFIG.experiments()]
SOURCES = list(CONFIG.sources())
TRAINED = CONFIG.joint_folder()
# training set and test set of each experiment, by its folder
PAIRS = {pair.experiment: pair for pair in CONFIG.experiments() + CONFIG.cross_domain_experiments()}


include: "workflow/rules/common.smk"


wildcard_constraints:
    dataset=one_of([*SOURCES, TRAINED]),
    experiment=one_of(PAIRS),
    variant="|".join(CONFIG.variants),
    seed=r"0|[1-9]\d*",
    table=CONFIG.table,


include: "workflow/rules/data.smk"
include: "workflow/rules/occluders.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/cross_domain.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/body.smk"


onstart:
    # with its limit on job starts, Snakemake adds a timer for each job that ends, and each timer selects
    # jobs once a second
    workflow.scheduler.job_rate_limiter = None


rule all:
    default_target: True
    input:
        [results(experiment) for experiment in EXPERIMENTS],
