"""Stage: draw a benchmark of occluded pedestrians in the layout of Market-1501.

As in Occluded-DukeMTMC, every query is occluded and so is a part of the gallery; as before real
cameras, the same objects stand in front of different people. Queries of the same people without
occlusion are scored apart.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from pipeline.cli import run_stage
from pipeline.errors import InputError
from pipeline.files import atomic_file
from pipeline.options.drawn import BenchmarkOptions
from pipeline.provenance import code_hash
from pipeline.synthetic.cameras import (
    HEIGHT,
    WIDTH,
    Camera,
    Occlusion,
    Rendered,
    make_cameras,
    render,
)
from pipeline.synthetic.people import Identity, draw_identity

ROOT = "Synthetic-Occluded"
TRAIN, QUERY, TEST = "bounding_box_train", "query", "bounding_box_test"
WHOLE_QUERY = "query_whole_body"
JUNK, DISTRACTOR = -1, 0  # in place of an identity's number, as in Market-1501
OCCLUSIONS: tuple[Occlusion, ...] = (None, "obstacle", "person")

# independent random streams of one seed
_PLAN, _CAMERAS, _IDENTITIES, _IMAGES, _WHOLE_PLAN = range(5)


@dataclass(frozen=True)
class Shot:
    """One image to take. `person` is an identity's number, `JUNK` or `DISTRACTOR`."""

    folder: str
    person: int
    camera: int
    occlusion: Occlusion = None


def draw_benchmark(archive: Path, truth: Path, options: BenchmarkOptions) -> None:
    """Write the benchmark's zip `archive` and the hidden `truth` of its images, for analysis.

    The archive holds `Synthetic-Occluded/<folder>/<name>.jpg`, 64 x 128 pixels, and, as its
    comment, the JSON of {options, code}: who has its hash knows how it was drawn. `truth` is a .npz
    of `name` (M,) "<folder>/<name>.jpg", `labels` (M, 128, 64) uint8 part labels, `occlusion` (M,)
    uint8 indices in `OCCLUSIONS` and `visible` (M,) float32. Both have the same bytes on every run.
    Raises InputError on options that no benchmark can meet.
    """
    shots = plan_shots(options)
    names = [f"{shot.folder}/{_file_name(shot, frame)}" for frame, shot in enumerate(shots)]
    studio = _Studio(options)
    labels = np.empty((len(shots), HEIGHT, WIDTH), np.uint8)
    visible = np.empty(len(shots), np.float32)
    with atomic_file(archive) as partial, zipfile.ZipFile(partial, "w") as file:
        progress = tqdm(shots, "drawing images", mininterval=5, dynamic_ncols=True)
        for frame, shot in enumerate(progress):
            taken = studio.take(shot, frame)
            labels[frame], visible[frame] = taken.labels, taken.visible
            # A ZipInfo made from a name alone has a fixed date, and JPEGs do not compress.
            file.writestr(zipfile.ZipInfo(f"{ROOT}/{names[frame]}"), _jpeg(taken.image))
        file.comment = _drawn_by(options)
    occlusion = np.array([OCCLUSIONS.index(shot.occlusion) for shot in shots], np.uint8)
    with atomic_file(truth) as partial, open(partial, "wb") as file:
        np.savez_compressed(
            file, name=np.array(names), labels=labels, occlusion=occlusion, visible=visible
        )
    print(f"{len(shots)} images in {archive}")


def plan_shots(options: BenchmarkOptions) -> list[Shot]:
    """Who is seen by which camera behind what: train, query, test, then whole-body query images.

    Training identities are numbered from 1, test identities after them, and the identities that
    are only in the gallery last. Raises InputError when a query could have no right answer.
    """
    _check(options)
    rng = np.random.default_rng([options.seed, _PLAN])
    first = options.train_identities + 1
    tested = range(first, first + options.test_identities)
    gallery = range(first, tested.stop + options.gallery_only_identities)

    def in_different_cameras(people: range, images: int) -> list[tuple[int, int]]:
        cameras = options.cameras
        return [(p, int(c)) for p in people for c in rng.permutation(cameras)[:images]]

    def anywhere(people: list[int]) -> list[tuple[int, int]]:
        return [(p, int(rng.integers(options.cameras))) for p in people]

    training = [p for p in range(1, first) for _ in range(options.train_images)]
    strangers = [DISTRACTOR] * options.distractor_images + [JUNK] * options.junk_images
    people_share = options.person_occluders
    shots = [
        *_hide(TRAIN, anywhere(training), options.train_occluded, people_share, rng),
        *_hide(
            QUERY, in_different_cameras(tested, options.queries_per_identity), 1, people_share, rng
        ),
        *_hide(
            TEST,
            in_different_cameras(gallery, options.gallery_images),
            options.gallery_occluded,
            people_share,
            rng,
        ),
        *(Shot(TEST, person, camera) for person, camera in anywhere(strangers)),
        *_whole_queries(tested, options),
    ]
    _check_matches(shots)
    return shots


def _whole_queries(tested: range, options: BenchmarkOptions) -> list[Shot]:
    """Queries without occlusion, each of a person in another camera; all else stays as it is."""
    rng = np.random.default_rng([options.seed, _WHOLE_PLAN])
    return [
        Shot(WHOLE_QUERY, person, int(camera))
        for person in tested
        for camera in rng.permutation(options.cameras)[: options.whole_queries_per_identity]
    ]


def _hide(
    folder: str,
    seen: list[tuple[int, int]],
    share: float,
    people_share: float,
    rng: np.random.Generator,
) -> list[Shot]:
    """Shots of (person, camera) pairs, exactly `share` of them occluded, at random."""
    hidden = round(share * len(seen))
    people = round(people_share * hidden)
    kinds = np.repeat([2, 1, 0], [people, hidden - people, len(seen) - hidden])  # in OCCLUSIONS
    return [
        Shot(folder, person, camera, OCCLUSIONS[kind])
        for (person, camera), kind in zip(seen, rng.permutation(kinds), strict=True)
    ]


class _Studio:
    """Takes any shot from its own random stream, so that the order does not matter."""

    def __init__(self, options: BenchmarkOptions) -> None:
        self._options = options
        rng = np.random.default_rng([options.seed, _CAMERAS])
        self._cameras = make_cameras(
            rng, options.cameras, options.obstacles, options.obstacles_per_camera
        )

    def take(self, shot: Shot, frame: int) -> Rendered:
        rng = np.random.default_rng([self._options.seed, _IMAGES, frame])
        camera = self._cameras[shot.camera]
        if shot.person == JUNK:
            return self._junk(camera, rng)
        if shot.person == DISTRACTOR:
            return self._distractor(camera, rng)
        other = self._identity(self._someone_else(shot.person, rng))
        try:
            return render(self._identity(shot.person), camera, rng, shot.occlusion, other)
        except RuntimeError as error:
            raise InputError(
                f"benchmark: no obstacle of camera {shot.camera + 1} can hide a person by half "
                f"({error}); raise `obstacles_per_camera` or take another `seed`"
            ) from error

    def _identity(self, person: int) -> Identity:
        return draw_identity(np.random.default_rng([self._options.seed, _IDENTITIES, person]))

    def _someone_else(self, person: int, rng: np.random.Generator) -> int:
        """Another identity of the same half of the benchmark."""
        options = self._options
        count, first = options.train_identities, 1
        if person > count:
            first = count + 1
            count = options.test_identities + options.gallery_only_identities
        return first + (person - first + int(rng.integers(1, max(2, count)))) % count

    def _junk(self, camera: Camera, rng: np.random.Generator) -> Rendered:
        """A bad detection: half a person, or nobody."""
        if rng.random() < 1 / 3:
            return render(None, camera, rng)
        return _half(render(draw_identity(rng), camera, rng), rng)

    def _distractor(self, camera: Camera, rng: np.random.Generator) -> Rendered:
        """Somebody who is no identity of the benchmark, or only an object."""
        if rng.random() < 1 / 2:
            return render(draw_identity(rng), camera, rng)
        occlusion: Occlusion = "obstacle" if rng.random() < 1 / 2 else "free"
        return render(None, camera, rng, occlusion, visible_range=None)


def _half(rendered: Rendered, rng: np.random.Generator) -> Rendered:
    """One half of the image, enlarged to the whole."""
    boxes = ((0, 0, 0.5, 1), (0.5, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1))
    left, top, right, bottom = boxes[rng.integers(len(boxes))]
    box = (left * WIDTH, top * HEIGHT, right * WIDTH, bottom * HEIGHT)
    size = (WIDTH, HEIGHT)
    image = Image.fromarray(rendered.image).resize(size, Image.Resampling.BILINEAR, box)
    labels = Image.fromarray(rendered.labels).resize(size, Image.Resampling.NEAREST, box)
    seen = (np.asarray(labels) > 0).sum() / 2 / max(1, (rendered.labels > 0).sum())
    return Rendered(np.asarray(image), np.asarray(labels), float(seen))


def _file_name(shot: Shot, frame: int) -> str:
    """A name of Market-1501: identity, camera and sequence, frame, detection."""
    person = "-1" if shot.person == JUNK else f"{shot.person:04d}"
    return f"{person}_c{shot.camera + 1}s1_{frame:06d}_01.jpg"


def _drawn_by(options: BenchmarkOptions) -> bytes:
    code = code_hash("pipeline.synthetic.benchmark")
    drawn_by = {"options": options.model_dump(mode="json"), "code": code}
    return json.dumps(drawn_by, sort_keys=True).encode()


def _jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def _check(options: BenchmarkOptions) -> None:
    """Raise InputError where one option asks for more than another has."""
    for wanted, available in (
        ("gallery_images", "cameras"),
        ("queries_per_identity", "cameras"),
        ("whole_queries_per_identity", "cameras"),
        ("obstacles_per_camera", "obstacles"),
    ):
        want, have = getattr(options, wanted), getattr(options, available)
        if want > have:
            raise InputError(
                f"benchmark.{wanted}: expected at most benchmark.{available} ({have}), found "
                f"{want}; lower the first or raise the second"
            )
    for split in ("train_identities", "test_identities"):
        if options.person_occluders > 0 and getattr(options, split) < 2:
            raise InputError(
                f"benchmark.{split}: expected at least 2, found 1; a person that occludes another "
                "needs a second identity: raise it or set benchmark.person_occluders to 0"
            )


def _check_matches(shots: list[Shot]) -> None:
    """Raise InputError unless every query's identity is in the gallery in another camera."""
    cameras: dict[int, set[int]] = {}
    for shot in shots:
        if shot.folder == TEST:
            cameras.setdefault(shot.person, set()).add(shot.camera)
    for shot in shots:
        asked = shot.folder in (QUERY, WHOLE_QUERY)
        if asked and not cameras.get(shot.person, set()) - {shot.camera}:
            raise InputError(
                f"benchmark.gallery_images: identity {shot.person} has no gallery image from a "
                f"camera other than its query's (camera {shot.camera + 1}); raise it to 2 or more"
            )


if __name__ == "__main__":
    run_stage(draw_benchmark)
