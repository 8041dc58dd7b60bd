"""The cost that DPEFormer's heads add to its backbone in training.

    python -m benchmarks.heads                # ViT-B/16, 256 x 128, 2 x 8 images, 5 rounds
    python -m benchmarks.heads --images 64    # the paper's batch, for a GPU

A training step (two views, all losses, memory update) and the forward and backward pass of timm's
backbone alternate on the same number of images, in the same precision, both without optimiser.
Needs only torch, timm, numpy, pillow and pydantic.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, optim

from benchmarks.rows import Row
from benchmarks.timing import clock_of, least_times
from pipeline.device import choose_device, choose_precision, make_deterministic
from pipeline.model.backbone import encode
from pipeline.model.build import build_model
from pipeline.model.dpeformer import DPEFormer, Features
from pipeline.model.dpsm import pool_parts, select_tokens
from pipeline.options.compute import ComputeOptions
from pipeline.options.run import BackboneOptions, RunOptions
from pipeline.training.loop import Learner, index_batch
from pipeline.training.losses import training_loss
from pipeline.training.memory import MemoryBank
from pipeline.training.optimizer import make_optimizer
from pipeline.training.views import TrainingBatch

IDENTITIES = 702
"""Training identities of Occluded-Duke."""
PER_IDENTITY = 4
LIMIT = 1.01

Memories = dict[str, MemoryBank]
Work = dict[str, Callable[[], object]]


def make_learner(options: RunOptions, precision: str, device: torch.device) -> Learner:
    """Create a network in training whose optimiser has no weights."""
    torch.manual_seed(0)
    model = build_model(options, IDENTITIES, pretrained=False, precision=precision).to(device)
    memory = MemoryBank(IDENTITIES, model.width_of("coarse")).to(device)
    no_optimizer = optim.SGD([{"params": []}], lr=1.0)
    return Learner(model.train(), {"coarse": memory}, no_optimizer, options, device)


def random_batch(images: int, options: RunOptions) -> TrainingBatch:
    """Create two views of random `images`, `PER_IDENTITY` of each identity."""
    shape = (images, 3, options.image.height, options.image.width)
    clean, second = (torch.randint(256, shape, dtype=torch.uint8) for _ in range(2))
    labels = torch.arange(images) // PER_IDENTITY
    return TrainingBatch(clean, second, labels, cameras=torch.zeros_like(labels))


def step_work(learner: Learner, batch: TrainingBatch) -> Work:
    """Return the backbone alone, with a gradient for each token, and the training step."""
    model, shape = learner.model, batch.clean.shape
    images = torch.randn(2 * shape[0], *shape[1:], device=learner.device)

    def backbone() -> None:
        model.zero_grad(set_to_none=True)
        tokens = encode(model.backbone, images, model.precision)
        torch.autograd.backward(tokens, [torch.ones_like(token) for token in tokens])

    def step() -> None:
        model.zero_grad(set_to_none=True)
        learner.step(batch)

    return {"backbone": backbone, "step": step}


def head_work(learner: Learner, batch: TrainingBatch) -> Work:
    """Return each piece that the step adds to the backbone, with its backward pass."""
    model, options, device = learner.model, learner.options, learner.device
    labels, images = batch.labels.to(device), 2 * len(batch.labels)
    width, (rows, columns) = model.backbone.num_features, model.backbone.patch_embed.grid_size

    def random(*shape: int) -> Tensor:
        return torch.randn(images, *shape, device=device, requires_grad=True)

    class_token, patches = random(width), random(rows * columns, width)
    pooled, coarse = random(model.parts, width), random(model.parts * width)
    features = Features(class_token, coarse, pooled, pooled.flatten(1), None)

    def dpsm() -> None:
        selection = select_tokens(class_token, patches)
        pool_parts(patches, selection, rows).sum().backward()

    def losses() -> None:
        _loss(model, features, labels, learner.memories).backward(retain_graph=True)

    optimizer = make_optimizer(model, options.training)
    return {
        "DPSM": dpsm,
        "FBM": lambda: model.blending(pooled, class_token).sum().backward(),
        "classifiers and losses": losses,
        "memory update": lambda: learner.memories["coarse"].update(
            coarse[: len(labels)].detach(), labels
        ),
        "(optimiser, not counted)": optimizer.step,
    }


def _loss(model: DPEFormer, features: Features, labels: Tensor, memories: Memories) -> Tensor:
    logits, clean, second = model.classify(features), slice(len(labels)), slice(len(labels), None)
    return training_loss(
        index_batch(features, clean),
        index_batch(features, second),
        index_batch(logits, clean),
        index_batch(logits, second),
        labels,
        memories,
    )["total"]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.heads", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--backbone", default="vit_base_patch16_224", help="a timm ViT")
    parser.add_argument("--images", type=int, default=8, help="images; the network sees two views")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, print and return."""
    given = parse(arguments)
    compute = ComputeOptions(device=given.device, precision=given.precision)
    device = choose_device(compute)
    make_deterministic(device)
    options = RunOptions(backbone=BackboneOptions(name=given.backbone))
    learner = make_learner(options, choose_precision(compute, device), device)
    batch = random_batch(given.images, options)
    what = (
        f"{given.backbone}, {options.image.height} x {options.image.width}, 2 x {given.images} "
        f"images, {learner.model.precision}, {device}"
    )
    print(
        f"{what}, torch {torch.__version__}, {torch.get_num_threads()} threads; the best of "
        f"{given.rounds} rounds"
    )
    clock = clock_of(device)
    times = least_times(step_work(learner, batch), given.rounds, clock)
    times |= least_times(head_work(learner, batch), given.rounds, clock)
    base, ratio = times["backbone"], times["step"] / times["backbone"]
    for name, seconds in times.items():
        print(f"{name:<24} {1e3 * seconds:10.2f} ms {100 * seconds / base:7.2f} % of the backbone")
    print(f"step / backbone: {ratio:.3f} (aim: at most {LIMIT})")
    return [Row(f"training step, {what}", ratio, "x the backbone", f"at most {LIMIT}")]


if __name__ == "__main__":
    main()
