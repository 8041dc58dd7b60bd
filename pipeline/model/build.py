"""Build the network that the configuration or a file of trained weights describes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import ValidationError

from pipeline.errors import InputError, some
from pipeline.model.backbone import use_plain_attention
from pipeline.model.build_backbone import build_backbone
from pipeline.model.cameras import CameraEmbedding
from pipeline.model.dpeformer import CLASSIFIERS, DPEFormer
from pipeline.model.weights import fill, read_described
from pipeline.options.run import ImageOptions, RunOptions

VERSION = 1
"""Version of the description in a file of trained weights."""

CPU = torch.device("cpu")


def build_model(
    options: RunOptions,
    identities: int,
    pretrained: bool,
    precision: str = "float32",
    cameras: Sequence[int] = (),
    device: torch.device = CPU,
) -> DPEFormer:
    """Build the network of a run on `device`, with a classifier for `identities` identities.

    `cameras` are the numbers of the training cameras, for `options.backbone.camera_embedding`.
    With `pretrained` the backbone starts from `options.backbone.weights`; torch's global generator
    initialises the rest. Raises InputError as `build_backbone` does.
    """
    backbone = build_backbone(options.backbone, options.image, pretrained)
    strength = options.backbone.camera_embedding
    embedding = CameraEmbedding(cameras, backbone.num_features, strength) if strength else None
    if precision == "bfloat16" and device.type == "cpu":
        use_plain_attention(backbone)
    model = DPEFormer(
        backbone,
        identities,
        precision=precision,
        camera_embedding=embedding,
        **options.model.model_dump(),
    )
    return model.to(device)


def describe(options: RunOptions, cameras: Sequence[int]) -> str:
    """Describe a trained network for `load_network`, in JSON; `cameras` as in `build_model`.

    The same network gives the same text; paths of this machine are left out.
    """
    sections = options.model_dump(mode="json", include={"image", "backbone", "model"})
    sections["backbone"] |= {"weights": None, "sha256": None}
    described = {"version": VERSION, "options": sections, "cameras": list(cameras)}
    return json.dumps(described, sort_keys=True)


def load_network(weights: Path) -> tuple[DPEFormer, ImageOptions]:
    """Load a trained network without its classifiers, in eval mode on the CPU.

    The file describes itself (see `describe`). Returns the options of the network's input too.
    The network computes in float32, whatever the precision of the training: in bfloat16 a feature
    depends on its batch, by far more than float32 rounds.
    Raises InputError for a file that is unreadable, of another version or of another network.
    """
    state, description = read_described(weights)
    options, cameras = _read_description(description, weights)
    model = build_model(options, identities=1, pretrained=False, cameras=cameras)
    for name in CLASSIFIERS:
        if hasattr(model, name):
            delattr(model, name)
    kept = {name: value for name, value in state.items() if not name.startswith(CLASSIFIERS)}
    fill(model, kept, f"{weights}: does not fit the network of its own metadata")
    return model.eval(), options.image


def _read_description(text: str, weights: Path) -> tuple[RunOptions, list[int]]:
    try:
        described = json.loads(text)
        version, cameras = described["version"], described["cameras"]
        options = RunOptions.model_validate(described["options"]) if version == VERSION else None
    except ValidationError as error:
        fields = [".".join(map(str, item["loc"])) for item in error.errors()]
        raise _other_version(weights, f"other options ({some(fields)})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise _other_version(weights, repr(error)) from None
    if options is None:
        raise _other_version(weights, f"version {version}")
    return options, cameras


def _other_version(weights: Path, found: str) -> InputError:
    return InputError(
        f"{weights}: expected the description of a network, version {VERSION}, found {found}: use "
        "it with the workflow that trained it, or train again"
    )
