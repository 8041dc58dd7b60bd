import numpy as np
import pytest

from pipeline.world.body import Body, Shape, skinned
from pipeline.world.poses import Pose, reach, rotations, standing, walking


def posed(body: Body, pose: Pose) -> np.ndarray:
    shape = body.shaped(Shape(0.05, 0, 0, 0))
    transforms = body.bone_transforms(shape.joints, rotations(body, pose))
    return skinned(shape.vertices, body.skin, transforms)


def feet(body: Body, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left, right = (body.weight_of(f"foot_{side}", f"ball_{side}") > 0.5 for side in "lr")
    return vertices[left], vertices[right]


def test_legs_alternate_in_walking(body):
    for phase, front in ((0.0, 0), (0.5, 1)):
        steps = [foot[:, 2].mean() for foot in feet(body, posed(body, walking(phase)))]
        assert steps[front] - steps[1 - front] > 0.5


def test_walking_without_stride_is_standing(body):
    left, right = feet(body, posed(body, walking(0.3, stride=0)))
    assert abs(left[:, 2].mean() - right[:, 2].mean()) < 0.02
    assert abs(left[:, 1].min() - right[:, 1].min()) < 0.02


def test_arms_swing_opposite_to_the_legs(body):
    left, right = feet(body, vertices := posed(body, walking(0.0)))
    hands = [vertices[body.weight_of(f"hand_{side}") > 0.5][:, 2].mean() for side in "lr"]
    assert left[:, 2].mean() > right[:, 2].mean()
    assert hands[0] < hands[1]


def test_both_feet_are_near_the_ground_in_standing(body):
    for weight in (-1, 0, 1):
        left, right = feet(body, posed(body, standing(weight)))
        assert abs(left[:, 1].min() - right[:, 1].min()) < 0.08


@pytest.mark.parametrize(("weight", "relaxed"), [(1, "l"), (-1, "r")])
def test_leg_without_weight_bends(body, weight, relaxed):
    vertices = posed(body, standing(weight))
    ahead = {side: vertices[body.weight_of(f"calf_{side}") > 0.5][:, 2].max() for side in "lr"}
    assert max(ahead, key=lambda side: ahead[side]) == relaxed
    assert abs(ahead["l"] - ahead["r"]) > 0.03


def test_limb_reaches_its_goal():
    goal = np.array([0.2, -0.1, 0.3])
    upper, lower = reach(goal, (0.3, 0.25), np.array([0, -1.0, 0]))
    np.testing.assert_allclose(0.3 * upper + 0.25 * lower, goal, atol=1e-9)
    assert upper[1] < lower[1]
