"""Which files can be fetched by name, from where, and which never are."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.downloads.known import FOLDER, KNOWN, WITHHELD, fetch_options
from pipeline.errors import InputError
from pipeline.load_config import load_config
from pipeline.options.downloads import DownloadOptions

ROOT = Path(__file__).resolve().parents[2]
MIRROR = "https://mirror.example/file"


def load(downloads: dict[str, object] | None = None, **changes: dict[str, object]):
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    sections = {name: values[name] | change for name, change in changes.items()}
    return load_config(values | sections | {"downloads": downloads or {}})


@pytest.mark.parametrize("name", [name for name in KNOWN if name.endswith(".pth")])
def test_the_name_of_a_file_of_weights_carries_its_hash(name: str) -> None:
    known = KNOWN[name]
    digits = Path(name).stem.replace("-", "_").rpartition("_")[2]
    assert known.digest.partition(":")[2].startswith(digits)
    assert known.url.endswith(f"/{name}")


def test_every_known_address_is_pinned_to_https_and_says_its_terms() -> None:
    assert all(known.url.startswith("https://") and known.terms for known in KNOWN.values())
    assert not KNOWN.keys() & WITHHELD.keys()


def test_a_mirror_must_have_the_known_bytes() -> None:
    known = KNOWN["sam_vit_b_01ec64.pth"]
    mirrored = fetch_options("sam_vit_b_01ec64.pth", DownloadOptions(url=MIRROR))
    assert mirrored == known.model_copy(update={"url": MIRROR})


def test_the_hash_of_the_configuration_counts() -> None:
    own = DownloadOptions(url=MIRROR, sha256="0" * 64)
    for name in ("sam_vit_b_01ec64.pth", "mine.zip"):
        assert fetch_options(name, own).digest == f"sha256:{'0' * 64}"
    assert fetch_options("mine.zip", DownloadOptions(url=MIRROR)).digest is None


@pytest.mark.parametrize("name", sorted(WITHHELD))
def test_a_withheld_archive_is_never_fetched(name: str) -> None:
    """From no address, and the message says what to put where, and under which terms."""
    data = {"archive": f"{FOLDER}/{name}"}
    for refused in ({"downloads": {name: {"url": MIRROR}}}, {"data": data}):
        with pytest.raises(InputError, match=f"{name} is never downloaded") as error:
            load(**refused)
        assert WITHHELD[name] in str(error.value)
        assert f"/data/{name}" in str(error.value)


def test_a_path_of_a_file_without_an_address_is_named_with_its_key() -> None:
    with pytest.raises(InputError, match=r"config: data.archive: found 'mine.zip', expected"):
        load(data={"archive": f"{FOLDER}/mine.zip"})
    loaded = load({"mine.zip": {"url": MIRROR}}, data={"archive": f"{FOLDER}/mine.zip"})
    assert loaded.fetch_options("mine.zip").url == MIRROR


def test_the_paths_of_variants_are_checked_too() -> None:
    weights = {"backbone": {"weights": f"{FOLDER}/other.pth"}}
    with pytest.raises(InputError, match=r"config: variants.mine.backbone.weights: found"):
        load(variants={"mine": weights})


@pytest.mark.parametrize("path", ["occluded_duke", "occluded_duke/", "occluded_duke/train.list"])
def test_a_folder_of_known_files_can_be_given(path: str) -> None:
    load(data={"archive": f"{FOLDER}/{path}"})


def test_an_object_in_a_bucket_is_an_archive_or_the_images_of_occluders() -> None:
    archive, images = "s3://data/Market.zip", "s3://data/photos"
    config = load(data={"dataset": "market1501", "archive": archive}, occluders={"images": images})
    assert (config.sources()["market1501"].archive, config.occluders.images) == (archive, images)
    with pytest.raises(InputError, match=r"config: backbone.weights: found s3://data/vit.pth"):
        load(backbone={"weights": "s3://data/vit.pth"})


def test_an_address_is_not_a_path() -> None:
    with pytest.raises(InputError, match=f"config: backbone.weights: .* {MIRROR}: .*{FOLDER}/"):
        load(backbone={"weights": MIRROR})


@pytest.mark.parametrize(
    ("name", "entry", "said"),
    [
        ("../mine.zip", {"url": MIRROR}, "match pattern"),
        (".mine.zip", {"url": MIRROR}, "match pattern"),
        ("mine.zip", {"url": "ftp://mirror.example/file"}, "match pattern"),
        ("mine.zip", {"url": MIRROR, "sha256": "80ecf9dd"}, "match pattern"),
        ("mine.zip", {"url": MIRROR, "md5": "0" * 32}, "no such key"),
    ],
)
def test_a_wrong_entry_is_named(name: str, entry: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=f"config: downloads.*{said}"):
        load({name: entry})


def test_the_default_configuration_fetches_nothing() -> None:
    text = str(load().model_dump())
    assert FOLDER not in text
    assert "http" not in text
