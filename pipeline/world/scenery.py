"""The backdrop of a place: the ground and walls that rays meet behind people and objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.world.cone import Cone
from pipeline.world.flats import Flat
from pipeline.world.ground_plan import GroundPlan
from pipeline.world.renderer import Ground
from pipeline.world.shade import Shade


@dataclass(frozen=True)
class Scenery:
    """Ground, walls and haze of a place."""

    plan: GroundPlan
    flats: Sequence[Flat]
    shade: Shade
    haze: float
    """Weight of the air in the colour of what is 100 metres away."""

    def meet(self, eye: np.ndarray, rays: np.ndarray, pixel: float) -> Ground:
        """What the rays (P, 3) from `eye` (3,) meet; `pixel` is a pixel's size at depth 1."""
        cone = Cone(eye, rays, pixel)
        depth = cone.ground_depth()
        points = eye + rays * depth[:, None]
        normals = np.zeros_like(points)
        normals[:, 1] = 1
        ground = Ground(points, np.zeros_like(points), normals, 1.0)
        if len(rays):
            self._paint(cone, depth, ground)
        return ground._replace(lit=self.shade.lit_behind(points))

    def _paint(self, cone: Cone, depth: np.ndarray, ground: Ground) -> None:
        """Fill in opaque walls, the ground between them, flats with gaps, and haze, in place.

        `depth` (P,) is that of the ground and becomes that of the nearest wall.
        """
        walls = np.full(len(depth), -1)
        for number, flat in enumerate(self.flats):
            if flat.opaque:
                rows, ground.points[rows], depth[rows] = flat.hits(cone, depth)
                walls[rows], ground.normals[rows] = number, flat.normal
        rows = np.flatnonzero(walls < 0)
        if len(rows):
            points = ground.points[rows]
            albedo = self.plan.albedo(cone.part(rows), points)
            ground.albedo[rows] = albedo * self.shade.open_sky(points)[:, None]
        for number in np.unique(walls[walls >= 0]):
            rows = np.flatnonzero(walls == number)
            look = self.flats[number].look(cone.part(rows), ground.points[rows], depth[rows])
            ground.albedo[rows] = look[:, :3]
        for flat in self._screens(cone):
            _cover(flat, cone, depth, ground)
        air = np.minimum(depth * np.float32(self.haze / 100), 1)[:, None]
        ground.albedo[:] += (np.float32(0.5) - ground.albedo) * air

    def _screens(self, cone: Cone) -> list[Flat]:
        """Flats with gaps, farthest first."""
        middle = cone.part(np.array([len(cone.rays) // 2]))
        screens = [flat for flat in self.flats if not flat.opaque]
        return sorted(screens, key=lambda flat: -float(flat.depth(middle)[0]))


def _cover(flat: Flat, cone: Cone, depth: np.ndarray, ground: Ground) -> None:
    """Blend a flat with gaps over what is behind it."""
    rows, points, reached = flat.hits(cone, depth)
    if not len(rows):
        return
    look = flat.look(cone.part(rows), points, reached)
    ground.albedo[rows] = look[:, :3] + (1 - look[:, 3:]) * ground.albedo[rows]
    solid = look[:, 3] > 0.5
    rows = rows[solid]
    ground.points[rows], ground.normals[rows] = points[solid], flat.normal
