"""Stage: embed query and gallery images with a trained network."""

from __future__ import annotations

import zipfile
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from pipeline.data.images import resize
from pipeline.data.joint import joint_cameras
from pipeline.data.names import TEST_SPLITS, WHOLE_QUERY
from pipeline.data.shards import HASHES, ShardReader, split_names
from pipeline.data.workers import explain_worker_errors, share_in_worker
from pipeline.device import choose_device, make_deterministic
from pipeline.elastic import on_ranks
from pipeline.errors import InputError
from pipeline.evaluation.features import write_array, write_split
from pipeline.files import atomic_file, read_json, sha256
from pipeline.model.backbone import normalise
from pipeline.model.build import load_network
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import ImageOptions
from pipeline.ranks import ALONE, Ranks, joined_ranks

BATCH = 64


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


class _TestImages(Dataset[np.ndarray]):
    """Dataset of the images of a split, resized for the network."""

    def __init__(self, reader: ShardReader, image: ImageOptions) -> None:
        self._reader = reader
        self._size = (image.width, image.height)

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, i: int) -> np.ndarray:
        return resize(self._reader.image(i), self._size)


def read_batches(
    reader: ShardReader,
    image: ImageOptions,
    workers: int = 0,
    pin: bool = False,
    ranks: Ranks = ALONE,
) -> Iterator[ImageBatch]:
    """Yield the images of a split, resized for the network, in the order of the shards.

    `workers` processes read and decode ahead, with 0 this one; batches do not depend on it. `pin`
    keeps them in memory from which a GPU copies fast. Of several `ranks` each has every n-th batch.
    """
    rows = range(len(reader))
    spans = [rows[first : first + BATCH] for first in rows[::BATCH]]
    own = spans[ranks.number :: ranks.count]
    loader = DataLoader(
        _TestImages(reader, image),
        batch_sampler=[list(span) for span in own],  # a list, so that the progress has a total
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin,
        generator=torch.Generator(),  # otherwise it advances the global generator
    )
    bar = tqdm(loader, reader.name, mininterval=5, dynamic_ncols=True, disable=not ranks.first)
    for batch, images in zip(own, bar, strict=True):
        labels = reader.index.iloc[batch.start : batch.stop]
        yield ImageBatch(images, *(labels[name].tolist() for name in ("key", "identity", "camera")))


def split_labels(reader: ShardReader) -> dict[str, np.ndarray]:
    """Return the keys (M,) text, identities and cameras (M,) int64 of a split."""
    index = reader.index
    return {
        "keys": np.array(index["key"].tolist(), np.str_),
        "identities": index["identity"].to_numpy(np.int64),
        "cameras": index["camera"].to_numpy(np.int64),
    }


def _collate(images: Sequence[np.ndarray]) -> torch.Tensor:
    batch = stack(images)
    share_in_worker([batch])
    return batch


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
    pixels = normalise(images.to(device, non_blocking=True), image.mean, image.std)
    features = model(pixels, cameras)
    named = {"global": features.global_, "coarse": features.coarse, "blended": features.blended}
    if features.selection is not None:
        named["k"] = features.selection.k
    return {name: value.cpu().numpy() for name, value in named.items() if value is not None}


def _round(arrays: dict[str, np.ndarray], dtype: str) -> dict[str, np.ndarray]:
    """Convert the features to `dtype`; the number of kept tokens stays int64."""
    return {name: value if name == "k" else value.astype(dtype) for name, value in arrays.items()}


@on_ranks
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
    `compute.workers` processes decode the images for each of `compute.gpus` processes, which share
    the batches; the bytes of the archive depend on neither. Deletes the training's `checkpoint`.
    Returns the device. Raises InputError for weights that are not those of `record`, for damaged
    shards, if a process dies and as `camera_rows` does.
    """
    device = choose_device(compute)
    make_deterministic(device)
    torch.backends.cudnn.allow_tf32 = False  # float32 as on the CPU, see `load_network`
    model, image = load_trained(weights, record, shards)
    splits = (*TEST_SPLITS, *({WHOLE_QUERY} & split_names(shards)))
    with joined_ranks(compute, device) as ranks, explain_worker_errors(compute.workers):
        model.to(device)

        def embedded(reader: ShardReader) -> Iterator[dict[str, np.ndarray]]:
            pin = device.type == "cuda"
            batches = read_batches(reader, image, compute.workers, pin, ranks)
            own = (_round(embed_batch(model, batch, image), dtype) for batch in batches)
            return ranks.in_turn(own)

        if not ranks.first:
            for split in splits:
                deque(embedded(ShardReader(shards, split)), maxlen=0)
            return {}
        with atomic_file(features) as partial, zipfile.ZipFile(partial, "w") as archive:
            for split in splits:
                reader = ShardReader(shards, split)
                write_split(archive, split, split_labels(reader), embedded(reader))
            write_array(archive, "shards", np.array(sha256(shards / HASHES)))
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return {"device": device.type}
