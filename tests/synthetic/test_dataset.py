"""The published dataset: images, masks and datasheet."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import webdataset as wds
from PIL import Image

from pipeline.files import folder_hashes, sha256
from pipeline.synthetic import dataset as stage
from pipeline.synthetic.dataset import publish_dataset
from pipeline.synthetic.plan import OCCLUSIONS
from tests.synthetic.conftest import OPTIONS, Rendered

DATASHEET = Path("workflow/report/datasheet.md")
SHARD = 20


@pytest.fixture(scope="module")
def published(rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "dataset"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "_SHARD", SHARD)
        publish_dataset(rendered.archive, rendered.ground_truth, DATASHEET, folder, OPTIONS)
    return folder


def test_images_are_the_archive(rendered: Rendered, published: Path) -> None:
    assert sha256(published / "images.zip") == sha256(rendered.archive)


def test_masks_are_samples_of_a_webdataset(rendered: Rendered, published: Path) -> None:
    tars = sorted(str(path) for path in published.glob("masks-*.tar"))
    assert len(tars) == -(-len(rendered.names) // SHARD)
    samples = list(wds.WebDataset(tars, shardshuffle=False))
    assert [f"{sample['__key__']}.jpg" for sample in samples] == rendered.names
    arrays = rendered.arrays
    for row, sample in enumerate(samples):
        for key, name in (("parts.png", "labels"), ("instances.png", "instances")):
            mask = np.asarray(Image.open(io.BytesIO(sample[key])))
            assert np.array_equal(mask, arrays[name][row])
        facts = json.loads(sample["json"])
        assert facts["visible"] == pytest.approx(arrays["visible"][row], abs=1e-4)
        assert facts["occlusion"] == OCCLUSIONS[arrays["occlusion"][row]]
        assert (facts["obstacle"] or "") == arrays["obstacle"][row]


def test_the_datasheet_is_filled(rendered: Rendered, published: Path) -> None:
    text = (published / "README.md").read_text()
    assert "$" not in text
    assert f"{len(rendered.names)} images of 32 x 64 pixels" in text
    assert sha256(rendered.archive) in text
    assert "| `query/` | 3 | 6 |" in text
    assert "| `query_whole_body/` | 3 | 3 |" in text
    assert "| `bounding_box_test/` | 4 | 20 |" in text  # junk and distractors are images
    assert "11 obstacle" in text
    assert "between 25% and 75%" in text
    assert '"train_identities": 2' in text


def test_the_same_inputs_give_the_same_bytes(rendered: Rendered, tmp_path: Path) -> None:
    for name in ("one", "two"):
        publish_dataset(
            rendered.archive, rendered.ground_truth, DATASHEET, tmp_path / name, OPTIONS
        )
    one, two = (folder_hashes(tmp_path / name) for name in ("one", "two"))
    assert one == two
    assert set(one) == {"images.zip", "masks-00000.tar", "README.md"}
