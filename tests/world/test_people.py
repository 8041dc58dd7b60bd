from dataclasses import replace

import numpy as np
import pytest

from pipeline.world.body import Body
from pipeline.world.clothes import UpperGarment
from pipeline.world.looks import ACTIVITIES, Look, draw_look
from pipeline.world.people import ATTRIBUTES, draw_identity
from pipeline.world.person import Person
from pipeline.world.poses import standing
from pipeline.world.surfaces import PART, Surface


def jacket_over(top: UpperGarment) -> UpperGarment:
    return replace(top, kind="jacket", ease=0.04)


def picture(body: Body, seed: int) -> bytes:
    """Return the bytes of all that a renderer reads of one person."""
    rng = np.random.default_rng(seed)
    identity = draw_identity(rng)
    figure = Person(body, identity).posed(draw_look(rng, identity), 0.3, 0.5, -6)
    rows = np.arange(0, len(figure.triangles), 7)
    paint = figure.paint(rows, np.full((len(rows), 3), 1 / 3, np.float32))
    arrays = (figure.vertices, figure.triangles, figure.cut, paint.albedo, paint.normals)
    return b"".join(array.tobytes() for array in arrays)


def test_person_is_determined_by_its_seed(body):
    assert picture(body, 3) == picture(body, 3)
    assert picture(body, 3) != picture(body, 4)


@pytest.mark.parametrize("seed", range(6))
def test_person_stands_on_the_ground_at_its_position(body, seed):
    rng = np.random.default_rng(seed)
    identity = draw_identity(rng)
    figure = Person(body, identity).posed(draw_look(rng, identity), 1.0, 2.0, -8.0)
    assert figure.vertices[:, 1].min() == 0
    middle = (figure.vertices.min(0) + figure.vertices.max(0)) / 2
    assert np.abs(middle[[0, 2]] - [2, -8]).max() < 0.5
    assert figure.vertices.dtype == np.float32
    assert len(figure.triangles) < 12_000


def test_each_garment_has_triangles_of_its_part(body):
    identity = draw_identity(np.random.default_rng(0))
    for outer in (None, jacket_over(identity.top)):
        worn = replace(identity, outer=outer)
        figure = Person(body, worn).posed(Look(standing()), 0, 0, -5)
        found = set(figure.parts.tolist())
        assert {PART[name] for name in ("skin", "top", "bottom", "shoes")} <= found
        assert (PART["outer"] in found) == (outer is not None)


def test_attributes_agree_with_the_clothes():
    for seed in range(40):
        identity = draw_identity(np.random.default_rng(seed))
        labels = identity.attributes
        named = {name: ATTRIBUTES[name][label] for name, label in labels.items()}
        assert set(labels) == set(ATTRIBUTES)
        assert named["upper"] == (identity.outer or identity.top).kind
        assert named["lower"] == identity.bottom.kind
        assert (named["bag"] == "none") == (identity.bag is None)
        assert (named["headwear"] == "none") == (identity.headwear is None)


def points_of(figure: Surface, part: str) -> np.ndarray:
    return figure.vertices[figure.triangles[figure.parts == PART[part]]].reshape(-1, 3)


@pytest.mark.parametrize("activity", ["phone", "suitcase", "box", "child", "baby", "shopping"])
def test_held_thing_is_a_surface_near_the_person(body, activity):
    rng = np.random.default_rng(2)
    identity = draw_identity(rng)
    look = draw_look(rng, identity, activity)
    figure, thing = Person(body, identity).surfaces(look, 0.5, 0, -6)
    centres = [(s.vertices.min(0) + s.vertices.max(0)) / 2 for s in (figure, thing)]
    assert 0.05 < np.linalg.norm(centres[0] - centres[1]) < 1.2
    assert thing.vertices[:, 1].min() > -0.01
    if activity == "suitcase":
        assert thing.vertices[:, 1].min() < 0.01


def test_raised_hood_replaces_the_lowered_one(body):
    identity = draw_identity(np.random.default_rng(5))
    identity = replace(identity, outer=None, top=replace(identity.top, hood=True), headwear=None)
    person = Person(body, identity)
    looks = [Look(standing(), hood_up=raised) for raised in (True, False)]
    up, down = (person.posed(look, 0, 0, -5) for look in looks)
    assert set(up.parts.tolist()) == set(down.parts.tolist())
    assert len(up.triangles) != len(down.triangles)


def test_open_jacket_has_a_hole_in_front(body):
    identity = draw_identity(np.random.default_rng(0))
    identity = replace(identity, outer=jacket_over(identity.top))
    person = Person(body, identity)
    closed, opened = (
        person.posed(Look(standing(), jacket_open=width), 0, 0, -5) for width in (0.0, 0.15)
    )
    newly = (opened.cut < 0) & (closed.cut >= 0)
    assert newly.any()
    assert (opened.vertices[newly][:, 2] > -5).all()


def test_hands_of_a_cyclist_are_on_the_handlebar(body):
    identity = draw_identity(np.random.default_rng(100))
    look = draw_look(np.random.default_rng(1), identity, "riding")
    person = Person(body, replace(identity, bag=None))
    figure, bicycle = person.surfaces(look, 0, 0, 0)
    assert set(bicycle.parts.tolist()) == {PART["vehicle"]}
    assert abs(bicycle.vertices[:, 1].min()) < 0.01
    assert points_of(figure, "shoes")[:, 1].min() > 0.03
    skin = points_of(figure, "skin")
    hands = skin[skin[:, 1] < 1.25]
    top_of_bar = bicycle.vertices[np.abs(bicycle.vertices[:, 0]) > 0.25][:, 1].max()
    assert len(hands) > 0
    assert np.abs(hands[:, 1] - top_of_bar).min() < 0.05


def test_rider_of_a_scooter_stands_on_the_deck(body):
    identity = replace(draw_identity(np.random.default_rng(100)), bag=None)
    look = draw_look(np.random.default_rng(1), identity, "scooter")
    figure, scooter = Person(body, identity).surfaces(look, 0, 0, 0)
    shoes = points_of(figure, "shoes")
    beside_wheels = scooter.vertices[np.abs(scooter.vertices[:, 0]) > 0.05][:, 1]
    deck = beside_wheels[beside_wheels < 0.3].max()
    assert abs(shoes[:, 1].min() - deck) < 0.02
    assert abs(scooter.vertices[:, 1].min()) < 0.01


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_people_can_be_painted_in_all_activities(body, activity):
    rng = np.random.default_rng([len(activity), ord(activity[0])])
    for _ in range(2):
        identity = draw_identity(rng)
        person = Person(body, identity)
        surfaces = person.surfaces(draw_look(rng, identity, activity), 0.4, 0.5, -6)
        worn = set(surfaces[0].parts.tolist())
        assert (PART["bag"] in worn) == (identity.bag is not None)
        assert (PART["headwear"] in worn) == (identity.headwear is not None)
        for surface in surfaces:
            rows = np.arange(0, len(surface.triangles), 3)
            paint = surface.paint(rows, np.full((len(rows), 3), 1 / 3, np.float32))
            assert np.isfinite(surface.vertices).all()
            assert np.isfinite(paint.normals).all()
            assert paint.albedo.dtype == np.float32
            assert paint.albedo.min() >= 0
            assert paint.albedo.max() < 1
