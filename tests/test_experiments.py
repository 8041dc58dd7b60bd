"""The ready configurations: each is valid, named after its table, and trains nothing twice."""

from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from pipeline.config import Config, load_config

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "workflow/experiments").glob("*.yaml"))
SEVERAL = (
    "components",
    "held_out",
    "leave_one_out",
)  # in which rows differ in more than one option
ABLATIONS = [file for file in FILES if file.stem not in SEVERAL]


def load(file: Path) -> Config:
    """config.yaml with an experiment over it, as Snakemake merges them."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(values, yaml.safe_load(file.read_text()))
    return load_config(values)


def patch(config: Config, variant: str) -> dict[str, object]:
    """The options of a variant that are not those of the reference."""
    own, base = (config.run_options(name).model_dump() for name in (variant, config.reference))
    return {
        f"{section}.{key}": value
        for section, keys in own.items()
        for key, value in keys.items()
        if value != base[section][key]
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_experiment_is_valid_and_named_after_its_table(file):
    config = load(file)
    assert config.table == file.stem
    assert f"--configfile workflow/experiments/{file.name}\n" in file.read_text()


def test_a_name_stands_for_one_run_in_all_tables_and_a_run_has_one_name():
    found = {
        (name, config.run_options(name).model_dump_json())
        for config in map(load, FILES)
        for name in config.variants
    }
    assert len({name for name, _ in found}) == len({options for _, options in found}) == len(found)


@pytest.mark.parametrize("file", ABLATIONS, ids=lambda file: file.stem)
def test_an_ablation_changes_the_one_option_that_its_name_says(file):
    config = load(file)
    patches = {name: patch(config, name) for name in config.compare}
    assert patches.pop("dpeformer") == {}
    assert config.reference == "dpeformer"
    (option,) = {key for changed in patches.values() for key in changed}
    assert option.split(".")[1] == config.table
    for name, changed in patches.items():
        assert len(changed) == 1
        assert name.endswith(f"_{changed[option]}") or name in ("dpsm_fbm", changed[option])


def test_leaving_one_out_changes_one_option_each():
    config = load(ROOT / "workflow/experiments/leave_one_out.yaml")
    patches = {name: patch(config, name) for name in config.compare}
    assert patches.pop(config.reference) == {}
    assert all(len(changed) == 1 for changed in patches.values())
    changed = {key for changed in patches.values() for key in changed}
    own = patch(config.model_copy(update={"reference": "dpeformer"}), "dpeformer_concat")
    assert changed == own.keys() - {"model.k_min"} | {"model.selection", "augment.occlusion"}


def test_every_table_of_the_paper_is_there():
    assert {file.stem for file in FILES} >= {
        *("components", "occlusion", "proxy", "k_min", "order"),
        *("threshold", "fusion", "contrast", "parts", "similarity"),
    }
