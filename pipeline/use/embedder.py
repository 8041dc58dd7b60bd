"""Load a trained network and use it on any pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from pipeline.data.images import resize
from pipeline.device import choose_device
from pipeline.errors import InputError
from pipeline.evaluation.embed import BATCH, check_weights, embed_images, stack
from pipeline.evaluation.metrics import l2_normalise
from pipeline.files import sha256
from pipeline.model.backbone import normalise
from pipeline.model.build import load_network
from pipeline.options.compute import ComputeOptions
from pipeline.use.gallery import Gallery, read_gallery
from pipeline.use.nearest import find_nearest
from pipeline.use.pictures import Picture, Scan, decode_picture, find_pictures, name_of
from pipeline.use.threshold import Threshold, read_threshold

Device: TypeAlias = Literal["auto", "cpu", "cuda"]
Source: TypeAlias = str | Path | Gallery | Sequence[Picture]
"""A folder, a file of `Gallery.save` (.npz), a gallery, or pictures."""
GALLERY_SUFFIX = ".npz"
PROGRESS = 5.0
"""Seconds until the progress bar appears, and between its updates."""


class Matches(NamedTuple):
    """The T most similar gallery images of Q queries, best first."""

    queries: list[str]
    """Names of the queries."""
    names: list[list[str]]
    """Names of the matches of each query: T, or fewer if a search in an index found fewer."""
    similarities: list[list[float]]
    """Their cosine similarities, in -1..1."""

    def table(self, threshold: Threshold | None = None) -> pd.DataFrame:
        """Return a row per match: query, rank (from 1), match and similarity.

        With a threshold, `accepted` (bool) says whether the similarity is at least that.
        """
        rows = [
            (query, rank, name, similarity)
            for query, names, found in zip(*self, strict=True)
            for rank, (name, similarity) in enumerate(zip(names, found, strict=True), start=1)
        ]
        table = pd.DataFrame(rows, columns=["query", "rank", "match", "similarity"])
        if threshold is not None:
            table["accepted"] = table["similarity"] >= threshold.similarity
        return table


class Embedder:
    """A trained network that embeds pictures of people; it needs no labels and no cameras."""

    threshold: Threshold | None = None
    """The threshold of the run, for `Matches.table`; None: the run states none."""

    def __init__(self, weights: Path, device: Device = "auto") -> None:
        """Load `weights`, a file of the workflow; `auto` takes a GPU if there is one.

        Raises InputError as `load_network` does, and for a network with a camera embedding.
        """
        self.network, self.image = load_network(weights)
        if self.network.camera_embedding is not None:
            raise InputError(
                f"{weights}: found a network with a camera embedding, which needs the camera of "
                "each image: train with backbone.camera_embedding 0"
            )
        self.device = choose_device(ComputeOptions(device=device))
        self.network.to(self.device)
        self.feature = "coarse" if self.network.selection == "none" else "blended"
        """The test feature of the tables."""
        self.sha256 = sha256(weights)
        """SHA-256 of the weights, which features and galleries carry."""

    def embed(self, images: str | Path | Iterable[Picture]) -> np.ndarray:
        """Embed images: the network's test feature, (N, F) float32 of unit length.

        An image is a path, an image of Pillow or an array (H, W, 3) uint8 RGB, of any size. Photos
        are turned upright. A single path is a file or a folder, whose images are sorted by path.
        Raises InputError that names every image that cannot be read.
        """
        problems: list[str] = []
        images = find_pictures([images]) if isinstance(images, str | Path) else images
        features = self._embed_pixels(_decode(images, problems))
        if problems:
            raise InputError("\n".join(problems))
        return features

    def gallery(self, pictures: str | Path | Sequence[Picture]) -> Gallery:
        """Embed a folder, a file or a list of pictures; see `add`."""
        gallery = Gallery([], [], self._no_features(), self.sha256)
        self.add(gallery, pictures)
        return gallery

    def read_gallery(self, path: str | Path) -> Gallery:
        """Read a gallery that `Gallery.save` wrote; InputError for that of another network."""
        gallery = read_gallery(path)
        self._check_network(gallery, str(path))
        return gallery

    def add(self, gallery: Gallery, pictures: str | Path | Sequence[Picture]) -> None:
        """Add pictures to a gallery; only contents that it lacks are embedded.

        Unreadable pictures are reported as warnings and left out. Raises InputError if none can be
        read, if there is none, and for a gallery of another network.
        """
        self._check_network(gallery, "gallery")
        pictures = _list(pictures)
        scan = Scan(pictures, frozenset(gallery.hashes))
        features = self._embed_pixels(scan)
        if not scan.hashes:
            raise InputError(
                f"pictures: found none of {len(pictures)} readable, expected one at least: give "
                "other pictures"
            )
        gallery.add(scan.hashes, list(scan.new), features)

    def search(self, query: Source, gallery: Source, top: int = 10) -> Matches:
        """Find the `top` most similar gallery images of each query, by cosine similarity.

        Small galleries are searched exactly, those with an index approximately. Raises InputError
        as `add` does.
        """
        queries, others = self.gallery_of(query), self.gallery_of(gallery)
        similarities, rows = find_nearest(queries.features, others.features, top, others.index)
        found = [row >= 0 for row in rows]
        return Matches(
            queries.names,
            [[others.names[i] for i in row[some]] for row, some in zip(rows, found, strict=True)],
            [row[some].tolist() for row, some in zip(similarities, found, strict=True)],
        )

    def gallery_of(self, source: Source) -> Gallery:
        """Return a gallery as it is; read it from a file, or embed pictures as `gallery` does."""
        if isinstance(source, Gallery):
            self._check_network(source, "gallery")
            return source
        if isinstance(source, str | Path) and Path(source).suffix == GALLERY_SUFFIX:
            return self.read_gallery(source)
        return self.gallery(source)

    def _check_network(self, gallery: Gallery, name: str) -> None:
        if gallery.network != self.sha256:
            raise InputError(
                f"{name}: found features of the network {gallery.network[:12]}, expected those of "
                f"{self.sha256[:12]} (SHA-256 of the weights): embed the pictures again, or load "
                "the other network"
            )

    @torch.inference_mode()
    def kept_patches(self, images: Sequence[np.ndarray]) -> np.ndarray | None:
        """Return the patches that DPSM keeps, (B, rows, columns) bool; None without DPSM.

        Images are pixels (H, W, 3) uint8 of any size; the patches are a grid over the whole image.
        """
        size = (self.image.width, self.image.height)
        pixels = stack([resize(image, size) for image in images]).to(self.device)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # as for the features
            features = self.network(normalise(pixels, self.image.mean, self.image.std))
        if features.selection is None:
            return None
        kept: np.ndarray = features.selection.kept.cpu().numpy()
        return kept.reshape(-1, *self.network.backbone.patch_embed.grid_size)

    def _embed_pixels(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Embed pixels (H, W, 3) uint8 of any size: (N, F) float32 of unit length."""
        size = (self.image.width, self.image.height)
        progress = tqdm(
            images, "pictures", delay=PROGRESS, mininterval=PROGRESS, dynamic_ncols=True
        )
        resized = (resize(pixels, size) for pixels in progress)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # float32 as on the CPU
            parts = [self.embed_batch(batch) for batch in _batches(resized)]
        return np.concatenate([self._no_features(), *parts])

    @torch.inference_mode()
    def embed_batch(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Embed B images (H, W, 3) RGB of the network's own size, 0..255: (B, F) float32."""
        pixels = stack(list(images))
        return l2_normalise(embed_images(self.network, pixels, self.image)[self.feature])

    def _no_features(self) -> np.ndarray:
        return np.empty((0, self.network.width_of(self.feature)), np.float32)


def load(path: str | Path, device: Device = "auto") -> Embedder:
    """Load a trained network: the folder of a finished run, or a file of its weights alone.

    Raises InputError for an unfinished run, weights that are not those of the run's record, and as
    `Embedder` does.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"{path}: no such run or file: give the folder of a run, such as "
            "results/synthetic/dpeformer/seed0, or a file of weights"
        )
    if not path.is_dir():
        return Embedder(path, device)
    weights, record = path / "weights.safetensors", path / "run.json"
    for file in (weights, record):
        if not file.is_file():
            raise InputError(
                f"{file}: no such file, expected a finished run: train it, or resume it with the "
                "same command"
            )
    check_weights(weights, record)
    embedder = Embedder(weights, device)
    embedder.threshold = read_threshold(path, embedder.feature)
    return embedder


def _list(pictures: str | Path | Sequence[Picture]) -> Sequence[Picture]:
    """Return the pictures, with those of folders if all are paths."""
    if isinstance(pictures, str | Path):
        return find_pictures([pictures])
    paths = [picture for picture in pictures if isinstance(picture, str | Path)]
    return find_pictures(paths) if len(paths) == len(pictures) else pictures


def _decode(images: Iterable[Picture], problems: list[str]) -> Iterator[np.ndarray]:
    """Yield the pixels of readable images; append the messages of the others."""
    for position, image in enumerate(images):
        try:
            yield decode_picture(image, name_of(image, position))
        except InputError as error:
            problems.append(str(error))


def _batches(images: Iterator[np.ndarray]) -> Iterator[list[np.ndarray]]:
    while batch := list(islice(images, BATCH)):
        yield batch
