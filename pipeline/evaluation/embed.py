"""Stage: embed query and gallery images with a trained network."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from tqdm import tqdm

from pipeline.data.images import resize
from pipeline.data.names import TEST_SPLITS, WHOLE_QUERY
from pipeline.data.shards import HASHES, split_names, stream
from pipeline.device import choose_device, make_deterministic
from pipeline.errors import InputError
from pipeline.evaluation.features import write_array
from pipeline.files import atomic_file, read_json, sha256
from pipeline.model.backbone import normalise
from pipeline.model.build import build_model
from pipeline.model.dpeformer import DPEFormer
from pipeline.model.weights import fill
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import ImageOptions, RunOptions

BATCH = 128


class ImageBatch(NamedTuple):
    """Consecutive images of a split."""

    images: torch.Tensor
    """(B, 3, H, W) uint8."""
    keys: list[str]
    identities: list[int]
    cameras: list[int]


def load_trained(weights: Path, record: Path) -> tuple[DPEFormer, RunOptions]:
    """Load the network of a run, in eval mode on the CPU, and the options of its training.

    It computes in float32, whatever the precision of the training: in bfloat16 a feature depends on
    its batch, by far more than float32 rounds.
    Raises InputError if the weights are not those of the record or do not fit the network.
    """
    run = read_json(record)
    found, expected = sha256(weights), run["hashes"]["weights"]
    if found != expected:
        raise InputError(
            f"{weights}: expected SHA-256 {expected} (from {record}), found {found}: "
            "train the run again"
        )
    options = RunOptions.model_validate(run["options"])
    cameras = run.get("cameras", [])  # older records without camera embedding lack them
    model = build_model(options, run["identities"], pretrained=False, cameras=cameras)
    fill(model, load_file(weights), f"{weights}: does not fit the network of {record}")
    return model.eval(), options


def read_batches(
    shards: Path, split: str, image: ImageOptions, size: int = BATCH
) -> Iterator[ImageBatch]:
    """Yield the images of a split, resized for the network, in the order of the shards."""
    batch: list[tuple[str, np.ndarray, dict[str, Any]]] = []
    for key, pixels, meta in tqdm(
        stream(shards, split), desc=split, mininterval=5, dynamic_ncols=True
    ):
        batch.append((key, resize(pixels, (image.width, image.height)), meta))
        if len(batch) == size:
            yield _collate(batch)
            batch = []
    if batch:
        yield _collate(batch)


def _collate(samples: list[tuple[str, np.ndarray, dict[str, Any]]]) -> ImageBatch:
    keys, images, metas = zip(*samples, strict=True)
    return ImageBatch(
        torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),  # (B, 3, H, W), channels last
        list(keys),
        [meta["identity"] for meta in metas],
        [meta["camera"] for meta in metas],
    )


def camera_rows(
    model: DPEFormer, cameras: Sequence[int], keys: Sequence[str]
) -> torch.Tensor | None:
    """Return the rows (B,) int64 of the cameras in the camera embedding of `model`, on its device.

    None without a camera embedding. Raises InputError for a camera that it does not have, with the
    image's key of `keys`.
    """
    if model.camera_embedding is None:
        return None
    rows = model.camera_embedding.rows(cameras, keys)
    return rows.to(model.camera_embedding.table.device)


def embed_batch(model: DPEFormer, batch: ImageBatch, image: ImageOptions) -> dict[str, np.ndarray]:
    """Compute the features of a batch: global (B, D), coarse and blended (B, P*D) float32.

    They are not normalised. `blended` is absent if the network has no such branch. With DPSM,
    k (B,) int64 is the number of kept tokens. Raises InputError as `camera_rows` does.
    """
    device = next(model.parameters()).device
    cameras = camera_rows(model, batch.cameras, batch.keys)
    pixels = normalise(batch.images.to(device), image.mean, image.std)
    features = model(pixels, cameras)
    named = {"global": features.global_, "coarse": features.coarse, "blended": features.blended}
    if features.selection is not None:
        named["k"] = features.selection.k
    return {name: value.cpu().numpy() for name, value in named.items() if value is not None}


def embed_split(
    model: DPEFormer,
    batches: Iterator[ImageBatch],
    split: str,
    image: ImageOptions,
    dtype: str = "float32",
) -> dict[str, list[np.ndarray]]:
    """Return the arrays of a split in parts: `<split>_keys`, `_identities`, `_cameras`, features.

    Features have the type `dtype`. Nothing is concatenated: MSMT17's features are gigabytes.
    """
    columns: dict[str, list[Any]] = {"keys": [], "identities": [], "cameras": []}
    parts: dict[str, list[np.ndarray]] = {}
    for batch in batches:
        for name, values in columns.items():
            values.extend(getattr(batch, name))
        for name, value in embed_batch(model, batch, image).items():
            parts.setdefault(name, []).append(value if name == "k" else value.astype(dtype))
    labels = {name: [np.array(columns[name], np.int64)] for name in ("identities", "cameras")}
    arrays = {"keys": [np.array(columns["keys"], np.str_)]} | labels | parts
    return {f"{split}_{name}": value for name, value in arrays.items()}


@torch.inference_mode()
def embed(
    weights: Path,
    record: Path,
    shards: Path,
    features: Path,
    compute: ComputeOptions,
    dtype: str = "float32",
    checkpoint: Path | None = None,
) -> dict[str, Any]:
    """Embed the query and gallery images of `shards` with the weights of a run.

    Writes a NumPy archive. It has `<split>_keys` (M,) text, `<split>_identities` and
    `<split>_cameras` (M,) int64, `<split>_global`, `<split>_coarse` and, with the blended branch,
    `<split>_blended` (M, F) of type `dtype`; with DPSM, `<split>_k` (M,) int64. Splits are query,
    gallery and, if `shards` have it, whole_query. `shards` () text is the hash of shards.json.
    Deletes the training's `checkpoint`. Returns the device. Raises InputError for weights that are
    not those of `record`, for damaged shards and as `camera_rows` does.
    """
    device = choose_device(compute)
    make_deterministic(device)
    torch.backends.cudnn.allow_tf32 = False  # float32 as on the CPU, see `load_trained`
    model, options = load_trained(weights, record)
    model.to(device)
    whole = {WHOLE_QUERY} & split_names(shards)
    with atomic_file(features) as partial, zipfile.ZipFile(partial, "w") as archive:
        for split in (*TEST_SPLITS, *whole):
            batches = read_batches(shards, split, options.image)
            parts = embed_split(model, batches, split, options.image, dtype)
            for name in list(parts):
                write_array(archive, name, parts.pop(name))
        write_array(archive, "shards", [np.array([sha256(shards / HASHES)])])
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return {"device": device.type}
