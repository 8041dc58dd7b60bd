"""Search the user's pictures with a finished run. Not part of `rule all`."""

import hashlib
import os

from pipeline import ROOT
from pipeline.use.pictures import find_pictures

FOUND = f"results/search/{CONFIG.search.name}"
# template, style and script of the page
PAGE_FILES = multiext(os.path.relpath(ROOT / "pipeline/use/page"), ".html", ".css", ".js")


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

    The paths have a part `.`, so that no rule makes the files: a search never trains its run again.
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


rule embed_pictures:
    input:
        network,
        pictures=picture_folder,
    output:
        output=f"{FOUND}/{{role}}.npz",
    log:
        f"results/logs/search/{CONFIG.search.name}/embed_{{role}}.log",
    wildcard_constraints:
        role="query|gallery",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
        gpu=1,
    params:
        picture_states,
        stage=stage("pipeline.use.embed:embed"),
        model=CONFIG.search.run,
        device=CONFIG.compute.device,
    script:
        "../scripts/stage.py"


rule search:
    input:
        network,
        open_set_report,
        PAGE_FILES,
        query=f"{FOUND}/query.npz",
        gallery=f"{FOUND}/gallery.npz",
    output:
        output=f"{FOUND}/matches.csv",
        page=f"{FOUND}/matches.html",
    log:
        f"results/logs/search/{CONFIG.search.name}/search.log",
    conda:
        "../../envs/pipeline.yaml"
    resources:
        **HEAVY,
        gpu=1,
    params:
        stage=stage("pipeline.use.search:search"),
        model=CONFIG.search.run,
        top=CONFIG.search.top,
        device=CONFIG.compute.device,
    script:
        "../scripts/stage.py"
