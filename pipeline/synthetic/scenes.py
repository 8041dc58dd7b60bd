"""Stage: render scenes, from which SAM cuts occluders."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from pipeline.files import atomic_folder
from pipeline.options.rendered import SceneOptions
from pipeline.world.scenes import SceneMaker
from pipeline.world.workers import map_in_processes

_FAMILY = 71_000
"""First number of the seeds; SAM is trained and measured on scenes of other families."""


def render_scenes(body: Path, images: Path, options: SceneOptions, processes: int = 1) -> None:
    """Write `options.count` scenes into the folder `images`, as scene_00000.png onwards.

    Every second one is hard, see `render_scene`. The bytes of the files do not depend on the number
    of `processes`.
    """
    make = partial(SceneMaker, body, [_FAMILY, options.seed], options.size)
    scenes = map_in_processes(make, range(options.count), processes)
    with atomic_folder(images) as partial_folder:
        for index, scene in enumerate(tqdm(scenes, "scenes", options.count, mininterval=5)):
            path = partial_folder / f"scene_{index:05d}.png"
            Image.fromarray(scene.image).save(path, compress_level=1)  # four times as fast
    print(f"{images}: {options.count} scenes")
