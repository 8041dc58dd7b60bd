"""The documentation: links resolve, commands are valid, lists are complete."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_config
from snakemake.utils import update_config

from pipeline.commands import make_parser
from pipeline.config import Config
from pipeline.data.datasets import DATASETS
from pipeline.load_config import load_config

ROOT = Path(__file__).resolve().parent.parent
PATTERNS = ("*.md", "docs/*.md", "workflow/**/*.md", "tests/*.md", "results/*.md")
PAGES = sorted(page for pattern in PATTERNS for page in ROOT.glob(pattern))
OWN_FILE = "mine.yaml"
"""Configuration file of the reader."""
CODE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """Return GitHub's anchors of the headings in a page."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Return the relative links of a page without a target file or heading."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text())):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        found = target.exists() and (not anchor or anchor in anchors(target))
        if not found and not re.match(r"https?:", link):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_resolve(page: Path) -> None:
    assert broken_links(page) == []


def test_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# A `b`, c\n[1](a.md) [2](#a-b-c) [3](no.md) [4](a.md#no) [5](https://x.y)")
    assert broken_links(page) == ["no.md", "a.md#no"]


def test_readme_links_every_page_of_docs() -> None:
    linked = re.findall(r"\]\(([^)#\s]+)", (ROOT / "README.md").read_text())
    assert {name(page) for page in (ROOT / "docs").iterdir()} <= set(linked)


def commands(program: str) -> list[list[str]]:
    """Return the arguments of every call of `program` in code blocks, without comments."""
    blocks = [code for page in PAGES for kind, code in CODE.findall(page.read_text()) if kind]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    calls = [line for line in lines if line.startswith(f"{program} ")]
    return [shlex.split(line, comments=True) for line in calls]


def arguments(words: list[str], option: str) -> list[str]:
    """Return the arguments of `option`, up to the next option."""
    rest = words[words.index(option) + 1 :] if option in words else []
    return rest[: next((i for i, word in enumerate(rest) if word.startswith("-")), len(rest))]


def load_command(words: list[str]) -> Config:
    """Load the configuration of a command, merged as by Snakemake."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for file in arguments(words, "--configfile"):
        if file != OWN_FILE:
            update_config(values, yaml.safe_load((ROOT / file).read_text()))
    update_config(values, parse_config(arguments(words, "--config")))
    return load_config(values)


def is_made(target: str, config: Config) -> bool:
    """Return whether the target is a figure, a file of a run, or a rule."""
    experiments = [pair.experiment for pair in config.experiments()]
    if match := re.fullmatch(rf"results/(\w+)/figures/{config.table}_(\w+)\.png", target):
        caption = ROOT / f"workflow/report/captions/{match[2]}.rst"
        return match[1] in experiments and caption.exists()
    run_files = r"metrics\.json|model\.int8\.onnx"
    seed = r"seed(\d+|\{[\d,]+\})"  # braces of the shell too
    if match := re.fullmatch(rf"results/(\w+)/(\w+)/{seed}/({run_files})", target):
        return match[1] in experiments and match[2] in config.variants
    rules = [path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk")]
    return re.search(rf"^rule {target}:", "\n".join(rules), re.MULTILINE) is not None


@pytest.mark.parametrize("words", commands("snakemake"), ids=" ".join)
def test_snakemake_command_has_valid_configuration_and_targets(words: list[str]) -> None:
    config = load_command(words)
    targets = arguments(words, "--cores")[1:]
    assert [target for target in targets if not is_made(target, config)] == []


@pytest.mark.parametrize("words", commands("dpeformer"), ids=" ".join)
def test_package_command_has_valid_options(words: list[str]) -> None:
    make_parser().parse_args(words[1:])


def test_every_dataset_is_documented() -> None:
    text = (ROOT / "docs/data.md").read_text()
    assert [key for key in DATASETS if f"`{key}`" not in text] == []


def test_every_experiment_and_recipe_is_documented() -> None:
    text = (ROOT / "docs/experiments.md").read_text()
    experiments = {path.stem for path in (ROOT / "workflow/experiments").glob("*.yaml")}
    recipes = {path.name for path in (ROOT / "workflow/recipes").glob("*.yaml")}
    assert [key for key in experiments | recipes if f"`{key}`" not in text] == []


def test_pre_commit_runs_the_checks_of_make_lint() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe
    checks = re.split(r" && |\n\t", recipe[1].strip())
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    for hook, check in zip(hooks, checks, strict=True):
        assert check.startswith(hook.removeprefix(".venv/bin/"))
