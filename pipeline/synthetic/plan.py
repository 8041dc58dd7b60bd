"""The plan of a benchmark: person, camera and occlusion of each image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.data.names import DISTRACTOR, JUNK
from pipeline.errors import InputError
from pipeline.options.rendered import BenchmarkOptions
from pipeline.world import Rng
from pipeline.world.crops import Occlusion

TRAIN, QUERY, TEST = "bounding_box_train", "query", "bounding_box_test"
WHOLE_BODY = "query_whole_body"
OCCLUSIONS: tuple[Occlusion, ...] = (None, "obstacle", "person")

Pair = tuple[int, int]
"""Person and camera."""

_PLAN, _WHOLE_PLAN = 0, 5  # independent random streams of one seed


@dataclass(frozen=True)
class Shot:
    """An image to render; `person` is an identity, `JUNK` or `DISTRACTOR`."""

    folder: str
    person: int
    camera: int
    occlusion: Occlusion = None


def plan_shots(options: BenchmarkOptions) -> list[Shot]:
    """Plan the shots of a benchmark: train, query, test, then whole-body query images.

    Training identities are numbered from 1, test identities after them, and the identities that
    are only in the gallery last. Raises InputError if a query could have no match.
    """
    _check(options)
    rng = np.random.default_rng([options.seed, _PLAN])
    first = options.train_identities + 1
    tested = range(first, first + options.test_identities)
    gallery = range(first, tested.stop + options.gallery_only_identities)

    def by_random_cameras(people: list[int]) -> list[Pair]:
        return [(p, int(rng.integers(options.cameras))) for p in people]

    def by_different_cameras(people: range, images: int, rng: Rng = rng) -> list[Pair]:
        cameras = options.cameras
        return [(p, int(c)) for p in people for c in rng.permutation(cameras)[:images]]

    def occlude(folder: str, pairs: list[Pair], fraction: float) -> list[Shot]:
        return _occlude(folder, pairs, fraction, options.person_occluders, rng)

    training = by_random_cameras([p for p in range(1, first) for _ in range(options.train_images)])
    shots = occlude(TRAIN, training, options.train_occluded)
    shots += occlude(QUERY, by_different_cameras(tested, options.queries_per_identity), 1)
    in_gallery = by_different_cameras(gallery, options.gallery_images)
    shots += occlude(TEST, in_gallery, options.gallery_occluded)
    strangers = [DISTRACTOR] * options.distractor_images + [JUNK] * options.junk_images
    shots += [Shot(TEST, *pair) for pair in by_random_cameras(strangers)]
    whole_rng = np.random.default_rng([options.seed, _WHOLE_PLAN])
    whole = by_different_cameras(tested, options.whole_queries_per_identity, whole_rng)
    shots += [Shot(WHOLE_BODY, *pair) for pair in whole]
    _check_matches(shots)
    return shots


def _occlude(
    folder: str, pairs: list[Pair], fraction: float, by_person: float, rng: Rng
) -> list[Shot]:
    """Plan shots; an exact `fraction` of them, chosen at random, is occluded."""
    occluded = round(fraction * len(pairs))
    people = round(by_person * occluded)
    counts = [people, occluded - people, len(pairs) - occluded]
    kinds = np.repeat([2, 1, 0], counts)  # in OCCLUSIONS
    return [
        Shot(folder, person, camera, OCCLUSIONS[kind])
        for (person, camera), kind in zip(pairs, rng.permutation(kinds), strict=True)
    ]


def _check(options: BenchmarkOptions) -> None:
    """Raise InputError if an option exceeds the one that limits it."""
    for option, limit in (
        ("gallery_images", "cameras"),
        ("queries_per_identity", "cameras"),
        ("whole_queries_per_identity", "cameras"),
        ("obstacles_per_camera", "obstacles"),
    ):
        value, most = getattr(options, option), getattr(options, limit)
        if value > most:
            raise InputError(
                f"benchmark.{option}: expected at most benchmark.{limit} ({most}), found {value}: "
                "lower the first or raise the second"
            )
    for split in ("train_identities", "test_identities"):
        if options.person_occluders > 0 and getattr(options, split) < 2:
            raise InputError(
                f"benchmark.{split}: expected at least 2 identities, so that one can occlude the "
                "other, found 1: raise it or set benchmark.person_occluders to 0"
            )


def _check_matches(shots: list[Shot]) -> None:
    """Raise InputError unless the gallery has every query's identity by another camera."""
    cameras: dict[int, set[int]] = {}
    for shot in shots:
        if shot.folder == TEST:
            cameras.setdefault(shot.person, set()).add(shot.camera)
    for shot in shots:
        others = cameras.get(shot.person, set()) - {shot.camera}
        if shot.folder in (QUERY, WHOLE_BODY) and not others:
            raise InputError(
                "benchmark.gallery_images: expected a gallery image of each query by another "
                f"camera, found none of identity {shot.person} (camera {shot.camera + 1}): "
                "raise it to 2 or more"
            )
