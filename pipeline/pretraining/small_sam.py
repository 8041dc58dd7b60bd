"""Stage: train the small SAM on rendered scenes, supervised by the renderer's masks."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn

from pipeline.files import sha256
from pipeline.model.weights import save_weights
from pipeline.occluders.sam import small_sam
from pipeline.pretraining.sam_losses import SamLosses, sam_losses
from pipeline.pretraining.sam_scenes import SceneBatch, read_scenes, sample_scene_batch
from pipeline.pretraining.steps import optimise, run_resumable, warmup_cosine
from pipeline.provenance.code import code_hash, fingerprint

_LR, _WEIGHT_DECAY, _CLIP_NORM = 2e-3, 0.02, 1.0
_WARMUP = 0.03  # fraction of the steps
_FOCAL_START = 1 / 3  # fraction of the steps after which the mask loss is focal
_AVERAGE_DECAY = 0.998
_IMAGES, _POINTS = 8, 6


class SamTrainer:
    """The model, its outline head, the optimiser and the running average of the weights."""

    def __init__(self, steps: int, seed: int) -> None:
        self.steps = steps
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # the layers of segment-anything take no generator
            self.model = initialise(small_sam()).train()
            self.outline = nn.Conv2d(self.model.mask_decoder.transformer_dim, 36, 1)
        self.average = copy.deepcopy(self.model).eval()
        parameters = [*self.model.parameters(), *self.outline.parameters()]
        self.optimizer = torch.optim.AdamW(
            parameters, lr=_LR, weight_decay=_WEIGHT_DECAY, fused=True
        )
        self.parts = {
            "model": self.model,
            "outline": self.outline,
            "average": self.average,
            "optimizer": self.optimizer,
        }

    def update(self, step: int, batch: SceneBatch) -> SamLosses:
        """Take one step of the optimiser."""
        focal_fraction = min(1.0, step / (_FOCAL_START * self.steps))
        losses = sam_losses(self.model, self.outline, batch, focal_fraction)
        lr = _LR * warmup_cosine(step / self.steps, _WARMUP)
        optimise(self.optimizer, losses.total, lr, _CLIP_NORM)
        # a lower decay at first, so that the average forgets the initial weights
        decay = min(_AVERAGE_DECAY, (step + 1) / (step + 10))
        torch._foreach_lerp_(_parameters(self.average), _parameters(self.model), 1 - decay)
        return losses


def _parameters(model: nn.Module) -> list[Tensor]:
    return [parameter.data for parameter in model.parameters()]


def initialise(model: Sam) -> Sam:
    """Initialise attention by position; without this a short training finds no object.

    The decoder's cross-attentions get equal query and key projections, so that a prompt attends to
    its own position, and the encoder's positions are a two-dimensional sine and cosine.
    """
    transformer = model.mask_decoder.transformer
    attentions = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        attentions += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    with torch.no_grad():
        for attention in attentions:
            attention.q_proj.weight.mul_(3)
            attention.k_proj.weight.copy_(attention.q_proj.weight)
        positions = model.image_encoder.pos_embed  # (1, G, G, D)
        positions.copy_(0.5 * _sincos(positions.shape[1], positions.shape[3]))
    return model


def _sincos(side: int, channels: int) -> Tensor:
    """Encode y and x by sine and cosine, a quarter of the channels each: (1, side, side, C)."""
    frequency = 100 ** -(torch.arange(channels // 4) / (channels // 4))
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    waves = [
        wave(axis[..., None] * frequency) for axis in (y, x) for wave in (torch.sin, torch.cos)
    ]
    return torch.cat(waves, -1)[None]


def train_small_sam(
    scenes: Path, weights: Path, checkpoint: Path, seed: int = 0, steps: int = 12_000
) -> None:
    """Train the small SAM on rendered `scenes` and write its averaged weights (safetensors).

    An interrupted training resumes from `checkpoint`.
    """
    torch.set_flush_denormal(True)  # denormal gradients are slow on a CPU
    data, trainer = read_scenes(scenes), SamTrainer(steps, seed)

    def update(step: int) -> dict[str, float]:
        batch = sample_scene_batch(data, np.random.default_rng([seed, step]), _IMAGES, _POINTS)
        losses = trainer.update(step, batch)
        return dict(zip(SamLosses._fields, torch.stack(losses).tolist(), strict=True))

    code = code_hash("pipeline.pretraining.small_sam")
    run = fingerprint({"seed": seed, "steps": steps, "files": [sha256(scenes)], "code": code})
    run_resumable("small SAM", steps, update, checkpoint, run, trainer.parts)
    save_weights(trainer.average, weights)
    print(f"{weights}: small SAM after {steps} steps")
