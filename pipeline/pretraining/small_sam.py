"""Training of the small SAM on rendered scenes: its supervision is the renderer's own masks."""

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
from pipeline.pretraining.sam_losses import Losses, batch_losses
from pipeline.pretraining.sam_scenes import SceneBatch, read_scenes, sample_batch
from pipeline.pretraining.schedule import warm_cosine
from pipeline.pretraining.steps import run_steps
from pipeline.provenance.code import code_hash, fingerprint

_LR, _WEIGHT_DECAY, _CLIP_NORM = 2e-3, 0.02, 1.0
_WARMUP = 0.03  # share of the steps with a rising learning rate
_SOFT = 1 / 3  # share of the steps until the mask loss is focal
_AVERAGE = 0.998  # of the weights that are kept
_IMAGES, _POINTS = 8, 6


class Trainer:
    """The model, its outline head, the optimiser and the running average of the weights."""

    def __init__(self, steps: int, seed: int) -> None:
        self.steps = steps
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # the layers of segment-anything take no generator
            self.model = initialised(small_sam()).train()
            self.outline = nn.Conv2d(self.model.mask_decoder.transformer_dim, 36, 1)
        self.average = copy.deepcopy(self.model).eval()
        self.parameters = [*self.model.parameters(), *self.outline.parameters()]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=_LR, weight_decay=_WEIGHT_DECAY, fused=True
        )
        self.parts = {
            "model": self.model,
            "outline": self.outline,
            "average": self.average,
            "optimizer": self.optimizer,
        }

    def update(self, step: int, batch: SceneBatch) -> Losses:
        """One step of the optimiser."""
        for group in self.optimizer.param_groups:
            group["lr"] = _LR * warm_cosine(step / self.steps, _WARMUP)
        sharpness = min(1.0, step / (_SOFT * self.steps))
        losses = batch_losses(self.model, self.outline, batch, sharpness)
        self.optimizer.zero_grad()
        losses.total.backward()
        nn.utils.clip_grad_norm_(self.parameters, _CLIP_NORM)
        self.optimizer.step()
        # A short memory at first, or the average would remember the initial weights.
        keep = min(_AVERAGE, (step + 1) / (step + 10))
        torch._foreach_lerp_(_values(self.average), _values(self.model), 1 - keep)
        return losses


def _values(model: nn.Module) -> list[Tensor]:
    return [parameter.data for parameter in model.parameters()]


def initialised(model: Sam) -> Sam:
    """Let attention start by position: without this a short training finds no object.

    The decoder's cross-attentions get equal query and key projections, so that a prompt first
    looks at its own place, and the encoder's positions are a two-dimensional sine and cosine.
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
    """(1, side, side, channels): a quarter each for sine and cosine of y and of x."""
    frequency = 100 ** -(torch.arange(channels // 4) / (channels // 4))
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    waves = [
        wave(place[..., None] * frequency) for place in (y, x) for wave in (torch.sin, torch.cos)
    ]
    return torch.cat(waves, -1)[None]


def train_small_sam(
    scenes: Path, weights: Path, checkpoint: Path, seed: int = 0, steps: int = 12_000
) -> None:
    """Train the small SAM on rendered `scenes` and write its averaged weights (safetensors).

    A training that was stopped resumes from `checkpoint`.
    """
    torch.set_flush_denormal(True)  # tiny gradients are many times slower on a CPU otherwise
    data, trainer = read_scenes(scenes), Trainer(steps, seed)

    def update(step: int) -> dict[str, float]:
        batch = sample_batch(data, np.random.default_rng([seed, step]), _IMAGES, _POINTS)
        losses = trainer.update(step, batch)
        return dict(zip(Losses._fields, torch.stack(losses).tolist(), strict=True))

    code = code_hash("pipeline.pretraining.small_sam")
    run = fingerprint({"seed": seed, "steps": steps, "files": [sha256(scenes)], "code": code})
    run_steps("small SAM", steps, update, checkpoint, run, trainer.parts)
    save_weights(trainer.average, weights)
    print(f"{weights}: small SAM after {steps} steps")
