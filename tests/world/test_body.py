import numpy as np

from pipeline.files import sha256
from pipeline.world.body import Shape, skinned, vertex_normals
from pipeline.world.poses import rotations, walking
from tests.world.conftest import BODY

ADULT = Shape(female=0.3, weight=0.2, height=0.1, age=0.2)


def test_identity_rotations_do_not_move_vertices(body):
    shape = body.shaped(ADULT)
    still = np.tile(np.eye(3), (len(body.bones), 1, 1))
    found = skinned(shape.vertices, body.skin, body.bone_transforms(shape.joints, still))
    np.testing.assert_allclose(found, shape.vertices, atol=1e-6)


def test_skinning_equals_loop_over_vertices_and_bones(body):
    shape = body.shaped(ADULT)
    transforms = body.bone_transforms(shape.joints, rotations(body, walking(0.2)))
    found = skinned(shape.vertices, body.skin, transforms)
    for vertex in range(0, len(found), 97):
        x = np.append(shape.vertices[vertex], 1).astype(np.float64)
        influences = zip(body.skin.bones[vertex], body.skin.weights[vertex].tolist(), strict=True)
        expected = sum(weight * (transforms[bone] @ x) for bone, weight in influences)
        np.testing.assert_allclose(found[vertex], expected, atol=1e-5)


def test_height_follows_the_factors_of_the_shape(body):
    def height(**changes: float) -> float:
        values = {"female": 0.0, "weight": 0.0, "height": 0.0, "age": 0.0} | changes
        return float(np.ptp(body.shaped(Shape(**values)).vertices[:, 1]))

    assert 1.65 < height() < 1.85
    assert height(height=0.3) > height() > height(height=-0.3)
    assert height(female=1) < height()
    assert height(age=-0.8) < 1.5


def test_normals_have_unit_length_and_point_outwards(body):
    vertices = body.shaped(ADULT).vertices
    normals = vertex_normals(vertices, body.triangles)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    outwards = (vertices - vertices.mean(0)) * [1, 0, 1]
    trunk = body.weight_of("spine_01", "spine_02") > 0.5
    assert ((normals * outwards).sum(1)[trunk] > 0).mean() > 0.95
    assert normals.dtype == np.float32


def test_readme_of_the_body_has_the_hash_of_the_file():
    assert sha256(BODY) in BODY.with_name("README.md").read_text()
