"""What several rules ask: options as JSON, run folders, and which inputs a variant needs."""

import json
import sys

from pipeline.data.datasets import DATASETS
from pipeline.downloads.known import FOLDER
from pipeline.files import shipped
from pipeline.options.run import TrainingNeeds
from pipeline.provenance.code import code_hash
from pipeline.run import Benchmark
from pipeline.tables.published import published_rows

# what a job asks of a cluster: minutes and MB, generously, for the largest datasets; the others have
# the defaults of profiles/default
HEAVY = {"runtime": 480, "mem_mb": 8000}

# the shape and joints of all people that are rendered
BODY = shipped("workflow/body/body.npz")

TRAINED_RUN = "results/{dataset}/{variant}/seed{seed}"
# what evaluation writes: the same folder, where a run is tested on the dataset that it was trained on
TESTED_RUN = "results/{experiment}/{variant}/seed{seed}"
# the folder of the rendered dataset, even where none is trained or tested on
RENDERED = next(
    (CONFIG.folder(data) for data in (CONFIG.data, CONFIG.tested()) if data.is_rendered),
    CONFIG.benchmark.folder(),
)
FIGURES = "results/{experiment}/figures"
TRAINED_FILES = ("weights.safetensors", "history.csv", "run.json")


def stage(name: str) -> str:
    """The stage module:function and the hash of its code: another code runs the rule again."""
    return f"{name}@{code_hash(name.partition(':')[0])}"


def run_files(variant: str, seed: int, files: tuple[str, ...]) -> list[str]:
    """Files of a run, where training or evaluation writes them."""
    return [
        f"results/{TRAINED if name in TRAINED_FILES else EXPERIMENT}/{variant}/seed{seed}/{name}"
        for name in files
    ]


def runs(*files: str) -> list[str]:
    """The files of each run of the comparison, in the order of the table."""
    pairs = [(variant, seed) for variant in CONFIG.compare for seed in CONFIG.seeds]
    return [path for pair in pairs for path in run_files(*pair, files)]


def archive(wildcards) -> str:
    """The dataset's archive: the user's file, or the rendered one."""
    source = CONFIG.source(wildcards.dataset)
    if source.archive is None:
        return f"results/{RENDERED}/archive.zip"
    if not Path(f"results/{wildcards.dataset}/manifest.csv").exists():
        expect(source.archive, DATASETS[source.dataset].absent(source.archive))
    return source.archive


def expect(path: str, absent: str) -> None:
    """End with the sentence `absent`, and no words of Snakemake's, where a user's path is missing."""
    if not path.startswith(f"{FOLDER}/") and not Path(path).exists():
        sys.exit(f"error: {absent}")


def lists(wildcards) -> list[str]:
    """The lists by which the dataset is made, where it is: files, so that they can be fetched."""
    folder = CONFIG.source(wildcards.dataset).lists
    return expand(f"{folder}/{{split}}.list", split=("train", "query", "gallery")) if folder else []


def needed_splits(wildcards, input) -> list[str]:
    """The splits of a dataset that the experiment uses: a check, so it is not tracked."""
    trained = ["train"] if wildcards.dataset == TRAINED else []
    return trained + (["query", "gallery"] if wildcards.dataset == TESTED else [])


def occluder_images(wildcards) -> str:
    """The folder that occluders are cut out of: the user's, or synthetic scenes."""
    images = CONFIG.occluders.images
    if images is None:
        return SCENES
    expect(
        images,
        f"config: occluders.images: expected a folder of images, found nothing at {images}: give "
        "the path that it has, or null for synthetic scenes",
    )
    return images


def run_options(wildcards) -> str:
    """The training section of a variant; its change reruns that variant and nothing else."""
    return CONFIG.run_options(wildcards.variant).model_dump_json()


def training_needs(wildcards, input) -> str:
    """What the compared variants need of the data, all together: a check, so it is not tracked."""
    options = [CONFIG.run_options(name) for name in CONFIG.compare]
    return TrainingNeeds(
        identities=max(one.training.identities for one in options),
        camera_embedding=any(one.backbone.camera_embedding > 0 for one in options),
        tested=TRAINED == TESTED,
    ).model_dump_json()


def compute_options(wildcards, input) -> str:
    """Where a job runs. Snakemake does not track a param that is made of the input.

    What of it decides a result is tracked by itself: to lower the workers of the last training must
    not train the others again.
    """
    return CONFIG.compute.model_dump_json()


def configuration_text(**options) -> str:
    """All of the configuration as JSON; in which order a file has its variants changes nothing."""
    return json.dumps(CONFIG.model_dump(mode="json", **options), sort_keys=True)


def pretrained(wildcards) -> list[str]:
    """The weights that a variant starts from."""
    weights = CONFIG.run_options(wildcards.variant).backbone.weights
    return [shipped(weights)] if weights else []


def bank(wildcards) -> list[str]:
    """The occluder bank, for a variant that pastes occluders."""
    occlusion = CONFIG.run_options(wildcards.variant).augment.occlusion
    return [BANK] if occlusion == "roa" else []


def ground_truth(wildcards) -> list[str]:
    """The exact masks, where the benchmark is rendered: training is watched with them, not taught."""
    return [f"results/{RENDERED}/ground_truth.npz"] if CONFIG.data.is_rendered else []


def pasting_variants() -> list[str]:
    """The variants of the comparison whose training images get occluders from the bank."""
    return [name for name in CONFIG.compare if CONFIG.run_options(name).augment.occlusion == "roa"]


def selecting_variants() -> list[str]:
    """The variants of the comparison that select patches."""
    return [name for name in CONFIG.compare if CONFIG.run_options(name).model.selection == "dpsm"]


def paired_tables() -> list[str]:
    """The paired comparison, where there is something to compare."""
    if len(CONFIG.compare) == 1:
        return []
    return [f"results/{{experiment}}/tables/{{table}}_paired.{end}" for end in ("csv", "md")]


def verdict_tables() -> list[str]:
    """The verdicts on published rows, where something is published to hold the runs against."""
    if not published_rows(Benchmark(CONFIG.tested().dataset, CONFIG.data.dataset)):
        return []
    return [f"results/{{experiment}}/tables/{{table}}_verdicts.{end}" for end in ("csv", "md")]


def blending_variants() -> list[str]:
    """The variants of the comparison that blend the class token into their parts by FBM."""
    models = {name: CONFIG.run_options(name).model for name in CONFIG.compare}
    return [
        name
        for name, model in models.items()
        if model.selection != "none" and model.fusion == "fbm"
    ]


def first_runs(variants: list[str], *files: str) -> list[str]:
    """The files of the runs that pictures show: of each variant the one with the first seed."""
    return [path for name in variants for path in run_files(name, CONFIG.seeds[0], files)]


def figures() -> list[str]:
    """The pictures that the comparison allows."""
    kinds = ["benchmark", "curves"]
    if pasting_variants():
        kinds += ["bank", "views"]
    if len(CONFIG.compare) > 1:
        kinds += ["ranks", "ablation"]
    if selecting_variants():
        kinds += ["patches", "k_histogram"]
    if blending_variants():
        kinds += ["attention"]
    if CONFIG.tested().is_rendered:
        kinds += ["map_by_occlusion"]
    return [f"{CONFIG.table}_{kind}" for kind in kinds]


def shown_figure(kind: str, category: str, title: str) -> str:
    """The picture of this kind, with its caption in the report."""
    return report(
        f"{FIGURES}/{{table}}_{kind}.png",
        caption=f"../report/captions/{kind}.rst",
        category=category,
        labels={"figure": title},
    )
