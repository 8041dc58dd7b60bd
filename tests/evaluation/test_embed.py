"""Features of real shards by a small untrained network."""

from __future__ import annotations

import io
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from pipeline.data.shards import Sample, ShardReader, write_index, write_shards
from pipeline.errors import InputError
from pipeline.evaluation.embed import embed, load_trained, read_batches
from pipeline.evaluation.features import write_split
from pipeline.files import read_json, sha256, write_json
from pipeline.model.backbone import normalise
from pipeline.model.build import build_model, describe
from pipeline.model.dpeformer import DPEFormer
from pipeline.model.weights import save_weights
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import ImageOptions, ModelOptions, RunOptions
from tests.cases import long_but
from tests.faults import flip_byte
from tests.miniatures import encode
from tests.tiny import tiny_backbone

CPU = ComputeOptions(device="cpu")
QUERIES, GALLERY = 4, 9


def options_with(selection: str, strength: float = 0.0) -> RunOptions:
    backbone = tiny_backbone(camera_embedding=strength)
    model = ModelOptions.model_validate({"selection": selection, "k_min": 4})
    return RunOptions(image=ImageOptions(height=32, width=16), backbone=backbone, model=model)


def samples(seed: int, count: int) -> list[Sample]:
    """Smooth random images, every other one larger than the network's input."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        size = (16, 32) if i % 2 else (20, 48)
        pixels = Image.fromarray(rng.integers(0, 256, (4, 2, 3), dtype=np.uint8))
        data = encode(pixels.resize(size, Image.Resampling.BICUBIC))
        meta = {"identity": 1 + i % 3, "camera": seed + i % 2}
        found.append(Sample(f"s{seed}_{i}", "png", data, meta))
    return found


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    folder.mkdir()
    rows = write_shards(folder, "query", samples(1, QUERIES))
    # two tars, so that a batch spans them
    rows += write_shards(folder, "gallery", samples(2, GALLERY), per_shard=5)
    write_index(folder, rows)
    return folder


def write_run(folder: Path, selection: str) -> tuple[Path, Path]:
    """Write weights and record of an untrained run with non-initial BatchNorm statistics."""
    torch.manual_seed(0)
    options = options_with(selection)
    model = build_model(options, identities=5, pretrained=False)
    model.train()
    for _ in range(3):
        model(torch.randn(16, 3, 32, 16))
    save_weights(model, folder / "weights.safetensors", describe(options, cameras=[]))
    write_record(folder, options)
    return folder / "weights.safetensors", folder / "run.json"


def write_record(folder: Path, options: RunOptions) -> None:
    head = {"dataset": "synthetic", "variant": "tiny", "seed": 0, "identities": 5}
    hashes = {"weights": sha256(folder / "weights.safetensors")}
    write_json(
        folder / "run.json",
        head | {"options": options.model_dump(), "precision": "bfloat16", "hashes": hashes},
    )


def run_embed(folder: Path, shards: Path, selection: str = "dpsm") -> dict[str, np.ndarray]:
    weights, record = write_run(folder, selection)
    embed(weights, record, shards, folder / "features.npz", CPU)
    with np.load(folder / "features.npz") as arrays:
        return dict(arrays)


def join(parts: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate(values) for name, values in parts.items()}


def test_arrays_have_the_order_of_the_shards(tmp_path: Path, shards: Path) -> None:
    arrays = run_embed(tmp_path, shards)
    assert str(arrays["shards"]) == sha256(shards / "shards.json")
    for split, seed, count in (("query", 1, QUERIES), ("gallery", 2, GALLERY)):
        expected = samples(seed, count)
        assert arrays[f"{split}_keys"].tolist() == [sample.key for sample in expected]
        for column, name in (("identities", "identity"), ("cameras", "camera")):
            found = arrays[f"{split}_{column}"]
            assert found.dtype == np.int64
            assert found.tolist() == [sample.meta[name] for sample in expected]
        for name, width in (("global", 32), ("coarse", 128), ("blended", 128)):
            feature = arrays[f"{split}_{name}"]
            assert feature.shape == (count, width)
            assert feature.dtype == np.float32
            assert np.ptp(feature, axis=0).min() > 0  # every image has features of its own


@pytest.mark.parametrize("workers", long_but([0, 1], 0))
def test_processes_share_the_batches_without_a_change_of_bytes(
    forked_ranks: None,
    tmp_path: Path,
    shards: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    workers: int,
) -> None:
    """Two batches of query images and five of the gallery, for two processes."""
    monkeypatch.setattr("pipeline.evaluation.embed.BATCH", 2)
    weights, record = write_run(tmp_path, "dpsm")
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    embed(weights, record, shards, one, CPU)
    shared = CPU.model_copy(update={"gpus": 2, "workers": workers})
    assert embed(weights, record, shards, two, shared) == {"device": "cpu"}
    assert two.read_bytes() == one.read_bytes()
    assert "compute.gpus: 2 CPU processes" in capfd.readouterr().err


def test_whole_body_queries_are_embedded_where_there_are_some(tmp_path: Path, shards: Path) -> None:
    without = run_embed(tmp_path, shards)
    assert not [name for name in without if name.startswith("whole_query")]
    folder = tmp_path / "more"
    folder.mkdir()
    rows = write_shards(folder, "query", samples(1, QUERIES))
    rows += write_shards(folder, "gallery", samples(2, GALLERY))
    write_index(folder, rows + write_shards(folder, "whole_query", samples(3, 2)))
    arrays = run_embed(tmp_path, folder)
    assert arrays["whole_query_keys"].tolist() == ["s3_0", "s3_1"]
    assert arrays["whole_query_cameras"].tolist() == [3, 4]
    new = arrays.keys() - without.keys()
    assert new == {name.replace("gallery", "whole_query") for name in arrays if "gallery" in name}
    for name in without.keys() - {"shards"}:
        np.testing.assert_array_equal(arrays[name], without[name])


def test_features_equal_a_forward_pass_in_float32(tmp_path: Path, shards: Path) -> None:
    """The precision of the training does not matter; each image is embedded alone."""
    arrays = run_embed(tmp_path, shards)
    model = build_model(options_with("dpsm"), identities=5, pretrained=False).eval()
    model.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    for i, sample in enumerate(samples(2, GALLERY)):
        image = Image.open(io.BytesIO(sample.data)).resize((16, 32), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image)).float() / 127.5 - 1  # mean and std of 0.5
        with torch.inference_mode():
            features = model(pixels.permute(2, 0, 1)[None])
        for name, value in (("coarse", features.coarse), ("blended", features.blended)):
            np.testing.assert_allclose(arrays[f"gallery_{name}"][i], value[0], rtol=0, atol=1e-5)
        assert arrays["gallery_k"][i] == features.selection.k[0]


def test_same_inputs_give_the_same_bytes(tmp_path: Path, shards: Path) -> None:
    run_embed(tmp_path, shards)
    before = (tmp_path / "features.npz").read_bytes()
    run_embed(tmp_path, shards)
    assert before == (tmp_path / "features.npz").read_bytes()


def test_loader_processes_do_not_change_the_file(tmp_path: Path, shards: Path) -> None:
    run_embed(tmp_path, shards)
    weights, record = tmp_path / "weights.safetensors", tmp_path / "run.json"
    embed(weights, record, shards, tmp_path / "two.npz", CPU.model_copy(update={"workers": 2}))
    assert (tmp_path / "two.npz").read_bytes() == (tmp_path / "features.npz").read_bytes()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_does_not_decode_is_named(tmp_path: Path, workers: int) -> None:
    weights, record = write_run(tmp_path, "dpsm")
    shards = tmp_path / "bad"
    shards.mkdir()
    damaged = samples(1, 3)
    damaged[1] = damaged[1]._replace(data=damaged[1].data[:60])
    write_index(shards, write_shards(shards, "query", damaged))
    compute = CPU.model_copy(update={"workers": workers})
    message = r"^query-000000\.tar: s1_1\.png: expected a whole .*: fetch it again$"
    with pytest.raises(InputError, match=message):
        embed(weights, record, shards, tmp_path / "features.npz", compute)
    assert not list(tmp_path.glob("*features.npz"))


def test_features_are_written_without_keeping_them_in_memory(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((64, 1024), np.float32)  # 256 kB
    tracemalloc.start()
    with zipfile.ZipFile(tmp_path / "features.npz", "w") as archive:
        labels = {"identities": np.arange(64 * 64)}
        write_split(archive, "query", labels, ({"global": rows + i} for i in range(64)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * rows.nbytes
    assert [path.name for path in tmp_path.iterdir()] == ["features.npz"]
    with np.load(tmp_path / "features.npz") as arrays:
        expected = np.concatenate([rows + i for i in range(64)])
        np.testing.assert_array_equal(arrays["query_global"], expected, strict=True)
        np.testing.assert_array_equal(arrays["query_identities"], labels["identities"])


def test_float16_features_are_the_rounded_ones(tmp_path: Path, shards: Path) -> None:
    whole = run_embed(tmp_path, shards)
    weights, record = tmp_path / "weights.safetensors", tmp_path / "run.json"
    embed(weights, record, shards, tmp_path / "half.npz", CPU, "float16")
    with np.load(tmp_path / "half.npz") as half:
        assert set(half) == set(whole)
        for name, expected in whole.items():
            is_feature = expected.dtype == np.float32
            np.testing.assert_array_equal(
                half[name], expected.astype("float16") if is_feature else expected, strict=True
            )


def test_the_file_has_the_bytes_of_numpy(tmp_path: Path, shards: Path) -> None:
    np.savez(tmp_path / "numpy.npz", **run_embed(tmp_path, shards))
    assert (tmp_path / "numpy.npz").read_bytes() == (tmp_path / "features.npz").read_bytes()


def test_baseline_has_no_blended_feature(tmp_path: Path, shards: Path) -> None:
    arrays = run_embed(tmp_path, shards, "none")
    assert {name.split("_", 1)[1] for name in arrays.keys() - {"shards"}} == {
        *("keys", "identities", "cameras"),
        *("global", "coarse"),
    }


def test_changed_weights_are_refused(tmp_path: Path, shards: Path) -> None:
    weights, record = write_run(tmp_path, "dpsm")
    flip_byte(weights, -1)
    with pytest.raises(InputError, match=r"weights\.safetensors: expected SHA-256"):
        embed(weights, record, shards, tmp_path / "features.npz", CPU)
    assert not (tmp_path / "features.npz").exists()


def test_shards_that_changed_are_refused(tmp_path: Path, shards: Path) -> None:
    """One bit is enough, and nothing is embedded."""
    changed = shutil.copytree(shards, tmp_path / "changed")
    tar = sorted(changed.glob("gallery-*.tar"))[0]
    flip_byte(tar)
    with pytest.raises(InputError, match=rf"{tar.name}: expected SHA-256"):
        run_embed(tmp_path, changed)
    assert not (tmp_path / "features.npz").exists()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights, record = write_run(tmp_path, "dpsm")
    model = build_model(options_with("dpsm"), identities=5, pretrained=False)
    save_weights(model, weights, describe(options_with("dpsm", strength=3.0), cameras=[1]))
    write_record(tmp_path, options_with("dpsm"))
    with pytest.raises(InputError, match=r"does not fit .*: camera_embedding\.table is missing"):
        load_trained(weights, record)


def write_camera_run(folder: Path, cameras: list[int]) -> tuple[DPEFormer, Path, Path]:
    """Write an untrained run with a camera embedding of `cameras`."""
    torch.manual_seed(0)
    options = options_with("dpsm", strength=3.0)
    model = build_model(options, identities=5, pretrained=False, cameras=cameras).eval()
    weights, record = folder / "weights.safetensors", folder / "run.json"
    save_weights(model, weights, describe(options, cameras))
    write_record(folder, options)
    return model, weights, record


def test_each_image_is_embedded_with_its_camera(tmp_path: Path, shards: Path) -> None:
    """The cameras are 1 and 2 in the query, 2 and 3 in the gallery."""
    model, weights, record = write_camera_run(tmp_path, [1, 2, 3, 7])
    embed(weights, record, shards, tmp_path / "features.npz", CPU)
    with np.load(tmp_path / "features.npz") as arrays:
        found, cameras = arrays["gallery_blended"], arrays["gallery_cameras"]
    image = ImageOptions(height=32, width=16)
    batch = next(read_batches(ShardReader(shards, "gallery"), image))
    assert cameras.tolist() == [2, 3, 2, 3, 2, 3, 2, 3, 2]
    with torch.inference_mode():
        right, wrong = (
            model(normalise(batch.images, image.mean, image.std), torch.tensor(rows)).blended
            for rows in (cameras - 1, 4 - cameras)
        )
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-5)
    assert (np.abs(found - wrong.numpy()).max(axis=1) > 1e-4).all()


def test_joint_training_embeds_cameras_by_the_numbers_of_the_tested_dataset(
    tmp_path: Path, shards: Path
) -> None:
    """Cameras 1, 2 and 3 of the shards are 3, 4 and 5 of the training set."""
    _, weights, record = write_camera_run(tmp_path, [1, 2, 3, 4, 5])
    other = {"dataset": "other", "shards": "0" * 64, "cameras": [1, 9]}
    own = {"dataset": "own", "shards": sha256(shards / "shards.json"), "cameras": [1, 2, 3]}
    facts = read_json(record)
    write_json(record, facts | {"parts": [other, own]})
    model, _ = load_trained(weights, record, shards)
    assert model.camera_embedding.rows([1, 3, 2], ["a", "b", "c"]).tolist() == [2, 4, 3]
    write_json(record, facts | {"parts": [other]})
    with pytest.raises(InputError, match=r"expected one of the datasets .* trained on \(other\)"):
        load_trained(weights, record, shards)


def test_a_camera_that_training_did_not_see_is_refused(tmp_path: Path, shards: Path) -> None:
    _, weights, record = write_camera_run(tmp_path, [1, 2])
    with pytest.raises(InputError, match=r"image s2_1: found camera 3, .*\(1, 2\): train with"):
        embed(weights, record, shards, tmp_path / "features.npz", CPU)
    assert not (tmp_path / "features.npz").exists()
