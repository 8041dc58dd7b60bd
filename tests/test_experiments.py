"""The ready experiments: valid, named after their tables, without duplicate trainings."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_config
from snakemake.utils import update_config

from benchmarks.cost import main as print_cost
from pipeline.config import Config
from pipeline.data.datasets import DATASETS
from pipeline.load_config import load_config
from pipeline.run import Benchmark
from pipeline.tables.published import PUBLISHED
from pipeline.tables.verdicts import PAPER

ROOT = Path(__file__).resolve().parent.parent
EXPERIMENTS = ROOT / "workflow/experiments"
BENCHMARKS = [
    *(EXPERIMENTS / f"{name}.yaml" for name in ("market1501", "dukemtmc_reid", "occluded_duke")),
    *(EXPERIMENTS / f"{name}.yaml" for name in ("occluded_reid", "partial_reid", "partial_ilids")),
    *(EXPERIMENTS / f"{name}.yaml" for name in ("p_dukemtmc", "msmt17")),
    *(EXPERIMENTS / f"cuhk03_{boxes}.yaml" for boxes in ("detected", "labeled")),
]
FILES = sorted(set(EXPERIMENTS.glob("*.yaml")) - set(BENCHMARKS))
SEVERAL_OPTIONS = ("components", "fidelity", "held_out", "leave_one_out")
"""Experiments with variants that differ in more than one option."""
ABLATIONS = [file for file in FILES if file.stem not in SEVERAL_OPTIONS]


def load(file: Path) -> Config:
    """Load config.yaml with an experiment, merged as by Snakemake."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(values, yaml.safe_load(file.read_text()))
    return load_config(values)


def command(file: Path) -> list[str]:
    """Return the arguments of the command in an experiment's header."""
    lines = re.findall(r"^#     (.*)$", file.read_text(), re.MULTILINE)
    return shlex.split(" ".join(line.removesuffix("\\") for line in lines))


def load_command(file: Path) -> Config:
    """Load the configuration of the command, merged as by Snakemake."""
    arguments = command(file)
    files, options = arguments.index("--configfile"), arguments.index("--config")
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name in arguments[files + 1 : options]:
        update_config(values, yaml.safe_load((ROOT / name).read_text()))
    update_config(values, parse_config(arguments[options + 1 :]))
    return load_config(values)


def patch(config: Config, variant: str) -> dict[str, object]:
    """Return the options in which a variant differs from the reference."""
    own, base = (config.run_options(name).model_dump() for name in (variant, config.reference))
    return {
        f"{section}.{key}": value
        for section, keys in own.items()
        for key, value in keys.items()
        if value != base[section][key]
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_experiment_is_valid_and_named_after_its_table(file):
    config = load(file)
    assert config.table == file.stem
    assert f"--configfile workflow/experiments/{file.name}\n" in file.read_text()


def test_variant_names_and_options_match_one_to_one():
    found = {
        (name, config.run_options(name).model_dump_json())
        for config in map(load, FILES)
        for name in config.variants
    }
    assert len({name for name, _ in found}) == len({options for _, options in found}) == len(found)


@pytest.mark.parametrize("file", ABLATIONS, ids=lambda file: file.stem)
def test_ablation_changes_only_the_option_in_its_name(file):
    config = load(file)
    patches = {name: patch(config, name) for name in config.compare}
    assert patches.pop("dpeformer") == {}
    assert config.reference == "dpeformer"
    if config.table == "occlusion":  # the erased area is part of the occlusion
        assert patches["random_erasing_released"].pop("augment.erasing")
    (option,) = {key for changed in patches.values() for key in changed}
    assert option.split(".")[1] == config.table
    named = {"dpsm_fbm", "dpeformer_k24", "random_erasing_released"}
    for name, changed in patches.items():
        assert len(changed) == 1
        assert name.endswith(f"_{changed[option]}") or name in {*named, changed[option]}


def test_leave_one_out_changes_one_option_each():
    config = load(ROOT / "workflow/experiments/leave_one_out.yaml")
    patches = {name: patch(config, name) for name in config.compare}
    assert patches.pop(config.reference) == {}
    assert all(len(changed) == 1 for changed in patches.values())
    changed = {key for changed in patches.values() for key in changed}
    own = patch(config.model_copy(update={"reference": "dpeformer"}), "dpeformer_concat")
    assert changed == own.keys() - {"model.k_min"} | {"model.selection", "augment.occlusion"}


def test_every_table_of_the_paper_has_an_experiment():
    assert {file.stem for file in FILES} >= {
        *("components", "occlusion", "proxy", "k_min", "order"),
        *("threshold", "fusion", "contrast", "parts", "similarity"),
    }


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_benchmark_command_has_recipe_bank_and_archives(file):
    config = load_command(file)
    assert command(file)[:5] == ["snakemake", "--cores", "all", "--resources", "gpu=1"]
    assert config.table == file.stem
    assert all(data.dataset.startswith(file.stem) for data in config.tested().values())
    assert len(config.seeds) >= 3
    assert (config.occluders.masks, config.occluders.limit) == ("sa1b", 100)
    assert {"baseline", "dpeformer"} <= set(config.compare)
    for name, paper in PAPER.items():
        options = config.run_options(name)
        assert options.backbone.weights == "results/downloads/jx_vit_base_p16_224-80ecf9dd.pth"
        backbone = options.backbone.model_copy(update={"weights": None})
        assert options.model_copy(update={"backbone": backbone}) == paper


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_benchmark_file_states_published_numbers_and_archives(file):
    config, text = load_command(file), file.read_text()
    rows = PUBLISHED.get(Benchmark((config.test or config.data).dataset, config.data.dataset), ())
    paper = [row for row in rows if row.method == "DPEFormer"]
    assert ("No published number is kept here" in text) == (not paper)
    assert all(f"Rank-1 {row.rank1}, mAP {row.map}" in text for row in paper)
    for source in (config.data, config.test):
        if source is not None:
            assert re.split(r"[ ,]", DATASETS[source.dataset].archive)[0] in text


def test_small_occluded_test_sets_share_the_runs_of_market1501():
    market = load_command(EXPERIMENTS / "market1501.yaml")
    for name in ("occluded_reid", "partial_reid", "partial_ilids"):
        config = load_command(EXPERIMENTS / f"{name}.yaml")
        assert config.data == market.data
        for variant in config.compare:
            assert config.run_options(variant) == market.run_options(variant)


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_benchmark_file_states_the_estimated_gpu_hours(file, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    (words,) = re.findall(r"python -m benchmarks.cost ([^`]*)`", file.read_text())
    print_cost(words.split())
    (hours,) = re.findall(r" ([\d.]+) GPU-hours$", capsys.readouterr().out.strip())
    assert f"about {hours} GPU-hours" in file.read_text()
