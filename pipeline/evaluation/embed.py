"""Embed the query and the gallery: stream the shards through a trained network."""

from __future__ import annotations

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
    """The network of a run in evaluation mode on the CPU, and the options it was trained with.

    It computes in float32 whatever the run was trained in: in bfloat16 a feature depends on the
    batch that it is computed in by far more than the rounding of float32.
    Raises InputError when the weights are not those of the record or do not fit the network.
    """
    run = read_json(record)
    found, expected = sha256(weights), run["hashes"]["weights"]
    if found != expected:
        raise InputError(
            f"{weights}: expected SHA-256 {expected}, as {record} says, found {found}: "
            "the file is not what the run wrote, train it again"
        )
    options = RunOptions.model_validate(run["options"])
    cameras = run.get("cameras", [])  # older records, of runs without camera embedding, lack them
    model = build_model(options, run["identities"], pretrained=False, cameras=cameras)
    fill(model, load_file(weights), f"{weights}: does not fit the network of {record}")
    return model.eval(), options


def read_batches(
    shards: Path, split: str, image: ImageOptions, size: int = BATCH
) -> Iterator[ImageBatch]:
    """The images of a split at the network's size, in the order of the shards."""
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
    """What `model` must be told of the cameras of the images `keys`: (B,) int64, on its device.

    Raises InputError for an image of a camera that a model with camera embedding does not know.
    """
    if model.camera_embedding is None:
        return None
    rows = model.camera_embedding.rows(cameras, keys)
    return rows.to(model.camera_embedding.table.device)


def embed_batch(model: DPEFormer, batch: ImageBatch, image: ImageOptions) -> dict[str, np.ndarray]:
    """Features of a batch: global (B, D), coarse and blended (B, P*D) float32.

    `blended` is absent where the network has no such branch. The features are not normalised.
    Where DPSM selects patches, k (B,) int64 is how many it keeps.
    Raises InputError for an image of a camera that the model does not know, but must.
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
    model: DPEFormer, batches: Iterator[ImageBatch], split: str, image: ImageOptions
) -> dict[str, np.ndarray]:
    """The arrays of a split: `<split>_keys`, `_identities`, `_cameras` and one per feature."""
    columns: dict[str, list[Any]] = {"keys": [], "identities": [], "cameras": []}
    parts: dict[str, list[np.ndarray]] = {}
    for batch in batches:
        for name, values in columns.items():
            values.extend(getattr(batch, name))
        for name, value in embed_batch(model, batch, image).items():
            parts.setdefault(name, []).append(value)
    labels = {name: np.array(columns[name], np.int64) for name in ("identities", "cameras")}
    arrays = {"keys": np.array(columns["keys"], np.str_)} | labels
    for name in list(parts):  # one feature at a time is there twice: MSMT17's are gigabytes
        arrays[name] = np.concatenate(parts.pop(name))
    return {f"{split}_{name}": array for name, array in arrays.items()}


@torch.inference_mode()
def embed(
    weights: Path,
    record: Path,
    shards: Path,
    features: Path,
    compute: ComputeOptions,
    checkpoint: Path | None = None,
) -> dict[str, Any]:
    """Embed the query and gallery images of `shards` with the weights of a run.

    Writes a NumPy archive with, for query and gallery, `<split>_keys` (M,) text,
    `<split>_identities` and `<split>_cameras` (M,) int64, and `<split>_global`, `<split>_coarse`
    and, where the network has the branch, `<split>_blended` (M, F) float32; where it selects
    patches, `<split>_k` (M,) int64. The same of whole_query, where `shards` have it. `shards` ()
    text is the hash of their shards.json. Deletes the training's `checkpoint`. Returns the device.
    Raises InputError for weights that are not those of `record`, for damaged shards and, where the
    network has a camera embedding, for an image of a camera that its training did not see.
    """
    device = choose_device(compute)
    make_deterministic(device)
    torch.backends.cudnn.allow_tf32 = False  # float32 as on the CPU, see `load_trained`
    model, options = load_trained(weights, record)
    model.to(device)
    arrays: dict[str, np.ndarray] = {}
    whole = {WHOLE_QUERY} & split_names(shards)
    for split in (*TEST_SPLITS, *whole):
        batches = read_batches(shards, split, options.image)
        arrays |= embed_split(model, batches, split, options.image)
    arrays["shards"] = np.array(sha256(shards / HASHES))
    with atomic_file(features) as partial, open(partial, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return {"device": device.type}
