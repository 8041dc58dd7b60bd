"""Stage: train the small ViT on rendered people, supervised by renderer and ImageNet network."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from timm.layers import build_sincos2d_pos_embed
from torch import Tensor, nn

from pipeline.files import sha256
from pipeline.model.backbone import encode, use_plain_attention
from pipeline.model.build_backbone import build_backbone
from pipeline.model.weights import save_weights
from pipeline.options.run import BackboneOptions, ImageOptions
from pipeline.pretraining.steps import optimise, run_resumable, warmup_cosine
from pipeline.pretraining.teacher import TeacherFeatures, read_teacher_features
from pipeline.pretraining.vit_losses import Heads, PeopleBatch, VitLosses, vit_losses
from pipeline.pretraining.vit_people import PATCH, People, read_people
from pipeline.provenance.code import code_hash, fingerprint

_WIDTH = 96
IMAGE = ImageOptions(height=128, width=64)
BACKBONE = BackboneOptions(
    name="vit_tiny_patch16_224",
    patch_size=PATCH,
    embed_dim=_WIDTH,
    depth=4,
    num_heads=3,
    mlp_ratio=3.0,
    drop_path=0.0,
)
"""The network whose weights are shipped."""

_GRID = (IMAGE.height // PATCH, IMAGE.width // PATCH)
_LR, _WEIGHT_DECAY, _CLIP_NORM = 1e-3, 0.03, 3.0
_WARMUP = 0.05  # fraction of the steps
_POSITION_SCALE, _POSITION_PERIOD = 0.7, 100.0


class VitTrainer:
    """The backbone, its heads and the optimiser."""

    def __init__(self, steps: int, seed: int) -> None:
        self.steps = steps
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # timm's initialisation takes no generator
            self.backbone = build_backbone(BACKBONE, IMAGE, pretrained=False).train()
            self.heads = Heads(_WIDTH)
        use_plain_attention(self.backbone)
        set_positions(self.backbone)
        parameters = [*self.backbone.parameters(), *self.heads.parameters()]
        self.optimizer = torch.optim.AdamW(
            parameters, lr=_LR, weight_decay=_WEIGHT_DECAY, fused=True
        )
        self.parts = {
            "backbone": self.backbone,
            "heads": self.heads,
            "optimizer": self.optimizer,
        }

    def update(self, step: int, batch: PeopleBatch, generator: torch.Generator) -> VitLosses:
        """Take one step of the optimiser."""
        with torch.autocast("cpu", torch.bfloat16):
            class_token, patches = encode(self.backbone, batch.images)
        losses = vit_losses(class_token.float(), patches.float(), self.heads, batch, generator)
        lr = _LR * warmup_cosine(step / self.steps, _WARMUP)
        optimise(self.optimizer, losses.total, lr, _CLIP_NORM)
        return losses


def set_positions(backbone: nn.Module) -> None:
    """Initialise positions by sine and cosine of row and column: few images teach none."""
    waves = build_sincos2d_pos_embed(
        list(_GRID), _WIDTH, temperature=_POSITION_PERIOD, interleave_sin_cos=True
    )
    positions = backbone.get_parameter("pos_embed")  # (1, 1 + N, D)
    with torch.no_grad():
        positions.zero_()
        positions[0, 1:] = _POSITION_SCALE * waves


def sample_people_batch(
    people: People, features: TeacherFeatures, generator: torch.Generator, identities: int = 12
) -> PeopleBatch:
    """Sample all images of random neighbours, which share cameras; mirror and jitter them."""
    rows = _neighbours(people, generator, identities)
    size = len(rows)
    mirrored = torch.rand(size, generator=generator) < 0.5
    parts = _mirror(people.part_pixels[rows].float() / PATCH**2, mirrored)
    images = scale_pixels(people.images[rows])
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    return PeopleBatch(
        _jitter_colours(images, generator),
        parts,
        people.attributes[rows],
        people.seen[rows],
        people.occlusion[rows],
        people.identity[rows],
        _mirror(features.patches[rows].float(), mirrored),
        features.images[rows].float(),
    )


def _neighbours(people: People, generator: torch.Generator, identities: int) -> Tensor:
    """Sample rows of `identities` people, half of each of two groups with shared cameras."""
    total = int(people.identity[-1]) + 1
    starts = torch.randint(total, (2,), generator=generator)
    half = identities // 2
    chosen = torch.cat(
        [(start + torch.randperm(2 * half, generator=generator)[:half]) % total for start in starts]
    )
    return torch.nonzero(torch.isin(people.identity, chosen))[:, 0]


def _mirror(tokens: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror the values (B, N, K) of patches of the images that are `mirrored` (B,)."""
    flipped = tokens.unflatten(1, _GRID).flip(2).flatten(1, 2)
    return torch.where(mirrored[:, None, None], flipped, tokens)


def _jitter_colours(images: Tensor, generator: torch.Generator) -> Tensor:
    """Jitter brightness, contrast, colour balance and saturation; blur some images."""

    def random(low: float, high: float, channels: int = 1) -> Tensor:
        values = torch.rand(len(images), channels, 1, 1, generator=generator)
        return low + (high - low) * values

    mean = images.mean((2, 3), keepdim=True)
    images = mean + (images - mean) * random(0.7, 1.3)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * random(0.6, 1.3)
    images = images * random(0.85, 1.15, 3) + random(-0.2, 0.2)
    blurred = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2.0, mode="bilinear")
    return torch.where(random(0, 1) < 0.2, blurred, images)


def scale_pixels(images: Tensor) -> Tensor:
    """Scale uint8 to float32 in [-1, 1], as mean = std = 0.5 does."""
    return images.float() / 127.5 - 1


def train_small_vit(
    people: Path, lessons: Path, weights: Path, checkpoint: Path, seed: int = 0, steps: int = 8_000
) -> None:
    """Train the small ViT on rendered `people`, with the teacher's features in `lessons`.

    Writes a timm state dict. An interrupted training resumes from `checkpoint`.
    """
    torch.set_flush_denormal(True)  # denormal gradients are slow on a CPU
    images, features = read_people(people), read_teacher_features(lessons)
    trainer = VitTrainer(steps, seed)

    def update(step: int) -> dict[str, float]:
        generator = torch.Generator().manual_seed(seed * steps + step)
        losses = trainer.update(step, sample_people_batch(images, features, generator), generator)
        return dict(zip(VitLosses._fields, torch.stack(losses).tolist(), strict=True))

    files = [sha256(people), sha256(lessons)]
    code = code_hash("pipeline.pretraining.small_vit")
    run = fingerprint({"seed": seed, "steps": steps, "files": files, "code": code})
    run_resumable("small ViT", steps, update, checkpoint, run, trainer.parts)
    save_weights(trainer.backbone, weights)
    print(f"{weights}: small ViT after {steps} steps")
