"""The configuration stops on the first wrong key, in words that name it."""

from pathlib import Path

import pytest
import yaml

from pipeline.config import Config, json_schema, load_config
from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.options.run import RunOptions

TEST = {"dataset": "occluded_reid", "archive": "o.zip", "checks": "warn"}
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def values():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def put(values, key, value):
    *sections, last = key.split(".")
    for section in sections:
        values = values[section]
    values[last] = value


def test_the_shipped_configuration_is_valid_and_says_every_key(values):
    config = load_config(values)
    assert set(values) == set(Config.model_fields)
    assert config.compare[0] == "baseline"
    for name in (
        "benchmark",
        "image",
        "backbone",
        "model",
        "augment",
        "loss",
        "training",
        "figures",
    ):
        assert set(values[name]) == set(type(getattr(config, name)).model_fields), name


def test_the_schema_in_the_repository_is_the_one_of_the_code():
    assert (ROOT / "workflow/schemas/config.schema.json").read_text() == json_schema()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("modle", {}, ["modle: no such key", "model, "]),
        ("model.k_mim", 3, ["model.k_mim: no such key", "k_min"]),
        ("occluders.filters.min_aera", 0.1, ["occluders.filters.min_aera", "min_area"]),
        ("training.epochs", "ten", ["training.epochs", "valid integer", "'ten'"]),
        ("training.epochs", 0, ["training.epochs", "greater than 0", "found 0"]),
        ("training.lr", "3e-4", ["training.lr", "valid number", "'3e-4'"]),
        ("model.order", "height", ["model.order", "'score', 'raster' or 'stripe'", "'height'"]),
        ("data.dataset", "duke", ["data.dataset", "'market1501'", "'duke'"]),
        (
            "data.dataset",
            "market1501",
            ["data.archive", "Market-1501-v15.09.15.zip", "give the path"],
        ),
        ("data.dataset", "dukemtmc_reid", ["data.archive", "withdrawn", "never fetched"]),
        ("data.dataset", "partial_reid", ["'partial_reid_partial'", "'partial_reid_occluded'"]),
        (
            "data.dataset",
            "occluded_reid",
            ["no training images", "test.dataset"],
        ),
        ("test", {"dataset": "synthetic"}, ["test.dataset: found synthetic", "null for test"]),
        ("test", {"dataset": "occluded_reid"}, ["test.archive", "Occluded_REID.zip", "give the"]),
        ("data.lists", "lists", ["data.lists: synthetic is not made by lists", "'lists'"]),
        ("compare", ["dpeformr"], ["'dpeformr'", "known: baseline, baseline_roa"]),
        ("compare", ["dpsm", "dpsm"], ["compare: found dpsm more than once"]),
        ("seeds", [1, 0, 1], ["seeds: found 1 more than once"]),
        ("table", "order_runs", ["table: found order_runs", "beside the table order"]),
        ("variants.shards", {}, ["variants: found shards", "another name"]),
        ("reference", "dpsm_all", ["reference: found 'dpsm_all'", "one of baseline, "]),
        ("model.k_min", 129, ["model.k_min: found 129", "128 tokens"]),
        ("backbone.stride", 9, ["backbone.stride: found 9", "patches of 8 pixels", "at most"]),
        ("backbone.stride", 0, ["backbone.stride", "greater than 0", "found 0"]),
        ("backbone.camera_embedding", -1.0, ["backbone.camera_embedding", "found -1.0"]),
        ("variants.dpsm.backbone", {"stride": 10}, ["variants.dpsm.backbone.stride: found 10"]),
        ("model.parts", 17, ["model.parts: found 17", "128 pixels has 16", "at most"]),
        ("figures.queries", [], ["figures.queries", "at least 1 item"]),
        ("occluders.masks", "sa1b", ["occluders.images", "folder of SA-1B"]),
        ("occluders.maximum", 299, ["occluders.maximum: found 299", "occluders.minimum 300"]),
        (
            "variants.baseline.loss",
            {"contrast": "both"},
            ["variants.baseline.loss.contrast: found both", "no blended feature"],
        ),
        ("variants.dpsm.mdoel", {}, ["variants.dpsm.mdoel: no such section", "model"]),
        ("variants.dpsm.model", {"k_min": 500}, ["variants.dpsm.model.k_min: found 500"]),
        ("variants.dpsm.model", {"fusio": "fbm"}, ["variants.dpsm.model.fusio", "fusion"]),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(values, key, value, said):
    put(values, key, value)
    with pytest.raises(InputError) as error:
        load_config(values)
    message = str(error.value)
    assert all(part in message for part in said), message
    assert message.startswith("config: ")


def test_tokens_are_counted_with_the_stride(values):
    """31 x 15 tokens, which 4 parts need not divide."""
    put(values, "backbone.stride", 4)
    put(values, "model.k_min", 31 * 15)
    assert load_config(values).backbone.stride == 4
    for key, value, said in (("k_min", 31 * 15 + 1, "has 465 tokens"), ("parts", 32, "has 31:")):
        changed = values | {"model": values["model"] | {key: value}}
        with pytest.raises(InputError, match=f"model.{key}: found {value}, but .*{said}"):
            load_config(changed)


def test_the_shipped_weights_are_those_that_the_configuration_expects(values):
    config = load_config(values)
    assert sha256(ROOT / config.backbone.weights) == config.backbone.sha256
    assert sha256(ROOT / config.occluders.sam.checkpoint) == config.occluders.sam.sha256


@pytest.mark.parametrize(
    "key", ["data.archive", "test.archive", "occluders.images", "occluders.sam.checkpoint"]
)
def test_a_tilde_is_the_home_folder(values, key, monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    values["test"] = {"dataset": "occluded_reid", "archive": "archive.zip"}
    put(values, key, "~/given")
    found = load_config(values)
    for part in key.split("."):
        found = getattr(found, part)
    assert found == "/home/anna/given"


def test_a_variant_patches_only_what_it_names(values):
    config = load_config(values)
    base, patched = config.run_options("dpeformer"), config.run_options("dpsm")
    assert patched.model.fusion == "none"
    assert patched.model.k_min == base.model.k_min == 48
    assert patched.training == base.training
    assert base == RunOptions.model_validate_json(base.model_dump_json())


def test_another_dataset_is_tested_on(values):
    config = load_config(values | {"test": TEST})
    assert config.experiment() == "synthetic_to_occluded_reid"
    assert config.source("synthetic").archive is None
    assert config.source("occluded_reid").archive == "o.zip"
    found = {name: config.ingest_options(name) for name in ("synthetic", "occluded_reid")}
    assert {name: options.checks for name, options in found.items()} == {
        "synthetic": "error",
        "occluded_reid": "warn",
    }
    assert found["occluded_reid"].expected is None


def test_cameras_that_are_learned_cannot_be_tested_elsewhere(values):
    values["variants"]["dpsm"]["backbone"] = {"camera_embedding": 3.0}
    with pytest.raises(InputError, match=r"variants\.dpsm\.backbone\.camera_embedding: .*give 0"):
        load_config(values | {"test": TEST})
    load_config(values)


def test_ingest_expects_what_the_benchmark_draws(values):
    counts = load_config(values).ingest_options("synthetic").expected
    assert (counts["train"].identities, counts["train"].images) == (150, 1500)
    assert (counts["gallery"].identities, counts["gallery"].images) == (251, 1060)
    values["benchmark"]["distractor_images"] = 0
    assert load_config(values).ingest_options("synthetic").expected["gallery"].identities == 250
