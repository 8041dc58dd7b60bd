"""ROC AUC of DPSM's token scores against the masks of a rendered benchmark.

For analysis only: it does not influence the training.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.data.training_images import TrainingImages
from pipeline.errors import InputError
from pipeline.model.backbone import normalise
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.run import RunOptions
from pipeline.world.surfaces import PART

PERSON_FRACTION = 0.5
"""A token counts as the person's if a larger fraction of its patch shows the person."""


def token_auc(scores: Tensor, person: Tensor) -> Tensor:
    """Compute the per-image ROC AUC of the token scores, (B,) float64.

    `scores` (B, N), `person` (B, N) bool. Ties count half; NaN if all tokens are of one class.
    """
    pairs = person[:, :, None] & ~person[:, None]  # (B, N, N): a token of the person, another one
    gap = scores[:, :, None] - scores[:, None]
    wins, ties = ((each & pairs).sum(dim=(1, 2)) for each in (gap > 0, gap == 0))
    return (wins + 0.5 * ties.double()) / pairs.sum(dim=(1, 2))


class TokenQuality:
    """Mean ROC AUC of DPSM's scores over the occluded training images; over all if none is."""

    def __init__(self, images: TrainingImages, ground_truth: Path, options: RunOptions) -> None:
        """Read the masks of `images` from `ground_truth`, written by `render_benchmark`.

        Raises InputError if an image has none.
        """
        self._options = options
        labels, occluded = _read(ground_truth, images.keys)
        chosen = np.flatnonzero(occluded | ~occluded.any()).tolist()
        self._pixels = torch.from_numpy(np.stack([images[i] for i in chosen]))
        self._cameras = torch.from_numpy(images.cameras[chosen])
        masks = torch.from_numpy((labels > 0) & (labels != PART["obstacle"]))[chosen]  # (M, h, w)
        self._person = _person_fractions(masks, options) > PERSON_FRACTION  # (M, N)

    @torch.no_grad()
    def measure(self, model: DPEFormer) -> float:
        """Return the mean over the images; leaves `model` in eval mode."""
        model.eval()
        device = next(model.parameters()).device
        size = 2 * self._options.training.identities * self._options.training.images
        aucs = []
        for rows in torch.arange(len(self._pixels)).split(size):
            pixels = self._pixels[rows].permute(0, 3, 1, 2).to(device)  # (B, 3, H, W)
            images = normalise(pixels, self._options.image.mean, self._options.image.std)
            scores = model(images, self._cameras[rows].to(device)).selection.scores.cpu()
            aucs.append(token_auc(scores, self._person[rows]))
        return float(torch.cat(aucs).nanmean())


def _read(ground_truth: Path, keys: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read part labels (M, h, w) uint8 of the images `keys`, and which are occluded (M,) bool."""
    with np.load(ground_truth, allow_pickle=False) as arrays:
        rows = {Path(name).stem: row for row, name in enumerate(arrays["name"].tolist())}
        missing = [key for key in keys if key not in rows]
        if missing:
            raise InputError(
                f"{ground_truth}: expected the masks of all training images, found none of "
                f"{missing[0]} and {len(missing) - 1} more: render the benchmark again"
            )
        chosen = [rows[key] for key in keys]
        return arrays["labels"][chosen], arrays["occlusion"][chosen] > 0


def _person_fractions(masks: Tensor, options: RunOptions) -> Tensor:
    """Compute the fraction of each token's patch in the person's masks (M, h, w) bool: (M, N)."""
    size = options.image.height, options.image.width
    resized = functional.interpolate(masks[:, None].float(), size, mode="area")  # (M, 1, H, W)
    patch = options.backbone.patch_size
    stride = options.backbone.stride or patch
    return functional.avg_pool2d(resized, patch, stride).flatten(1)
