"""The recipes: the paper's two, the released batch, and the paper's occluder bank."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import yaml
from segment_anything import SamAutomaticMaskGenerator
from snakemake.utils import update_config

from pipeline.config import Config
from pipeline.errors import InputError
from pipeline.load_config import load_config
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import BackboneOptions, RunOptions

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("sgd", "adam")


def load(last: str) -> Config:
    """Load config.yaml with the recipes up to `last`, merged as by Snakemake."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name in ORDER[: ORDER.index(last) + 1]:
        recipe = (ROOT / f"workflow/recipes/{name}.yaml").read_text()
        update_config(values, yaml.safe_load(recipe))
    return load_config(values)


def test_sgd_recipe_equals_the_defaults_except_weights():
    options = load("sgd").run_options("dpeformer")
    assert options.backbone.weights == "results/downloads/jx_vit_base_p16_224-80ecf9dd.pth"
    plain = options.backbone.model_copy(update={"weights": None})
    assert plain == BackboneOptions()
    defaults = RunOptions()
    for section in ("image", "augment", "loss", "training"):
        assert getattr(options, section) == getattr(defaults, section), section
    assert load("sgd").compute == ComputeOptions(workers=4, precision="float32")


def test_adam_differs_from_sgd_only_in_training():
    sgd, adam = (load(name).run_options("dpeformer") for name in ORDER)
    changed = {
        name for name in RunOptions.model_fields if getattr(sgd, name) != getattr(adam, name)
    }
    assert changed == {"training"}
    training = adam.training
    assert (training.optimizer, training.lr, training.weight_decay) == ("adam", 1e-4, 1e-4)
    assert (training.epochs, training.identities * training.images) == (120, 64)


def test_released_batch_has_eight_images():
    values = yaml.safe_load((ROOT / "workflow/recipes/released_batch.yaml").read_text())
    assert values == {"training": {"identities": 2, "images": 4}}


@pytest.mark.parametrize("name", ORDER)
def test_recipe_file_has_its_command(name: str):
    text = (ROOT / f"workflow/recipes/{name}.yaml").read_text()
    files = " ".join(f"workflow/recipes/{each}.yaml" for each in ORDER[: ORDER.index(name) + 1])
    assert f"--configfile {files} mine.yaml\n" in text


def test_paper_bank_needs_a_folder_and_has_only_sams_filters():
    recipe = yaml.safe_load((ROOT / "workflow/recipes/sa1b_bank.yaml").read_text())
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(values, recipe)
    with pytest.raises(InputError, match=r"occluders\.images: .*folder of SA-1B"):
        load_config(values)
    update_config(values, {"occluders": {"images": "sa_000000"}})
    occluders = load_config(values).occluders
    assert (occluders.masks, occluders.limit, occluders.maximum) == ("sa1b", 100, 9913)
    official = inspect.signature(SamAutomaticMaskGenerator).parameters
    for name, option in (
        ("points_per_side", "points_per_side"),
        ("pred_iou_thresh", "predicted_iou"),
        ("stability_score_thresh", "stability"),
        ("stability_score_offset", "stability_offset"),
        ("box_nms_thresh", "box_nms"),
    ):
        assert getattr(occluders.generator, option) == official[name].default
    filters = occluders.filters
    assert filters.predicted_iou == occluders.generator.predicted_iou
    assert filters.stability == occluders.generator.stability
