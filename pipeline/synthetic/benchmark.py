"""Stage: render a benchmark of occluded pedestrians in the layout of Market-1501.

As in Occluded-DukeMTMC, every query and a part of the gallery are occluded; as with real cameras,
the same objects stand in front of different people.
"""

from __future__ import annotations

import io
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from pipeline.data.names import JUNK
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
    jobs = list(enumerate(plan_shots(options)))
    names = [f"{shot.folder}/{_file_name(shot, frame)}" for frame, shot in jobs]
    shape = (len(jobs), options.height, options.height // 2)
    labels, instances = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    visible, obstacle = np.empty(len(jobs), np.float32), [""] * len(jobs)
    crops = map_in_processes(partial(_Renderer, body, options), jobs, processes)
    with atomic_file(archive) as partial_file, zipfile.ZipFile(partial_file, "w") as file:
        progress = tqdm(crops, "rendering", len(jobs), mininterval=5, dynamic_ncols=True)
        for frame, crop in enumerate(progress):
            labels[frame], instances[frame] = crop.labels, crop.instances
            visible[frame], obstacle[frame] = crop.visible, crop.obstacle or ""
            # a ZipInfo of a name alone has a fixed date; JPEGs do not compress
            file.writestr(zipfile.ZipInfo(f"{ARCHIVE_ROOT}/{names[frame]}"), _jpeg(crop.image))
    occlusion = np.array([OCCLUSIONS.index(shot.occlusion) for _, shot in jobs], np.uint8)
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
    print(f"{len(jobs)} images in {archive}")


class _Renderer:
    def __init__(self, body: Path, options: BenchmarkOptions) -> None:
        self._studio = Studio(body, options)

    def __call__(self, job: Job) -> Crop:
        frame, shot = job
        return self._studio.take(shot, frame)


def _file_name(shot: Shot, frame: int) -> str:
    """Name an image as Market-1501 does: identity, camera and sequence, frame, detection."""
    person = "-1" if shot.person == JUNK else f"{shot.person:04d}"
    return f"{person}_c{shot.camera + 1}s1_{frame:06d}_01.jpg"


def _jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()
