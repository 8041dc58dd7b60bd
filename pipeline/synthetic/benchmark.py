"""Stage: render a benchmark of occluded pedestrians in the layout of Market-1501.

As in Occluded-DukeMTMC, every query and a part of the gallery are occluded; as with real cameras,
the same objects stand in front of different people.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from pipeline.data.names import DISTRACTOR, JUNK
from pipeline.files import atomic_file
from pipeline.options.rendered import BenchmarkOptions
from pipeline.synthetic.plan import OCCLUSIONS, Shot, plan_shots
from pipeline.synthetic.studio import Studio
from pipeline.world.crops import Crop
from pipeline.world.workers import map_in_processes

ARCHIVE_ROOT = "Synthetic-Occluded"
"""Folder of the images in the archive."""

Job = tuple[int, Shot]
"""Number of the image, and its shot."""

Picture = tuple[int, bytes, Crop]
"""Number of the image, its JPEG file, and the crop."""


def render_benchmark(
    body: Path, archive: Path, ground_truth: Path, options: BenchmarkOptions, processes: int = 1
) -> None:
    """Write the zip `archive` of the benchmark, and its ground truth for analysis.

    The archive holds `Synthetic-Occluded/<folder>/<name>.jpg` of `options.height` pixels, half as
    wide. `ground_truth` is a .npz of `name` (M,) "<folder>/<name>.jpg", `labels` and `instances`
    (M, H, W) uint8 (see `Crop`), `occlusion` (M,) uint8 indices in `OCCLUSIONS`, `visible` (M,)
    float32 and `obstacle` (M,) the kind of the standing obstacle in front, or "". The bytes of both
    do not depend on the number of `processes`. Raises InputError for impossible options.
    """
    shots = plan_shots(options)
    names = [f"{shot.folder}/{_file_name(shot, frame)}" for frame, shot in enumerate(shots)]
    shape = (len(shots), options.height, options.height // 2)
    labels, instances = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    visible, obstacle = np.empty(len(shots), np.float32), [""] * len(shots)
    images = [b""] * len(shots)
    for frame, image, crop in _rendered(body, shots, options, processes):
        labels[frame], instances[frame] = crop.labels, crop.instances
        visible[frame], obstacle[frame] = crop.visible, crop.obstacle or ""
        images[frame] = image
    _write_archive(archive, names, images)
    occlusion = np.array([OCCLUSIONS.index(shot.occlusion) for shot in shots], np.uint8)
    with atomic_file(ground_truth) as partial_file, open(partial_file, "wb") as file:
        np.savez_compressed(
            file,
            name=np.array(names),
            labels=labels,
            instances=instances,
            occlusion=occlusion,
            visible=visible,
            obstacle=np.array(obstacle),
        )
    print(f"{len(shots)} images in {archive}")


def _write_archive(archive: Path, names: Sequence[str], images: Sequence[bytes]) -> None:
    with atomic_file(archive) as partial_file, zipfile.ZipFile(partial_file, "w") as file:
        for name, image in zip(names, images, strict=True):
            # a ZipInfo of a name alone has a fixed date; JPEGs do not compress
            file.writestr(zipfile.ZipInfo(f"{ARCHIVE_ROOT}/{name}"), image)


def _rendered(
    body: Path, shots: Sequence[Shot], options: BenchmarkOptions, processes: int
) -> Iterator[Picture]:
    """Yield all images, identity by identity, and show the progress."""
    make = partial(_Renderer, body, options)
    groups = map_in_processes(make, _by_person(shots), processes, chunk=1)
    with tqdm(desc="rendering", total=len(shots), mininterval=5, dynamic_ncols=True) as progress:
        for pictures in groups:
            yield from pictures
            progress.update(len(pictures))


def _by_person(shots: Sequence[Shot]) -> list[list[Job]]:
    """Group the shots of each identity, because making a person takes as long as an image."""
    groups: dict[tuple[int, int], list[Job]] = {}
    for frame, shot in enumerate(shots):
        alone = shot.person in (JUNK, DISTRACTOR)  # each shows somebody else
        groups.setdefault((shot.person, frame if alone else 0), []).append((frame, shot))
    return list(groups.values())


class _Renderer:
    def __init__(self, body: Path, options: BenchmarkOptions) -> None:
        self._studio = Studio(body, options)

    def __call__(self, jobs: list[Job]) -> list[Picture]:
        crops = [(frame, self._studio.take(shot, frame)) for frame, shot in jobs]
        return [(frame, _jpeg(crop.image), crop) for frame, crop in crops]


def _file_name(shot: Shot, frame: int) -> str:
    """Name an image as Market-1501 does: identity, camera and sequence, frame, detection."""
    person = "-1" if shot.person == JUNK else f"{shot.person:04d}"
    return f"{person}_c{shot.camera + 1}s1_{frame:06d}_01.jpg"


def _jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()
