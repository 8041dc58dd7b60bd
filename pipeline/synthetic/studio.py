"""People and cameras of a benchmark, and the rendering of its shots."""

from __future__ import annotations

from functools import lru_cache
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data.names import DISTRACTOR, JUNK
from pipeline.errors import InputError
from pipeline.options.rendered import BenchmarkOptions
from pipeline.synthetic.plan import Shot
from pipeline.world import Rng
from pipeline.world.body import Body
from pipeline.world.cameras import Camera, draw_camera, draw_obstacles
from pipeline.world.crops import Crop, NoRoomError, Occlusion, render_crop
from pipeline.world.people import draw_identity
from pipeline.world.person import Person

_CAMERAS, _IDENTITIES, _IMAGES, _OBSTACLES = range(1, 5)  # independent random streams of one seed
_PEOPLE = 64  # in the cache


class Studio:
    """Render any shot from its own random stream, in any order."""

    def __init__(self, body: Path, options: BenchmarkOptions) -> None:
        self._body, self._options = Body.load(body), options
        self._cameras = self._draw_cameras()
        self._person = lru_cache(_PEOPLE)(self._draw_person)

    def take(self, shot: Shot, frame: int) -> Crop:
        """Render the image number `frame` of the benchmark.

        Raises InputError if the camera has no spot with the visible fraction of the shot.
        """
        try:
            return self._shot(shot, self._random(_IMAGES, frame))
        except NoRoomError as error:
            raise InputError(
                f"benchmark.seed: camera {shot.camera + 1} has {error}: use another seed, or "
                "change benchmark.obstacles_per_camera"
            ) from error

    def _shot(self, shot: Shot, rng: Rng) -> Crop:
        camera = self._cameras[shot.camera]
        if shot.person == JUNK:
            return self._junk(camera, rng)
        if shot.person == DISTRACTOR:
            return self._distractor(camera, rng)
        other = None
        if shot.occlusion == "person":
            other = self._person(self._other_identity(shot.person, rng))
        return self._render(camera, rng, self._person(shot.person), shot.occlusion, other)

    def _random(self, *stream: int) -> Rng:
        return np.random.default_rng([self._options.seed, *stream])

    def _draw_cameras(self) -> list[Camera]:
        """Sample cameras that share the obstacles, which they get in turn."""
        options = self._options
        dealt = cycle(draw_obstacles(self._random(_OBSTACLES), options.obstacles))
        return [
            draw_camera(
                self._random(_CAMERAS, camera), list(islice(dealt, options.obstacles_per_camera))
            )
            for camera in range(options.cameras)
        ]

    def _draw_person(self, number: int) -> Person:
        return Person(self._body, draw_identity(self._random(_IDENTITIES, number)))

    def _stranger(self, rng: Rng) -> Person:
        """Sample a person who is no identity of the benchmark."""
        return Person(self._body, draw_identity(rng))

    def _render(
        self,
        camera: Camera,
        rng: Rng,
        person: Person | None,
        occlusion: Occlusion = None,
        other: Person | None = None,
    ) -> Crop:
        height = self._options.height
        return render_crop(camera, rng, (height, height // 2), person, occlusion, other)

    def _other_identity(self, person: int, rng: Rng) -> int:
        """Sample another identity of the same half (training or test)."""
        options = self._options
        count, first = options.train_identities, 1
        if person > count:
            first = count + 1
            count = options.test_identities + options.gallery_only_identities
        return first + (person - first + int(rng.integers(1, max(2, count)))) % count

    def _junk(self, camera: Camera, rng: Rng) -> Crop:
        """Render a bad detection: half a person, or nobody."""
        if rng.random() < 1 / 3:
            return self._render(camera, rng, None)
        return _half(self._render(camera, rng, self._stranger(rng)), rng)

    def _distractor(self, camera: Camera, rng: Rng) -> Crop:
        """Render a stranger, an empty scene, or an obstacle."""
        if rng.random() < 1 / 2:
            return self._render(camera, rng, self._stranger(rng))
        occlusion: Occlusion = "obstacle" if camera.standing and rng.random() < 1 / 2 else None
        return self._render(camera, rng, None, occlusion)


def _half(crop: Crop, rng: Rng) -> Crop:
    """Cut out one half of the image and enlarge it to the whole size."""
    height, width = crop.labels.shape
    boxes = ((0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1))
    left, top, right, bottom = boxes[rng.integers(len(boxes))]
    box = (left * width, top * height, right * width, bottom * height)

    def enlarge(pixels: np.ndarray, method: Image.Resampling) -> np.ndarray:
        return np.asarray(Image.fromarray(pixels).resize((width, height), method, box))

    image = enlarge(crop.image, Image.Resampling.BILINEAR)
    labels, instances = (
        enlarge(mask, Image.Resampling.NEAREST) for mask in (crop.labels, crop.instances)
    )
    visible = (instances == 1).sum() / 2 / max(1, (crop.instances == 1).sum())
    return Crop(image, labels, instances, float(visible) * crop.visible)
