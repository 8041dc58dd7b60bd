"""Stage: measure the small ViT on held-out rendered people."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from pipeline.evaluation.features import Labels
from pipeline.evaluation.metrics import rank_similarities, summarise
from pipeline.evaluation.similarity import cosine_similarity
from pipeline.evaluation.token_quality import token_auc
from pipeline.files import sha256, write_json
from pipeline.model.backbone import encode
from pipeline.model.build_backbone import build_backbone
from pipeline.pretraining.small_vit import BACKBONE, IMAGE, scale_pixels
from pipeline.pretraining.vit_people import NONE, PATCH, People, person_fraction, read_people
from pipeline.world.people import ATTRIBUTES

_SIZES = [len(values) for values in ATTRIBUTES.values()]
_STRIPES, _BATCH = 4, 128
_PROBE_STEPS, _PROBE_LR = 300, 0.05


class Tokens(NamedTuple):
    """class_token (M, D) and patches (M, N, D), float32."""

    class_token: Tensor
    patches: Tensor


def report_vit(checkpoint: Path, held_out: Path, probe: Path, report: Path, seed: int = 0) -> None:
    """Write the figures of `checkpoint` (a timm state dict) as JSON.

    proxy_auc: ROC AUC of DPSM's scores (arXiv 2402.10435) for the person's patches in occluded
    images; attributes: accuracy of a linear probe on the class token, trained on the people of
    `probe`; retrieval_map: mAP in percent of occluded queries among unoccluded images, with those
    of the same camera.
    """
    options = BACKBONE.model_copy(update={"weights": str(checkpoint)})
    backbone = build_backbone(options, IMAGE).eval()
    people, probe_people = read_people(held_out), read_people(probe)
    tokens = _encode(backbone, people.images)
    classifier = fit_probe(_encode(backbone, probe_people.images).class_token, probe_people, seed)
    aucs = _token_aucs(tokens, people)
    accuracy = _attribute_accuracy(classifier, tokens.class_token, people, probe_people)
    result = {
        "checkpoint_sha256": sha256(checkpoint),
        "identities": len(people.identity.unique()),
        "images": len(people.images),
        "proxy_auc": aucs,
        "attributes": accuracy,
        "retrieval_map": _retrieval(tokens, people),
    }
    write_json(report, result)
    print(
        f"{report}: proxy AUC {aucs['patch_dot']:.3f}, attribute accuracy "
        f"{accuracy['mean']['all']:.3f}"
    )


@torch.inference_mode()
def _encode(backbone: nn.Module, images: Tensor) -> Tokens:
    batches = [
        encode(backbone, scale_pixels(batch))
        for batch in tqdm(images.split(_BATCH), desc="tokens", mininterval=5)
    ]
    return Tokens(*(torch.cat(part).clone() for part in zip(*batches, strict=True)))


def _token_aucs(tokens: Tokens, people: People) -> dict[str, float]:
    """Average over the occluded images, for scores by the proxy patch and by the class token."""
    occluded = people.occlusion != NONE
    inside = person_fraction(people.part_pixels[occluded].float() / PATCH**2) > 0.5
    aucs = {}
    for similarity in ("dot", "cosine"):
        class_token, patches = tokens.class_token[occluded], tokens.patches[occluded]
        if similarity == "cosine":
            class_token, patches = F.normalize(class_token, dim=-1), F.normalize(patches, dim=-1)
        by_class = torch.einsum("md,mnd->mn", class_token, patches)
        proxy = patches[torch.arange(len(patches)), by_class.argmax(1)]
        by_patch = torch.einsum("md,mnd->mn", proxy, patches)
        for name, scores in (("class", by_class), ("patch", by_patch)):
            parts = zip(scores.split(_BATCH), inside.split(_BATCH), strict=True)
            # NaN without a patch of the person
            aucs[f"{name}_{similarity}"] = (
                torch.cat([token_auc(*p) for p in parts]).nanmean().item()
            )
    return aucs


class Probe(nn.Module):
    """One linear layer per attribute on standardised features: (B, D) to (B, sum of classes)."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.mean, self.scale = features.mean(0), features.std(0) + 1e-6
        self.linear = nn.Linear(features.shape[1], sum(_SIZES))

    def forward(self, features: Tensor) -> Tensor:
        return self.linear((features - self.mean) / self.scale)


def fit_probe(features: Tensor, people: People, seed: int) -> Probe:
    """Fit a linear probe of the attributes that images show, on all of `people` at once."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        probe = Probe(features)
    optimizer = torch.optim.Adam(probe.parameters(), lr=_PROBE_LR, weight_decay=1e-4)
    target = people.attributes.where(people.seen, -1)
    for _ in range(_PROBE_STEPS):
        parts = probe(features).split(_SIZES, 1)
        loss = torch.stack(
            [
                F.cross_entropy(part, target[:, index], ignore_index=-1)
                for index, part in enumerate(parts)
            ]
        ).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return probe


@torch.inference_mode()
def _attribute_accuracy(
    probe: Probe, features: Tensor, people: People, probe_people: People
) -> dict[str, dict[str, float]]:
    """Compute the accuracy of each attribute and its mean: all images, occluded ones, by chance.

    Only images that show the attribute count. Chance predicts the most frequent class of the
    probe's people.
    """
    rows: dict[str, dict[str, float]] = {}
    parts = probe(features).split(_SIZES, 1)
    for index, (name, part) in enumerate(zip(ATTRIBUTES, parts, strict=True)):
        seen, occluded = people.seen[:, index], people.occlusion != NONE
        labels = people.attributes[:, index]
        correct = part.argmax(1) == labels
        most_frequent = probe_people.attributes[probe_people.seen[:, index], index].mode().values
        rows[name] = {
            "all": correct[seen].float().mean().item(),
            "hidden": correct[seen & occluded].float().mean().item(),
            "chance": (labels[seen] == most_frequent).float().mean().item(),
        }
    columns = ("all", "hidden", "chance")
    rows["mean"] = {c: float(np.mean([row[c] for row in rows.values()])) for c in columns}
    return rows


def _retrieval(tokens: Tokens, people: People) -> dict[str, float]:
    """Compute the mAP in percent without training, for class token and averaged stripes."""
    stripes = tokens.patches.unflatten(1, (_STRIPES, -1)).mean(2).flatten(1)  # (M, 4 D)
    occluded, identities = (people.occlusion != NONE).numpy(), people.identity.numpy() + 1
    # different cameras, so that no match is ignored
    query = Labels(identities[occluded], np.zeros(occluded.sum(), int))
    gallery = Labels(identities[~occluded], np.ones((~occluded).sum(), int))
    maps = {}
    for name, feature in (("class", tokens.class_token.numpy()), ("stripes", stripes.numpy())):
        similarity = cosine_similarity(feature[occluded], feature[~occluded])
        maps[name] = summarise(rank_similarities(similarity, query, gallery))["map"]
    return maps
