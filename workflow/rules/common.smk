"""Functions and constants of several rules: options as JSON, run folders, inputs of a variant."""

import functools
import hashlib
import json
import os
import re
import sys

from pipeline.data.datasets import DATASETS
from pipeline.downloads.known import FOLDER
from pipeline.files import shipped
from pipeline.malloc import keep_freed_memory
from pipeline.options.run import TrainingNeeds
from pipeline.provenance.code import code_hash
from pipeline.storage import S3, tell_jobs
from pipeline.run import Benchmark
from pipeline.tables.published import published_rows
from pipeline.use.pictures import find_pictures

# whether results are kept in a bucket (docs/storage.md)
STORAGE = workflow.storage_settings
REMOTE = STORAGE.default_storage_provider == "s3"
tell_jobs(STORAGE.local_storage_prefix / "s3", STORAGE.default_storage_prefix if REMOTE else "")

keep_freed_memory()  # jobs inherit the environment


def source(path: str) -> str:
    """Return the input for a shipped file, a download, or a path of the user; s3:// is copied.

    If results are in a bucket, files of this machine are marked as such, and no reason to run
    again: those of a new clone are always newer than the bucket.
    """
    if path.startswith(S3):
        return storage(path)
    path = shipped(path)
    is_result = path.startswith("results/") and not path.startswith(f"{FOLDER}/")
    return local(ancient(path)) if REMOTE and not is_result else path


# shape and joints of all rendered people
BODY = source("workflow/body/body.npz")

TRAINED_RUN = "results/{dataset}/{variant}/seed{seed}"
# output of the evaluation; equals TRAINED_RUN unless the test set is another dataset
TESTED_RUN = "results/{experiment}/{variant}/seed{seed}"
# folder of the rendered dataset, also if the experiment does not use it
RENDERED = next(
    (folder for folder, data in CONFIG.sources().items() if data.is_rendered),
    CONFIG.benchmark.folder(),
)
FIGURES = "results/{experiment}/figures"
TABLE = "results/{experiment}/tables/{table}"
PAIRED_TABLES = [f"{TABLE}_paired.csv", f"{TABLE}_paired.md"] if len(CONFIG.compare) > 1 else []
VERDICT_TABLES = [f"{TABLE}_verdicts.csv", f"{TABLE}_verdicts.md"]
TRAINED_FILES = ("weights.safetensors", "history.csv", "run.json", "checkpoint.pt")

# each variant is asked for in several inputs and params of each run
variant_options = functools.cache(CONFIG.run_options)

# run options of the compared variants; those that paste occluders, select patches and use FBM
COMPARED = {name: variant_options(name) for name in CONFIG.compare}
PASTING = [name for name, options in COMPARED.items() if options.augment.occlusion == "roa"]
SELECTING = [name for name, options in COMPARED.items() if options.model.selection == "dpsm"]
BLENDING = [
    name
    for name, options in COMPARED.items()
    if options.model.selection != "none" and options.model.fusion == "fbm"
]


def memory(mb: int):
    """Return the MB that a job asks a cluster for: more with each attempt, up to three times."""
    return lambda wildcards, attempt: mb * min(attempt, 3)


# minutes and MB for a cluster, enough for the largest datasets; defaults: profiles/
HEAVY = {"runtime": 480, "mem_mb": memory(8000)}


def stage(name: str) -> str:
    """Return module:function@hash of the code; changed code reruns the rule."""
    return f"{name}@{code_hash(name.partition(':')[0])}"


def one_of(names) -> str:
    """Return a regular expression for any of `names`."""
    return "|".join(map(re.escape, dict.fromkeys(names)))


def run_files(experiment: str, variant: str, seed: int, files: tuple[str, ...]) -> list[str]:
    """Return the paths of files of a run, which training or evaluation writes."""
    trained = PAIRS[experiment].trained
    return [
        f"results/{trained if name in TRAINED_FILES else experiment}/{variant}/seed{seed}/{name}"
        for name in files
    ]


def experiment_runs(experiment: str, *files: str) -> list[str]:
    """Return the files of all runs in the comparison, in the order of the table."""
    pairs = [(variant, seed) for variant in CONFIG.compare for seed in CONFIG.seeds]
    return [path for pair in pairs for path in run_files(experiment, *pair, files)]


def finished_runs(wildcards) -> list[str]:
    """Return the metrics of the runs in the comparison that are evaluated."""
    return list(filter(os.path.exists, experiment_runs(wildcards.experiment, "metrics.json")))


def evaluated(name: str):
    """Return an input function: the file `name` of the evaluated run, which training wrote."""

    def path(wildcards) -> str:
        seed = int(wildcards.seed)
        return run_files(wildcards.experiment, wildcards.variant, seed, (name,))[0]

    return path


def matrix_metrics(wildcards) -> list[str]:
    """Return the metrics of all runs of the matrix, row by row."""
    embedding = [name for name, each in COMPARED.items() if each.backbone.camera_embedding > 0]
    if embedding and len(MATRIX) > 1:
        sys.exit(
            f"error: config: variants.{embedding[0]}.backbone.camera_embedding: cannot embed the "
            "cameras of another dataset, as cross_domain needs: set it to 0"
        )
    return [path for experiment in MATRIX for path in experiment_runs(experiment, "metrics.json")]


def runs(*files: str):
    """Return the input function of `experiment_runs`."""
    return lambda wildcards: experiment_runs(wildcards.experiment, *files)


def trained_shards(wildcards) -> str:
    """Return the shards that the experiment trains on."""
    return f"results/{PAIRS[wildcards.experiment].trained}/shards"


def tested_shards(wildcards) -> str:
    """Return the shards that the experiment tests on."""
    return f"results/{PAIRS[wildcards.experiment].tested}/shards"


def tested_label(wildcards) -> str:
    """Return the name of the experiment's test set in records and tables."""
    return CONFIG.label(PAIRS[wildcards.experiment].tested)


def is_rendered(experiment: str) -> bool:
    """Return whether the workflow renders the test set, so that there is ground truth."""
    return CONFIG.tested()[PAIRS[experiment].tested].is_rendered


def has_verdicts(experiment: str) -> bool:
    """Return whether there are published numbers for the datasets of the experiment."""
    trained, tested = PAIRS[experiment]
    return bool(published_rows(Benchmark(CONFIG.label(tested), CONFIG.label(trained))))


def archive(wildcards) -> str:
    """Return the dataset's archive: the user's file, or the rendered one."""
    data = CONFIG.sources()[wildcards.dataset]
    if data.archive is None:
        return f"results/{RENDERED}/archive.zip"
    if not REMOTE and not Path(f"results/{wildcards.dataset}/manifest.csv").exists():
        require_path(data.archive, DATASETS[data.dataset].missing_archive(data.archive))
    return source(data.archive)


def require_path(path: str, message: str) -> None:
    """Exit with `message` alone if a user's path is missing: Snakemake's error has no cure."""
    if not path.startswith((f"{FOLDER}/", S3)) and not Path(path).exists():
        sys.exit(f"error: {message}")


def lists(wildcards) -> list[str]:
    """Return the lists that define the dataset, if any: single files, so that they are fetched."""
    folder = CONFIG.sources()[wildcards.dataset].lists
    splits = ("train", "query", "gallery")
    return [source(f"{folder}/{split}.list") for split in splits] if folder else []


def required_splits(wildcards, input) -> list[str]:
    """Return the splits that the experiments use; only checked, so not tracked."""
    trained = ["train"] if wildcards.dataset in CONFIG.trained() else []
    return trained + (["query", "gallery"] if wildcards.dataset in CONFIG.tested() else [])


def occluder_images(wildcards) -> str:
    """Return the folder that occluders are cut out of: the user's, or synthetic scenes."""
    images = CONFIG.occluders.images
    if images is None:
        return SCENES
    require_path(
        images,
        f"config: occluders.images: found no such folder {images}, expected a folder of images: "
        "correct the path, or give null for synthetic scenes",
    )
    return source(images)


def coco_annotations(wildcards) -> str:
    """Return the user's file of COCO's instance annotations."""
    path = CONFIG.occluders.coco.annotations
    require_path(
        path,
        f"config: occluders.coco.annotations: found no such file {path}, expected COCO's instance "
        "annotations: correct the path",
    )
    return source(path)


def run_options(wildcards) -> str:
    """Return the run options of a variant; a change reruns only this variant."""
    options = variant_options(wildcards.variant)
    joint = len(CONFIG.trained()) > 1 and wildcards.dataset == TRAINED
    return (options if joint else options.for_one_dataset()).model_dump_json()


def training_needs(wildcards, input) -> str:
    """Return the compared variants' requirements of the data; only checked, so not tracked."""
    return TrainingNeeds(
        identities=max(each.training.identities for each in COMPARED.values()),
        camera_embedding=any(each.backbone.camera_embedding > 0 for each in COMPARED.values()),
        tested=wildcards.dataset in CONFIG.tested(),
    ).model_dump_json()


def compute_options(wildcards, input) -> str:
    """Return the compute options; Snakemake does not track params that depend on `input`.

    Rules track device and precision separately: another number of workers must not rerun trainings.
    """
    return CONFIG.compute.model_dump_json()


def destination(folder: str) -> str:
    """Return where the runs of a folder in results/ are sent, as JSON; empty: to the database."""
    found = CONFIG.tracking.destination(folder)
    return found.model_dump_json() if found else ""


def configuration_text(**options) -> str:
    """Return the configuration as JSON with sorted keys: the order of variants has no effect."""
    return json.dumps(CONFIG.model_dump(mode="json", **options), sort_keys=True)


def pretrained(wildcards) -> list[str]:
    """Return the pretrained weights of a variant."""
    weights = variant_options(wildcards.variant).backbone.weights
    return [source(weights)] if weights else []


def bank(wildcards) -> list[str]:
    """Return the occluder bank if the variant pastes occluders."""
    occlusion = variant_options(wildcards.variant).augment.occlusion
    return [BANK] if occlusion == "roa" else []


def ground_truth(wildcards) -> list[str]:
    """Return the ground-truth masks if the training set is rendered; they are only for logging."""
    source = CONFIG.trained().get(wildcards.dataset)
    return [f"results/{RENDERED}/ground_truth.npz"] if source and source.is_rendered else []


def page(stem: str) -> str:
    """Return the page of a table; all are in one folder, as outputs of one job must be."""
    return f"results/{{experiment}}/tables/{Path(stem).name}.html"


def first_runs(variants: list[str], *files: str):
    """Return an input function: files of each variant's first seed, for figures of single runs."""
    return lambda wildcards: [
        path
        for name in variants
        for path in run_files(wildcards.experiment, name, CONFIG.seeds[0], files)
    ]


def figures(experiment: str) -> list[str]:
    """Return the paths of the figures that apply to the experiment."""
    kinds = ["benchmark", "curves", "open_set"]
    if PASTING:
        kinds += ["bank", "views"]
    if len(CONFIG.compare) > 1:
        kinds += ["ranks", "ablation"]
    if SELECTING:
        kinds += ["patches", "k_histogram"]
    if BLENDING:
        kinds += ["attention"]
    if is_rendered(experiment):
        kinds += ["map_by_occlusion"]
    return [f"results/{experiment}/figures/{CONFIG.table}_{kind}.png" for kind in kinds]


def figure_tables(experiment: str) -> list[str]:
    """Return the paths of the tables beside the figures."""
    table = f"results/{experiment}/figures/{CONFIG.table}_map_by_occlusion.csv"
    return [table] if is_rendered(experiment) else []


def report_tables(experiment: str) -> dict[str, tuple[str, str]]:
    """Return caption and title of each table in the report, by the table's path without suffix."""
    stems = {TABLE: ("table", "All variants"), f"{TABLE}_runs": ("runs", "All runs")}
    if PAIRED_TABLES:
        stems[f"{TABLE}_paired"] = ("paired", "Paired differences")
    if has_verdicts(experiment):
        stems[f"{TABLE}_verdicts"] = ("verdicts", "Against published numbers")
    if is_rendered(experiment):
        stems[f"{FIGURES}/{{table}}_map_by_occlusion"] = ("map_by_occlusion", "mAP by occlusion")
    return stems


def tables(experiment: str) -> list[str]:
    """Return the paths of the tables to publish, and of their pages."""
    ends = (".csv", ".md", ".tex", "_runs.csv", "_config.json")
    paths = [f"{TABLE}{end}" for end in ends] + PAIRED_TABLES
    if has_verdicts(experiment):
        paths += VERDICT_TABLES
    paths += map(page, report_tables(experiment))
    return expand(paths, experiment=experiment, table=CONFIG.table)


def results(experiment: str) -> list[str]:
    """Return what `rule all` makes of an experiment."""
    made = [f"{TABLE}.csv", *PAIRED_TABLES, f"{TABLE}_published.json"]
    return expand(made, experiment=experiment, table=CONFIG.table) + figures(experiment)


def report_figure(kind: str, category: str, title: str) -> str:
    """Return the path of a figure, marked for the report with its caption."""
    return report(
        f"{FIGURES}/{{table}}_{kind}.png",
        caption=f"../report/captions/{kind}.rst",
        category=category,
        labels={"figure": title},
    )


def searched(key: str) -> str:
    """Return a path of the section `search`; exit if it is null."""
    path = getattr(CONFIG.search, key)
    if path is None:
        sys.exit(
            f"error: config: search.{key}: found null, expected a path: give run, query and gallery"
        )
    return path


def network(wildcards) -> list[str]:
    """Return the weights and record of the finished run, or the given file of weights.

    The paths have a part `.` and are thus no outputs of training: a search never trains again.
    """
    run = searched("run")
    folder, names = run, ("weights.safetensors", "run.json")
    if not os.path.isdir(run):
        folder, *names = os.path.split(run)
    for name in names:
        require_path(
            os.path.join(folder, name),
            f"config: search.run: found no {os.path.join(folder, name)}, expected a finished run "
            "or a file of weights: train the run, resume it with the same command, or correct the "
            "path",
        )
    return [os.path.join(folder, ".", name) for name in names]


def open_set_report(wildcards) -> list[str]:
    """Return the report of the run with its threshold, if there is one."""
    path = os.path.join(searched("run"), ".", "open_set.json")
    return [path] if os.path.exists(path) else []


def picture_folder(wildcards) -> list[str]:
    """Return the folder of the queries or the gallery; exit if it has no pictures."""
    folder = searched(wildcards.role)
    try:
        find_pictures([folder])
    except InputError as error:
        sys.exit(f"error: config: search.{wildcards.role}: {error}")
    return [folder]


def picture_states(wildcards) -> str:
    """Hash name, size and time of each picture: a folder's time misses its sub-folders."""
    found = [(path, path.stat()) for path in find_pictures([searched(wildcards.role)])]
    lines = [f"{path} {stat.st_size} {stat.st_mtime_ns}\n" for path, stat in found]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
