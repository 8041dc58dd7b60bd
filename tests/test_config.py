"""The configuration: validation, error messages, and what stages derive from it."""

import re
from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_config
from snakemake.utils import update_config

from pipeline.config import Config
from pipeline.config_schema import json_schema
from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.load_config import load_config
from pipeline.options.run import RunOptions

TEST = {"dataset": "occluded_reid", "archive": "o.zip", "checks": "warn"}
ROOT = Path(__file__).resolve().parent.parent


def experiments(config):
    return [pair.experiment for pair in config.experiments()]


@pytest.fixture
def values():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def put(values, key, value):
    *sections, last = key.split(".")
    for section in sections:
        values = values[section]
    values[last] = value


def test_shipped_configuration_is_valid_and_has_every_key(values):
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


def test_shipped_schema_is_up_to_date():
    assert (ROOT / "workflow/schemas/config.schema.json").read_text() == json_schema()


@pytest.mark.parametrize(
    ("key", "value", "parts"),
    [
        ("modle", {}, ["modle: no such key", "model, "]),
        ("model.k_mim", 3, ["model.k_mim: no such key", "k_min"]),
        ("occluders.filters.min_aera", 0.1, ["occluders.filters.min_aera", "min_area"]),
        ("training.epochs", "ten", ["training.epochs", "valid integer", "'ten'"]),
        ("training.epochs", 0, ["training.epochs", "greater than 0", "found 0"]),
        ("training.epochs", "0", ["training.epochs", "greater than 0", "found 0"]),
        ("training.epochs", "1.5", ["training.epochs", "valid integer", "found 1.5"]),
        ("training.epochs", 1, ["training.warmup_epochs: found 1, but training.epochs is 1"]),
        ("compute.gpus", 3, ["found batches of 32 images", "compute.gpus is 3"]),
        ("training.warmup_epochs", 9.5, ["training.warmup_epochs: found 9.5", "is 8, so that"]),
        (
            "training",
            {"epochs": 1, "warmup_epochs": 0.5, "schedule": "epoch"},
            ["training.schedule: found epoch", "give step, or more epochs"],
        ),
        ("training.lr", "fast", ["training.lr", "valid number", "'fast'"]),
        ("training.lr", float("inf"), ["training.lr", "finite number", "found inf"]),
        ("data.dataset", 1, ["data.dataset", "'market1501'", "found 1"]),
        ("backbone.sha256", "123", ["backbone.sha256", "pattern", "'123'"]),
        ("seeds", [2**64], ["seeds.0", "less than 4294967296", f"found {2**64}"]),
        ("benchmark.seed", 2**64, ["benchmark.seed", "less than 4294967296"]),
        ("augment.erasing.max_area", 0.01, ["augment.erasing.max_area: found 0.01", "least that"]),
        ("augment.erasing.min_aspect", 4, ["erasing.max_aspect: found 3.33", "min_aspect is 4"]),
        ("augment.erasing.max_area", 0, ["augment.erasing.max_area", "greater than 0"]),
        ("image.std", [0.5, 0, 0.5], ["image.std.1", "greater than 0", "found 0"]),
        (
            "backbone.embed_dim",
            100,
            ["backbone.embed_dim: found 100", "no multiple", "num_heads 3"],
        ),
        ("backbone.embed_dim", 102, ["dpsm_fbm.backbone.embed_dim: found 102", "multiple of 16"]),
        ("backbone.num_heads", 5, ["backbone.embed_dim: found 96", "num_heads 5"]),
        ("backbone.name", "vit_of_mine", ["backbone.name: timm knows no model 'vit_of_mine'"]),
        ("backbone.name", "resnet18", ["backbone: timm cannot build resnet18"]),
        ("variants.dpsm.backbone", {"name": "vit_b"}, ["variants.dpsm.backbone.name: timm"]),
        (
            "training.identities",
            101,
            ["training.identities: found 101", "synthetic has 100: give at most"],
        ),
        ("model.order", "height", ["model.order", "'score', 'raster' or 'stripe'", "'height'"]),
        ("data.dataset", "duke", ["data.dataset", "'market1501'", "'duke'"]),
        (
            "data.dataset",
            "market1501",
            ["data.archive", "Market-1501-v15.09.15.zip", "give the path"],
        ),
        ("data.dataset", "dukemtmc_reid", ["data.archive", "withdrawn", "never fetches"]),
        ("data.dataset", "partial_reid", ["'partial_reid_partial'", "'partial_reid_occluded'"]),
        (
            "data.dataset",
            "occluded_reid",
            ["no training images", "test.dataset"],
        ),
        ("test", {"dataset": "synthetic"}, ["test.dataset: found synthetic", "set test to null"]),
        ("data.name", "market1501", ["data.name: found market1501", "another folder of results/"]),
        ("data.name", "occluders", ["data.name: found occluders", "choose a name other than"]),
        ("data.name", "shop_to_gate", ["data.name: found shop_to_gate", "joins the names"]),
        ("data.name", "My shop", ["data.name", "found 'My shop'"]),
        (
            "test",
            {"dataset": "synthetic", "name": "other"},
            ["test.dataset: found synthetic:other"],
        ),
        ("test", {"dataset": "occluded_reid"}, ["test.archive", "Occluded_REID.zip", "give the"]),
        ("data.lists", "lists", ["data.lists: found 'lists'", "synthetic uses no lists"]),
        ("compare", ["dpeformr"], ["found 'dpeformr'", "variant of: baseline, baseline_roa"]),
        ("compare", ["dpsm", "dpsm"], ["compare: found dpsm more than once"]),
        ("seeds", [1, 0, 1], ["seeds: found 1 more than once"]),
        ("table", "order_runs", ["table: found order_runs", "a file of the table order"]),
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
        ("occluders.masks", "alpha", ["occluders.images", "cut-outs with transparency"]),
        ("occluders.masks", "coco", ["occluders.images", "folder of the annotated images"]),
        ("occluders.coco.categories", [], ["occluders.coco.categories", "at least 1 item"]),
        ("occluders.maximum", 199, ["occluders.maximum: found 199", "occluders.minimum 200"]),
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
def test_invalid_value_is_named_with_the_allowed_ones(values, key, value, parts):
    put(values, key, value)
    with pytest.raises(InputError) as error:
        load_config(values)
    message = str(error.value)
    assert all(part in message for part in parts), message
    assert message.startswith("config: ")


def test_batch_needs_no_more_identities_than_the_dataset_has(values):
    values["data"] |= {"dataset": "market1501", "archive": "m.zip"}
    values["variants"]["large"] = {"training": {"identities": 752}}
    load_config(values)  # the variant is not compared
    values["compare"].append("large")
    with pytest.raises(InputError, match=r"variants\.large\.training.* market1501 has 751"):
        load_config(values)
    # independent of the folder's name and the test set
    values |= {"data": values["data"] | {"name": "mine"}, "test": {"dataset": "synthetic"}}
    with pytest.raises(InputError, match=r"market1501 has 751"):
        load_config(values)
    values["variants"]["large"]["training"]["identities"] = 751
    load_config(values)
    values["variants"]["large"]["training"]["identities"] = 752
    values["data"]["checks"] = "warn"  # the dataset may differ from the published one
    load_config(values)


def test_width_of_any_backbone_is_checked(values):
    put(values, "backbone.name", "vit_base_patch16_siglip_224")
    with pytest.raises(InputError, match="has no class token"):
        load_config(values)
    put(values, "backbone.name", "deit3_small_patch16_224")
    assert load_config(values).backbone.name == "deit3_small_patch16_224"
    put(values, "backbone.embed_dim", 102)
    with pytest.raises(InputError, match=r"embed_dim: found 102, .* multiple of 16"):
        load_config(values)


def test_command_line_accepts_the_values_of_a_file(values):
    """Snakemake passes nested values as strings."""
    arguments = [
        "seeds=[0,1]",
        "compare=[dpeformer]",
        "reference=null",
        "training={epochs: 2, lr: 1e-3, clip_norm: NULL}",
        "augment={jitter_before_resize: False}",
        "image={mean: [0.4, 0, 1]}",
        "variants={dpeformer: {model: {k_min: 24}}}",
        "data={dataset: folder, archive: '2024', lists: null}",
    ]
    update_config(values, parse_config(arguments))
    config = load_config(values)
    assert (config.seeds, config.compare, config.reference) == ([0, 1], ["dpeformer"], None)
    assert (config.training.epochs, config.training.lr, config.training.clip_norm) == (
        2,
        1e-3,
        None,
    )
    assert config.augment.jitter_before_resize is False
    assert config.image.mean == (0.4, 0, 1)
    assert config.run_options("dpeformer").model.k_min == 24
    assert (config.data.archive, config.data.lists) == ("2024", None)


def test_exponent_without_decimal_point_is_a_number(values):
    """YAML 1.1 reads it as a string."""
    values["training"] = yaml.safe_load("lr: 1e-3")
    assert values["training"] == {"lr": "1e-3"}
    assert load_config(values).training.lr == 0.001


@pytest.mark.parametrize(
    ("key", "value", "parts"),
    [
        ("image.height", 100, ["image.height: 100 is no multiple", "last 4 pixels", "96 or 104"]),
        ("image.width", 63, ["image.width: 63 is no multiple", "last 7 pixels", "56 or 64"]),
        ("image.width", 64, []),
    ],
)
def test_uncovered_pixels_give_one_warning(values, key, value, parts):
    put(values, key, value)
    warnings = load_config(values).warnings()
    assert len(warnings) == bool(parts)
    assert all(part in warnings[0] for part in parts)


def test_number_of_tokens_depends_on_the_stride(values):
    """Stride 4 gives 31 x 15 tokens; the 4 parts need not divide the rows."""
    put(values, "backbone.stride", 4)
    put(values, "model.k_min", 31 * 15)
    assert load_config(values).backbone.stride == 4
    for key, value, limit in (("k_min", 31 * 15 + 1, "has 465 tokens"), ("parts", 32, "has 31:")):
        changed = values | {"model": values["model"] | {key: value}}
        with pytest.raises(InputError, match=f"model.{key}: found {value}, but .*{limit}"):
            load_config(changed)


def test_shipped_weights_match_the_configured_hashes(values):
    config = load_config(values)
    assert sha256(ROOT / config.backbone.weights) == config.backbone.sha256
    assert sha256(ROOT / config.occluders.sam.checkpoint) == config.occluders.sam.sha256


def test_coco_needs_annotations(values):
    coco = {"masks": "coco", "images": "val2017"}
    with pytest.raises(InputError, match=r"config: occluders\.coco\.annotations: found null"):
        load_config(values | {"occluders": values["occluders"] | coco})


@pytest.mark.parametrize(
    "key",
    [
        *("data.archive", "test.archive", "occluders.images", "occluders.sam.checkpoint"),
        "occluders.coco.annotations",
    ],
)
def test_tilde_is_expanded(values, key, monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    values["test"] = {"dataset": "occluded_reid", "archive": "archive.zip"}
    put(values, key, "~/given")
    found = load_config(values)
    for part in key.split("."):
        found = getattr(found, part)
    assert found == "/home/anna/given"


def test_variant_changes_only_its_patch(values):
    config = load_config(values)
    base, patched = config.run_options("dpeformer"), config.run_options("dpsm")
    assert patched.model.fusion == "none"
    assert patched.model.k_min == base.model.k_min == 48
    assert patched.training == base.training
    assert base == RunOptions.model_validate_json(base.model_dump_json())


def test_test_set_may_be_another_dataset(values):
    config = load_config(values | {"test": TEST})
    assert experiments(config) == ["synthetic_to_occluded_reid"]
    assert config.sources()["synthetic"].archive is None
    assert config.sources()["occluded_reid"].archive == "o.zip"
    found = {name: config.ingest_options(name) for name in ("synthetic", "occluded_reid")}
    assert {name: options.checks for name, options in found.items()} == {
        "synthetic": "error",
        "occluded_reid": "warn",
    }
    assert found["occluded_reid"].expected is None


def test_camera_embedding_excludes_another_test_set(values):
    values["variants"]["dpsm"]["backbone"] = {"camera_embedding": 3.0}
    with pytest.raises(InputError, match=r"variants\.dpsm\.backbone\.camera_embedding: .*to 0"):
        load_config(values | {"test": TEST})
    load_config(values)


def test_ingest_expects_the_counts_of_the_benchmark(values):
    counts = load_config(values).ingest_options("synthetic").expected
    assert (counts["train"].identities, counts["train"].images) == (100, 1000)
    assert (counts["gallery"].identities, counts["gallery"].images) == (251, 1060)
    assert (counts["whole_query"].identities, counts["whole_query"].images) == (200, 200)
    values["benchmark"]["whole_queries_per_identity"] = 0
    values["data"]["name"] = "mine"
    assert "whole_query" not in load_config(values).ingest_options("mine").expected
    values["benchmark"]["distractor_images"] = 0
    assert load_config(values).ingest_options("mine").expected["gallery"].identities == 250


def test_two_own_folders_need_different_names(values):
    shop, gate = ({"dataset": "folder", "archive": f"{name}.zip"} for name in ("shop", "gate"))
    config = load_config(values | {"data": shop | {"name": "shop"}, "test": gate})
    assert experiments(config) == ["shop_to_folder"]
    assert config.sources()["shop"].archive == "shop.zip"
    assert config.sources()["folder"].archive == "gate.zip"
    assert [config.label(name) for name in ("shop", "folder")] == ["folder:shop", "folder"]
    for data in (shop, shop | {"name": "gate"}):
        with pytest.raises(InputError, match="needs a name"):
            load_config(values | {"data": data, "test": gate | {"name": data.get("name")}})


MARKET = {"dataset": "market1501", "archive": "m.zip"}
MINE = {"dataset": "folder", "name": "mine", "archive": "crops"}


def test_list_of_datasets_is_trained_on_jointly_and_tested_one_by_one(values):
    config = load_config(values | {"data": [MARKET, MINE]})
    assert experiments(config) == ["market1501+mine_to_market1501", "market1501+mine_to_mine"]
    assert config.label("market1501+mine") == "market1501+folder:mine"
    config = load_config(values | {"data": [MARKET, MINE], "test": [MINE, TEST]})
    assert experiments(config) == ["market1501+mine_to_mine", "market1501+mine_to_occluded_reid"]
    config = load_config(values | {"data": MARKET, "test": [MARKET, TEST]})
    assert experiments(config) == ["market1501", "market1501_to_occluded_reid"]


def test_list_with_one_dataset_is_that_dataset(values):
    several = load_config(values | {"data": [MARKET], "test": [TEST]})
    assert several == load_config(values | {"data": MARKET, "test": TEST})
    assert experiments(several) == ["market1501_to_occluded_reid"]


def test_cross_domain_rows_are_the_datasets_alone_and_together(values):
    values |= {"data": [MARKET, MINE], "test": [MINE, TEST]}
    alone = ["market1501_to_mine", "market1501_to_occluded_reid", "mine", "mine_to_occluded_reid"]

    def cells():
        return [pair.experiment for pair in load_config(values).cross_domain_experiments()]

    assert cells() == [*alone, "market1501+mine_to_mine", "market1501+mine_to_occluded_reid"]
    values["cross_domain"] = {"joint": False}
    assert cells() == alone
    values |= {"data": MINE, "cross_domain": {"joint": True}}
    assert cells() == ["mine", "mine_to_occluded_reid"]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": []}, r"config: data: found \[\]: list should have at least 1 item"),
        ({"data": [MARKET, MARKET]}, r"data\.1: found market1501, which is data\.0 too: .*once"),
        (
            {"data": [MARKET, MINE | {"name": "market1501"}]},
            r"data\.1\.name: found market1501, which is another folder",
        ),
        ({"data": MARKET, "test": [TEST, TEST]}, r"test\.1: found occluded_reid, which is test\.0"),
        ({"data": [{}, {"name": "b"}]}, r"data\.1: found a second rendered .* data\.1\.archive"),
        ({"data": [MARKET, TEST]}, r"data\.1\.dataset: found occluded_reid, .*no training images"),
        ({"data": [MARKET, {"datset": 1}]}, r"data\.1\.datset: no such key: use one of dataset"),
        ({"data": [MARKET, {"dataset": "folder"}]}, r"data\.1\.archive: found null"),
        (
            {"data": [MARKET, MINE], "test": [MARKET | {"checks": "warn"}]},
            r"test: found market1501 with other options than in data: give it the same",
        ),
    ],
)
def test_unsuitable_list_of_datasets_is_one_line(values, sections, message):
    with pytest.raises(InputError, match=message) as error:
        load_config(values | sections)
    assert "\n" not in str(error.value)


def test_balanced_batch_needs_its_part_of_each_dataset(values):
    values["data"] = [MARKET, {"dataset": "synthetic"}]
    values["training"] |= {"identities": 220}
    load_config(values)
    values["training"]["mixing"] = "balanced"  # 110 of each
    with pytest.raises(InputError, match=r"found 220, of which 110 are of synthetic .* it has 100"):
        load_config(values)
    values["training"]["identities"] = 1
    with pytest.raises(InputError, match="found 1, less than the 2 datasets"):
        load_config(values)


def test_camera_embedding_suits_the_parts_of_a_joint_training(values):
    values["backbone"]["camera_embedding"] = 3.0
    values["data"] = [MARKET, MINE]
    load_config(values)
    with pytest.raises(InputError, match=r"cameras of occluded_reid .*market1501\+folder:mine"):
        load_config(values | {"test": [MINE, TEST]})


def test_mixing_leaves_no_trace_where_it_has_no_effect(values):
    values["training"]["mixing"] = "balanced"
    options = load_config(values).run_options("dpeformer")
    assert options.model_dump()["training"]["mixing"] == "balanced"
    assert "mixing" not in options.for_one_dataset().model_dump()["training"]


def test_benchmark_folder_depends_on_options_or_name(values):
    assert experiments(load_config(values)) == ["synthetic"]
    values["benchmark"]["seed"] = 1
    [one] = experiments(load_config(values))
    values["benchmark"]["seed"] = 2
    assert [one] != experiments(load_config(values))
    assert one.startswith("synthetic-")
    values["data"]["name"] = "mine"
    assert experiments(load_config(values)) == ["mine"]


def test_bank_path_depends_on_options_and_masks_are_shared(values):
    """Changed filters must not trigger a new segmentation."""
    paths = occluder_paths(values)
    assert paths == [f"results/occluders/{name}" for name in ("scenes", "masks", "bank")]
    for key, value, same in (
        ("sam.sha256", None, 3),
        ("filters.max_area", 0.3, 2),
        ("maximum", 400, 2),
        ("generator.box_nms", 0.6, 1),
        ("limit", 9, 1),
        ("scenes.seed", 5, 0),
    ):
        changed = yaml.safe_load(yaml.safe_dump(values))
        put(changed, f"occluders.{key}", value)
        found = occluder_paths(changed)
        assert [a == b for a, b in zip(found, paths, strict=True)] == [True] * same + [False] * (
            3 - same
        ), key


def occluder_paths(values):
    occluders = load_config(values).occluders
    return [occluders.scenes_path(), occluders.masks_path(), occluders.bank_path()]


@pytest.mark.parametrize("variable", [False, True], ids=["uri", "variable"])
@pytest.mark.parametrize(
    "uri",
    [
        "https://user-5d0c7b:password-9f21aa@mlflow.example.org",
        "https://user-5d0c7b@mlflow.example.org",
        "https://mlflow.example.org?token=password-9f21aa",
        "postgresql://user-5d0c7b:password-9f21aa@127.0.0.1/mlflow",
    ],
)
def test_address_of_a_server_has_no_credentials_and_no_message_repeats_them(
    values, monkeypatch, uri, variable
):
    if variable:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    else:
        put(values, "tracking.uri", uri)
    with pytest.raises(InputError, match=r"tracking\.uri or MLFLOW_TRACKING_URI: found") as error:
        load_config(values)
    assert not re.search("5d0c7b|9f21aa", str(error.value))


def test_runs_are_sent_to_the_configured_server_or_to_that_of_the_environment(values, monkeypatch):
    assert load_config(values).tracking.destination("synthetic") is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000/")
    put(values, "tracking.experiment_prefix", "alice-")
    found = load_config(values).tracking.destination("synthetic")
    assert (found.uri, found.experiment) == ("http://127.0.0.1:5000", "alice-synthetic")
    put(values, "tracking.uri", "https://mlflow.example.org")
    found = load_config(values).tracking.destination("synthetic")
    assert found.uri == "https://mlflow.example.org"
