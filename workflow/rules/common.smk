"""Functions and constants of several rules: options as JSON, run folders, inputs of a variant."""

import hashlib
import json
import os
import sys

from pipeline.data.datasets import DATASETS
from pipeline.downloads.known import FOLDER
from pipeline.files import shipped
from pipeline.options.run import TrainingNeeds
from pipeline.provenance.code import code_hash
from pipeline.run import Benchmark
from pipeline.tables.published import published_rows
from pipeline.use.pictures import find_pictures

# minutes and MB for a cluster, enough for the largest datasets; defaults: profiles/default
HEAVY = {"runtime": 480, "mem_mb": 8000}

# shape and joints of all rendered people
BODY = shipped("workflow/body/body.npz")

TRAINED_RUN = "results/{dataset}/{variant}/seed{seed}"
# output of the evaluation; equals TRAINED_RUN unless the test set is another dataset
TESTED_RUN = "results/{experiment}/{variant}/seed{seed}"
# folder of the rendered dataset, also if the experiment does not use it
RENDERED = next(
    (CONFIG.folder(data) for data in (CONFIG.data, CONFIG.tested()) if data.is_rendered),
    CONFIG.benchmark.folder(),
)
FIGURES = "results/{experiment}/figures"
TABLE = "results/{experiment}/tables/{table}"
# tables of paired differences, for several variants, and of verdicts, for published datasets
PAIRED_TABLES = [f"{TABLE}_paired.csv", f"{TABLE}_paired.md"] if len(CONFIG.compare) > 1 else []
PUBLISHED = published_rows(Benchmark(CONFIG.tested().dataset, CONFIG.data.dataset))
VERDICT_TABLES = [f"{TABLE}_verdicts.csv", f"{TABLE}_verdicts.md"] if PUBLISHED else []
TRAINED_FILES = ("weights.safetensors", "history.csv", "run.json")

# run options of the compared variants; those that paste occluders, select patches and use FBM
COMPARED = {name: CONFIG.run_options(name) for name in CONFIG.compare}
PASTING = [name for name, options in COMPARED.items() if options.augment.occlusion == "roa"]
SELECTING = [name for name, options in COMPARED.items() if options.model.selection == "dpsm"]
BLENDING = [
    name
    for name, options in COMPARED.items()
    if options.model.selection != "none" and options.model.fusion == "fbm"
]


def stage(name: str) -> str:
    """Return module:function@hash of the code; changed code reruns the rule."""
    return f"{name}@{code_hash(name.partition(':')[0])}"


def run_files(variant: str, seed: int, files: tuple[str, ...]) -> list[str]:
    """Return the paths of files of a run, which training or evaluation writes."""
    return [
        f"results/{TRAINED if name in TRAINED_FILES else EXPERIMENT}/{variant}/seed{seed}/{name}"
        for name in files
    ]


def runs(*files: str) -> list[str]:
    """Return the files of all runs in the comparison, in the order of the table."""
    pairs = [(variant, seed) for variant in CONFIG.compare for seed in CONFIG.seeds]
    return [path for pair in pairs for path in run_files(*pair, files)]


def archive(wildcards) -> str:
    """Return the dataset's archive: the user's file, or the rendered one."""
    source = CONFIG.source(wildcards.dataset)
    if source.archive is None:
        return f"results/{RENDERED}/archive.zip"
    if not Path(f"results/{wildcards.dataset}/manifest.csv").exists():
        require_path(source.archive, DATASETS[source.dataset].missing_archive(source.archive))
    return source.archive


def require_path(path: str, message: str) -> None:
    """Exit with `message` alone if a user's path is missing: Snakemake's error has no cure."""
    if not path.startswith(f"{FOLDER}/") and not Path(path).exists():
        sys.exit(f"error: {message}")


def lists(wildcards) -> list[str]:
    """Return the lists that define the dataset, if any: single files, so that they are fetched."""
    folder = CONFIG.source(wildcards.dataset).lists
    return expand(f"{folder}/{{split}}.list", split=("train", "query", "gallery")) if folder else []


def required_splits(wildcards, input) -> list[str]:
    """Return the splits that the experiment uses; only checked, so not tracked."""
    trained = ["train"] if wildcards.dataset == TRAINED else []
    return trained + (["query", "gallery"] if wildcards.dataset == TESTED else [])


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
    return images


def coco_annotations(wildcards) -> str:
    """Return the user's file of COCO's instance annotations."""
    path = CONFIG.occluders.coco.annotations
    require_path(
        path,
        f"config: occluders.coco.annotations: found no such file {path}, expected COCO's instance "
        "annotations: correct the path",
    )
    return path


def run_options(wildcards) -> str:
    """Return the run options of a variant; a change reruns only this variant."""
    return CONFIG.run_options(wildcards.variant).model_dump_json()


def training_needs(wildcards, input) -> str:
    """Return the compared variants' requirements of the data; only checked, so not tracked."""
    return TrainingNeeds(
        identities=max(each.training.identities for each in COMPARED.values()),
        camera_embedding=any(each.backbone.camera_embedding > 0 for each in COMPARED.values()),
        tested=TRAINED == TESTED,
    ).model_dump_json()


def compute_options(wildcards, input) -> str:
    """Return the compute options; Snakemake does not track params that depend on `input`.

    Rules track device and precision separately: another number of workers must not rerun trainings.
    """
    return CONFIG.compute.model_dump_json()


def configuration_text(**options) -> str:
    """Return the configuration as JSON with sorted keys: the order of variants has no effect."""
    return json.dumps(CONFIG.model_dump(mode="json", **options), sort_keys=True)


def pretrained(wildcards) -> list[str]:
    """Return the pretrained weights of a variant."""
    weights = CONFIG.run_options(wildcards.variant).backbone.weights
    return [shipped(weights)] if weights else []


def bank(wildcards) -> list[str]:
    """Return the occluder bank if the variant pastes occluders."""
    occlusion = CONFIG.run_options(wildcards.variant).augment.occlusion
    return [BANK] if occlusion == "roa" else []


def ground_truth(wildcards) -> list[str]:
    """Return the ground-truth masks if the training set is rendered; they are only for logging."""
    return [f"results/{RENDERED}/ground_truth.npz"] if CONFIG.data.is_rendered else []


def page(stem: str) -> str:
    """Return the page of a table; all are in one folder, as outputs of one job must be."""
    return f"results/{{experiment}}/tables/{Path(stem).name}.html"


def first_runs(variants: list[str], *files: str) -> list[str]:
    """Return files of each variant's run with the first seed, for figures of single runs."""
    return [path for name in variants for path in run_files(name, CONFIG.seeds[0], files)]


def figures() -> list[str]:
    """Return the names of the figures that apply to the comparison."""
    kinds = ["benchmark", "curves", "open_set"]
    if PASTING:
        kinds += ["bank", "views"]
    if len(CONFIG.compare) > 1:
        kinds += ["ranks", "ablation"]
    if SELECTING:
        kinds += ["patches", "k_histogram"]
    if BLENDING:
        kinds += ["attention"]
    if CONFIG.tested().is_rendered:
        kinds += ["map_by_occlusion"]
    return [f"{CONFIG.table}_{kind}" for kind in kinds]


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
    found = [(path, path.stat()) for path in find_pictures(picture_folder(wildcards))]
    lines = [f"{path} {stat.st_size} {stat.st_mtime_ns}\n" for path, stat in found]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
