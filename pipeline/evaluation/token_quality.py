"""Do the scores of DPSM tell the person from the rest? Measured against the benchmark's masks.

For analysis only: nothing that is measured here has an influence on the training.
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

MOSTLY = 0.5
"""Share of a patch that must show the person, for its token to count as the person's."""


def area_under_curve(scores: Tensor, person: Tensor) -> Tensor:
    """(B,) float64: per-image ROC AUC of the token scores.

    `scores` (B, N), `person` (B, N) bool. Ties count half; NaN where all tokens are alike.
    """
    pairs = person[:, :, None] & ~person[:, None]  # (B, N, N): the person's token, another one
    gap = scores[:, :, None] - scores[:, None]
    wins = ((gap > 0) + 0.5 * (gap == 0)).double()
    return (wins * pairs).sum(dim=(1, 2)) / pairs.sum(dim=(1, 2))


class TokenQuality:
    """The area under the curve of DPSM's scores over the training images with an occlusion.

    Over all of them, where none has one.
    """

    def __init__(self, images: TrainingImages, ground_truth: Path, options: RunOptions) -> None:
        """Find the masks of `images` in `ground_truth`, which `render_benchmark` wrote.

        Raises InputError when those of an image are not there.
        """
        self._options = options
        labels, occluded = _read(ground_truth, images.keys)
        chosen = np.flatnonzero(occluded | ~occluded.any()).tolist()
        self._pixels = torch.from_numpy(np.stack([images[i] for i in chosen]))
        self._cameras = torch.from_numpy(images.cameras[chosen])
        shown = torch.from_numpy((labels > 0) & (labels != PART["obstacle"]))[chosen]  # (M, h, w)
        self._person = _token_shares(shown, options) > MOSTLY  # (M, N)

    @torch.no_grad()
    def measure(self, model: DPEFormer) -> float:
        """The mean over the images; puts `model` into eval mode."""
        model.eval()
        device = next(model.parameters()).device
        size = 2 * self._options.training.identities * self._options.training.images
        found = []
        for rows in torch.arange(len(self._pixels)).split(size):
            pixels = self._pixels[rows].permute(0, 3, 1, 2).to(device)  # (B, 3, H, W)
            images = normalise(pixels, self._options.image.mean, self._options.image.std)
            scores = model(images, self._cameras[rows].to(device)).selection.scores.cpu()
            found.append(area_under_curve(scores, self._person[rows]))
        return float(torch.cat(found).nanmean())


def _read(ground_truth: Path, keys: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Part labels (M, h, w) uint8 of the images `keys`, and which are occluded (M,) bool."""
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


def _token_shares(shown: Tensor, options: RunOptions) -> Tensor:
    """(M, N): how much of each token's patch shows the person, from masks (M, h, w) bool."""
    size = options.image.height, options.image.width
    resized = functional.interpolate(shown[:, None].float(), size, mode="area")  # (M, 1, H, W)
    patch = options.backbone.patch_size
    stride = options.backbone.stride or patch
    return functional.avg_pool2d(resized, patch, stride).flatten(1)
