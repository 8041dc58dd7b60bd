"""Who is seen by which camera behind what: the images of a benchmark before they are rendered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import InputError
from pipeline.options.rendered import BenchmarkOptions
from pipeline.world.crops import Occlusion

TRAIN, QUERY, TEST = "bounding_box_train", "query", "bounding_box_test"
WHOLE_BODY = "query_whole_body"
JUNK, DISTRACTOR = -1, 0  # in place of an identity's number, as in Market-1501
OCCLUSIONS: tuple[Occlusion, ...] = (None, "obstacle", "person")

_PLAN, _WHOLE_PLAN = 0, 5  # independent random streams of one seed


@dataclass(frozen=True)
class Shot:
    """One image to take. `person` is an identity's number, `JUNK` or `DISTRACTOR`."""

    folder: str
    person: int
    camera: int
    occlusion: Occlusion = None


def plan_shots(options: BenchmarkOptions) -> list[Shot]:
    """The shots of a benchmark: train, query, test, then whole-body query images.

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
    """Queries without occlusion, those of a person in different cameras."""
    rng = np.random.default_rng([options.seed, _WHOLE_PLAN])
    return [
        Shot(WHOLE_BODY, person, int(camera))
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
        others = cameras.get(shot.person, set()) - {shot.camera}
        if shot.folder in (QUERY, WHOLE_BODY) and not others:
            raise InputError(
                f"benchmark.gallery_images: identity {shot.person} has no gallery image from a "
                f"camera other than its query's (camera {shot.camera + 1}); raise it to 2 or more"
            )
