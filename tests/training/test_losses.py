"""The training loss against its formula written out in numpy, and what it trains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.model.build import build_model
from pipeline.model.dpeformer import DPEFormer, Features, Logits
from pipeline.options.run import (
    ImageOptions,
    ModelOptions,
    RunOptions,
)
from pipeline.training.losses import training_loss
from pipeline.training.memory import MemoryBank
from tests.tiny import tiny_backbone

B, P, C, F = 4, 4, 5, 6
LABELS = torch.tensor([0, 3, 3, 1])


def make_logits(generator: torch.Generator, branch: bool) -> Logits:
    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    return Logits(
        random(B, C), random(B, C), *((random(B, P, C), random(B, C)) if branch else (None,) * 2)
    )


def make_views(branch: bool) -> tuple[Features, Features, Logits, Logits, MemoryBank]:
    generator = torch.Generator().manual_seed(0)
    features = [
        Features(torch.zeros(B, 1), torch.randn(B, F, generator=generator), None, None, None)
        for _ in range(2)
    ]
    memory = MemoryBank(C, F)
    memory.start(torch.randn(C, F, generator=generator), torch.arange(C))
    return *features, make_logits(generator, branch), make_logits(generator, branch), memory


def cross_entropy(logits: Tensor, smoothing: float) -> float:
    """Mean over images (and parts) of the cross-entropy with smoothed targets."""
    terms = []
    for row, label in zip(logits.double().numpy(), LABELS.tolist(), strict=True):
        for scores in np.atleast_2d(row):
            log_p = scores - np.log(np.exp(scores).sum())
            terms.append(-(1 - smoothing) * log_p[label] - smoothing * log_p.mean())
    return float(np.mean(terms))


@pytest.mark.parametrize("branch", [True, False])
@pytest.mark.parametrize("second_is_occluded", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_equals_its_formula(branch: bool, second_is_occluded: bool, smoothing: float) -> None:
    clean, second, clean_logits, second_logits, memory = make_views(branch)
    losses = training_loss(
        clean,
        second,
        clean_logits,
        second_logits,
        LABELS,
        {"coarse": memory},
        second_weight=0.3 if second_is_occluded else 1.0,
        label_smoothing=smoothing,
    )
    names = ["global", "coarse"] + (["parts", "blended"] if branch else [])
    expected = {}
    for name in names:
        field = "global_" if name == "global" else name
        views = (getattr(clean_logits, field), getattr(second_logits, field))
        expected[f"identity_{name}"] = np.mean([cross_entropy(v, smoothing) for v in views])
    expected["contrast_coarse_clean"] = memory.loss(clean.coarse, LABELS).item()
    expected["contrast_coarse_second"] = memory.loss(second.coarse, LABELS).item()
    coarse = expected["identity_coarse"]
    whole = (coarse + expected["identity_blended"]) / 2 if branch else coarse
    weight = 0.3 if second_is_occluded else 1.0
    expected["total"] = (
        whole
        + 2 * expected["identity_global"]
        + expected.get("identity_parts", 0)
        + expected["contrast_coarse_clean"]
        + weight * expected["contrast_coarse_second"]
    )
    assert losses.keys() == expected.keys()
    for name, value in losses.items():
        assert value.item() == pytest.approx(expected[name], rel=1e-5), name


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


def contrast(features: Tensor, centres: Tensor, labels: Tensor, temperature: float) -> float:
    """Cosines, then cross-entropy, one image and one centre after the other."""
    terms = []
    for f, label in zip(features.double().numpy(), labels.tolist(), strict=True):
        cosines = [f @ m / np.linalg.norm(f) / np.linalg.norm(m) for m in centres.double().numpy()]
        powers = np.exp(np.array(cosines) / temperature)
        terms.append(-np.log(powers[label] / powers.sum()))
    return float(np.mean(terms))


def mean_cross_entropy(views: list[Tensor], labels: Tensor) -> float:
    """Over views, images and parts; each (B, C) or (B, P, C)."""
    terms = []
    for view in views:
        for scores, label in zip(view.double().numpy(), labels.tolist(), strict=True):
            for row in np.atleast_2d(scores):
                terms.append(-np.log(np.exp(row[label]) / np.exp(row).sum()))
    return float(np.mean(terms))


def random_views(seed: int, dtype: torch.dtype) -> tuple[list[Features], list[Logits], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images, parts, identities, width = torch.randint(1, 9, (4,), generator=generator).tolist()

    def random(*shape: int) -> Tensor:
        return torch.randn(images, *shape, generator=generator).to(dtype)

    features = [Features(random(1), random(width), None, None, None) for _ in range(2)]
    logits = [
        Logits(
            random(identities), random(identities), random(parts, identities), random(identities)
        )
        for _ in range(2)
    ]
    return features, logits, torch.randint(identities, (images,), generator=generator)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5), (torch.bfloat16, 0.05)]
)
@pytest.mark.parametrize("seed", range(8))
def test_random_cases_equal_the_formula_of_the_paper(
    seed: int, dtype: torch.dtype, tolerance: float
) -> None:
    """To `tolerance`, relative to a total of 10 to 40; bfloat16 has a precision of 1/256."""
    features, logits, labels = random_views(seed, dtype)
    memory = MemoryBank(logits[0].coarse.shape[1], features[0].coarse.shape[1])
    memory.centres.normal_(generator=torch.Generator().manual_seed(seed))
    memory = memory.to(dtype)
    ce = {
        name: mean_cross_entropy([getattr(v, name) for v in logits], labels)
        for name in logits[0]._fields
    }
    clean, occluded = (contrast(v.coarse, memory.centres, labels, 0.05) for v in features)
    expected = (
        (ce["coarse"] + ce["blended"]) / 2
        + 2 * ce["global_"]
        + ce["parts"]
        + clean
        + 0.3 * occluded
    )
    found = training_loss(*features, *logits, labels, {"coarse": memory})["total"]
    assert found.dtype == dtype
    assert found.item() == pytest.approx(expected, rel=tolerance)


def test_loss_passes_gradcheck() -> None:
    features, logits, labels = random_views(3, torch.float64)
    memory = MemoryBank(logits[0].coarse.shape[1], features[0].coarse.shape[1])
    memory.centres.normal_(generator=torch.Generator().manual_seed(0))
    memory = memory.double()
    inputs = [v.coarse for v in features] + [tensor for view in logits for tensor in view]

    def loss(*values: Tensor) -> Tensor:
        views = [v._replace(coarse=value) for v, value in zip(features, values[:2], strict=True)]
        scores = Logits(*values[2:6]), Logits(*values[6:])
        return training_loss(*views, *scores, labels, {"coarse": memory})["total"]

    assert torch.autograd.gradcheck(loss, [value.requires_grad_() for value in inputs])


def test_each_contrasted_feature_adds_the_loss_of_its_own_memory() -> None:
    generator = torch.Generator().manual_seed(1)
    views = [
        Features(
            torch.zeros(B, 1), *(torch.randn(B, F, generator=generator) for _ in range(3)), None
        )
        for _ in range(2)
    ]
    logits = make_logits(generator, True), make_logits(generator, True)
    memories = {name: MemoryBank(C, F) for name in ("coarse", "blended")}
    for memory in memories.values():
        memory.start(torch.randn(C, F, generator=generator), torch.arange(C))

    def total(*names: str) -> float:
        chosen = {name: memories[name] for name in names}
        return training_loss(*views, *logits, LABELS, chosen)["total"].item()

    without = total()
    for name, memory in memories.items():
        clean, second = (memory.loss(getattr(view, name), LABELS).item() for view in views)
        assert total(name) == pytest.approx(without + clean + 0.3 * second, rel=1e-5)
    both = total("coarse") + total("blended") - without
    assert total("coarse", "blended") == pytest.approx(both, rel=1e-5)
