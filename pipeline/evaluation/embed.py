"""Stage: embed query and gallery images with a trained network."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from pipeline.data.images import resize
from pipeline.data.joint import joint_cameras
from pipeline.data.names import TEST_SPLITS, WHOLE_QUERY
from pipeline.data.shards import HASHES, split_names, stream
from pipeline.device import choose_device, make_deterministic
from pipeline.errors import InputError
from pipeline.evaluation.features import write_array
from pipeline.files import atomic_file, read_json, sha256
from pipeline.model.backbone import normalise
from pipeline.model.build import load_network
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import ImageOptions

BATCH = 128


class ImageBatch(NamedTuple):
    """Consecutive images of a split."""

    images: torch.Tensor
    """(B, 3, H, W) uint8."""
    keys: list[str]
    identities: list[int]
    cameras: list[int]


def load_trained(
    weights: Path, record: Path, shards: Path | None = None
) -> tuple[DPEFormer, ImageOptions]:
    """Load the network of a run as `load_network` does.

    A camera embedding that was trained on several datasets then has the camera numbers of the one
    in `shards`. Raises InputError if the weights are not those of the record, and if such an
    embedding was not trained on these shards.
    """
    check_weights(weights, record)
    model, image = load_network(weights)
    parts = read_json(record).get("parts")
    if model.camera_embedding is not None and parts and shards is not None:
        numbers = joint_cameras(parts, sha256(shards / HASHES))
        if numbers is None:
            trained = ", ".join(part["dataset"] for part in parts)
            raise InputError(
                f"{shards}: expected one of the datasets that {record} was trained on ({trained}), "
                "found other shards: train with backbone.camera_embedding 0, or train again"
            )
        model.camera_embedding.rename(numbers)
    return model, image


def check_weights(weights: Path, record: Path) -> None:
    """Raise InputError if the record is damaged or of other weights."""
    try:
        expected = read_json(record)["hashes"]["weights"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{record}: expected the record of a run, found {error!r}: train the run again"
        ) from None
    found = sha256(weights)
    if found != expected:
        raise InputError(
            f"{weights}: expected SHA-256 {expected} (from {record}), found {found}: "
            "train the run again"
        )


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
        stack(images),
        list(keys),
        [meta["identity"] for meta in metas],
        [meta["camera"] for meta in metas],
    )


def stack(images: Sequence[np.ndarray]) -> torch.Tensor:
    """Stack images (H, W, 3) uint8 to (B, 3, H, W), channels last in memory."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


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
    """Compute the features of a batch as `embed_images` does, each image with its camera.

    Raises InputError as `camera_rows` does.
    """
    return embed_images(model, batch.images, image, camera_rows(model, batch.cameras, batch.keys))


def embed_images(
    model: DPEFormer,
    images: torch.Tensor,
    image: ImageOptions,
    cameras: torch.Tensor | None = None,
) -> dict[str, np.ndarray]:
    """Compute global (B, D), coarse and blended (B, P*D) float32 of images (B, 3, H, W) uint8.

    They are not normalised. `blended` is absent if the network has no such branch. With
    DPSM, k (B,) int64 is the number of kept tokens. `cameras` are those of `camera_rows`.
    """
    device = next(model.parameters()).device
    pixels = normalise(images.to(device), image.mean, image.std)
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
    torch.backends.cudnn.allow_tf32 = False  # float32 as on the CPU, see `load_network`
    model, image = load_trained(weights, record, shards)
    model.to(device)
    whole = {WHOLE_QUERY} & split_names(shards)
    with atomic_file(features) as partial, zipfile.ZipFile(partial, "w") as archive:
        for split in (*TEST_SPLITS, *whole):
            batches = read_batches(shards, split, image)
            parts = embed_split(model, batches, split, image, dtype)
            for name in list(parts):
                write_array(archive, name, parts.pop(name))
        write_array(archive, "shards", [np.array([sha256(shards / HASHES)])])
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return {"device": device.type}
