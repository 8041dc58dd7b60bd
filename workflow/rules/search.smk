"""Search the user's pictures with a finished run. Not part of `rule all`."""

import os

from pipeline import ROOT

FOUND = f"results/search/{CONFIG.search.name}"
# template, style and script of the page
PAGE_FILES = multiext(os.path.relpath(ROOT / "pipeline/use/page"), ".html", ".css", ".js")


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
