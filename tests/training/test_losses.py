"""The training loss against its formula written out in numpy, and what it trains."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.model.build import build_model
from pipeline.model.dpeformer import DPEFormer, Features, Logits
from pipeline.options.run import ImageOptions, ModelOptions, RunOptions
from pipeline.training.losses import training_loss
from pipeline.training.memory import MemoryBank
from tests.tiny import tiny_backbone

B, C = 4, 5
LABELS = torch.tensor([0, 3, 3, 1])


class Case(NamedTuple):
    """Random arguments of the loss: two views, their logits, labels and memory banks."""

    features: list[Features]
    logits: list[Logits]
    labels: Tensor
    memories: dict[str, MemoryBank]


def random_case(seed: int, dtype: torch.dtype = torch.float32, branch: bool = True) -> Case:
    """Make a case of random sizes; without `branch` there are no blended parts."""
    generator = torch.Generator().manual_seed(seed)
    images, parts, identities, width = torch.randint(1, 9, (4,), generator=generator).tolist()

    def random(*shape: int) -> Tensor:
        return torch.randn(images, *shape, generator=generator).to(dtype)

    def random_logits() -> Logits:
        blended = (random(parts, identities), random(identities)) if branch else (None, None)
        return Logits(random(identities), random(identities), *blended)

    memories = {name: MemoryBank(identities, width) for name in ("coarse", "blended")}
    for memory in memories.values():
        memory.centres.normal_(generator=generator)
    return Case(
        [Features(random(1), random(width), None, random(width), None) for _ in range(2)],
        [random_logits() for _ in range(2)],
        torch.randint(identities, (images,), generator=generator),
        {name: memory.to(dtype) for name, memory in memories.items()},
    )


def loss_of(case: Case, *names: str, **weights: float) -> dict[str, Tensor]:
    """Return the losses with the contrast of the features `names`."""
    memories = {name: case.memories[name] for name in names}
    return training_loss(*case.features, *case.logits, case.labels, memories, **weights)


def cross_entropy(views: list[Tensor], labels: Tensor, smoothing: float) -> float:
    """Mean over views, images and parts, with smoothed targets; each view (B, C) or (B, P, C)."""
    terms = []
    for view in views:
        for image, label in zip(view.double().numpy(), labels.tolist(), strict=True):
            for scores in np.atleast_2d(image):
                log_p = scores - np.log(np.exp(scores).sum())
                terms.append(-(1 - smoothing) * log_p[label] - smoothing * log_p.mean())
    return float(np.mean(terms))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5), (torch.bfloat16, 0.05)]
)
@pytest.mark.parametrize("seed", range(16))
def test_loss_equals_its_formula(seed: int, dtype: torch.dtype, tolerance: float) -> None:
    """To `tolerance`, relative to a total of 10 to 40; bfloat16 has a precision of 1/256."""
    branch, weight, smoothing = seed % 2 == 0, (0.3, 1.0)[seed // 2 % 2], (0.0, 0.1)[seed // 4 % 2]
    case = random_case(seed, dtype, branch)
    losses = loss_of(case, "coarse", second_weight=weight, label_smoothing=smoothing)
    identity = {
        name: cross_entropy([getattr(view, name) for view in case.logits], case.labels, smoothing)
        for name in (Logits._fields if branch else Logits._fields[:2])
    }
    clean, second = (
        case.memories["coarse"].loss(view.coarse, case.labels).item() for view in case.features
    )
    whole = [identity[name] for name in ("coarse", "blended") if name in identity]
    expected = {f"identity_{name.rstrip('_')}": value for name, value in identity.items()}
    expected |= {"contrast_coarse_clean": clean, "contrast_coarse_second": second}
    expected["total"] = (
        np.mean(whole)
        + 2 * identity["global_"]
        + identity.get("parts", 0)
        + clean
        + weight * second
    )
    assert losses.keys() == expected.keys()
    assert losses["total"].dtype == dtype
    for name, value in losses.items():
        assert value.item() == pytest.approx(expected[name], rel=tolerance, abs=tolerance), name


def tiny_model(**values: object) -> DPEFormer:
    torch.manual_seed(0)
    options = RunOptions(
        image=ImageOptions(height=64, width=32),
        backbone=tiny_backbone(),
        model=ModelOptions(**({"k_min": 6} | values)),
    )
    return build_model(options, C, pretrained=False)


@pytest.mark.parametrize(
    "values", [{}, {"selection": "none"}, {"fusion": "none"}, {"order": "stripe"}]
)
def test_all_weights_but_frozen_biases_get_a_gradient(values: dict) -> None:
    model = tiny_model(**values).train()
    views = [model(torch.randn(B, 3, 64, 32)) for _ in range(2)]
    logits = [model.classify(view) for view in views]
    memory = MemoryBank(C, views[0].coarse.shape[1])
    memory.start(torch.randn(C, memory.centres.shape[1]), torch.arange(C))
    losses = training_loss(*views, *logits, LABELS, {"coarse": memory})
    losses["total"].backward()
    idle = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert idle == {
        f"{neck}_neck.bias" for neck in ("coarse", "blended") if hasattr(model, f"{neck}_neck")
    }
    assert all(w.grad.isfinite().all() for w in model.parameters() if w.grad is not None)


def test_loss_passes_gradcheck() -> None:
    case = random_case(3, torch.float64)
    inputs = [view.coarse for view in case.features] + [
        each for view in case.logits for each in view
    ]

    def loss(*values: Tensor) -> Tensor:
        views = [v._replace(coarse=new) for v, new in zip(case.features, values[:2], strict=True)]
        scores = [Logits(*values[2:6]), Logits(*values[6:])]
        return loss_of(case._replace(features=views, logits=scores), "coarse")["total"]

    assert torch.autograd.gradcheck(loss, [value.requires_grad_() for value in inputs])


def test_each_contrasted_feature_adds_the_loss_of_its_own_memory() -> None:
    case = random_case(1)

    def total(*names: str) -> float:
        return loss_of(case, *names)["total"].item()

    without = total()
    for name, memory in case.memories.items():
        clean, second = (memory.loss(getattr(v, name), case.labels).item() for v in case.features)
        assert total(name) == pytest.approx(without + clean + 0.3 * second, rel=1e-5)
    both = total("coarse") + total("blended") - without
    assert total("coarse", "blended") == pytest.approx(both, rel=1e-5)
