from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.world.body import Body
from pipeline.world.people import ATTRIBUTES, draw_identity
from pipeline.world.person import Look, Person, draw_look
from pipeline.world.poses import standing
from pipeline.world.surfaces import PART

BODY = Path("workflow/body/body.npz")


@pytest.fixture(scope="module")
def body() -> Body:
    return Body.load(BODY)


def picture(body: Body, seed: int) -> bytes:
    """Bytes of all that a renderer reads of one person."""
    rng = np.random.default_rng(seed)
    identity = draw_identity(rng)
    figure = Person(body, identity).posed(draw_look(rng, identity), 0.3, 0.5, -6)
    rows = np.arange(0, len(figure.triangles), 7)
    paint = figure.paint(rows, np.full((len(rows), 3), 1 / 3, np.float32))
    arrays = (figure.vertices, figure.triangles, figure.cut, paint.albedo, paint.normals)
    return b"".join(array.tobytes() for array in arrays)


def test_a_seed_gives_the_same_bytes_and_another_seed_another_person(body):
    assert picture(body, 3) == picture(body, 3)
    assert picture(body, 3) != picture(body, 4)


@pytest.mark.parametrize("seed", range(6))
def test_a_person_stands_on_the_ground_where_it_is_placed(body, seed):
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
    jacket = replace(identity.top, kind="jacket", ease=0.04)
    for outer in (None, jacket):
        worn = replace(identity, outer=outer)
        figure = Person(body, worn).posed(Look(standing()), 0, 0, -5)
        found = set(figure.parts.tolist())
        names = {"skin", "top", "bottom", "shoes"} | ({"outer"} if outer else set())
        assert {PART[name] for name in names} <= found
        assert (PART["outer"] in found) == (outer is not None)


def test_attributes_agree_with_what_is_worn():
    for seed in range(40):
        identity = draw_identity(np.random.default_rng(seed))
        labels = identity.attributes
        named = {name: ATTRIBUTES[name][label] for name, label in labels.items()}
        assert set(labels) == set(ATTRIBUTES)
        assert named["upper"] == (identity.outer or identity.top).kind
        assert named["lower"] == identity.bottom.kind
        assert (named["bag"] == "none") == (identity.bag is None)
        assert (named["headwear"] == "none") == (identity.headwear is None)
