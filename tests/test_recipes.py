"""The paper's two recipes, as method and network sections say them, and on real steps."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from pipeline.config import Config, load_config
from pipeline.options import BackboneOptions, RunOptions

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("sgd", "adam")


def load(last: str) -> Config:
    """config.yaml under the recipes up to `last`, as Snakemake merges them."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name in ORDER[: ORDER.index(last) + 1]:
        recipe = (ROOT / f"workflow/recipes/{name}.yaml").read_text()
        update_config(values, yaml.safe_load(recipe))
    return load_config(values)


def test_sgd_is_the_default_of_every_option_but_the_weights():
    options = load("sgd").run_options("dpeformer")
    assert options.backbone.weights == "results/downloads/jx_vit_base_p16_224-80ecf9dd.pth"
    plain = options.backbone.model_copy(update={"weights": None})
    assert plain == BackboneOptions()
    defaults = RunOptions()
    for section in ("image", "augment", "loss", "training"):
        assert getattr(options, section) == getattr(defaults, section), section


def test_adam_differs_from_sgd_in_its_training_only():
    sgd, adam = (load(name).run_options("dpeformer") for name in ORDER)
    changed = {
        name for name in RunOptions.model_fields if getattr(sgd, name) != getattr(adam, name)
    }
    assert changed == {"training"}
    training = adam.training
    assert (training.optimizer, training.lr, training.weight_decay) == ("adam", 1e-4, 1e-4)
    assert (training.epochs, training.identities * training.images) == (120, 64)


@pytest.mark.parametrize("name", ORDER)
def test_the_command_of_a_recipe_is_in_its_file(name: str):
    text = (ROOT / f"workflow/recipes/{name}.yaml").read_text()
    files = " ".join(f"workflow/recipes/{each}.yaml" for each in ORDER[: ORDER.index(name) + 1])
    assert f"--configfile {files} mine.yaml\n" in text
