"""The backdrop of a place: ground and walls behind people and objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.world.flats import Flat
from pipeline.world.ground_plan import GroundPlan
from pipeline.world.renderer import Ground
from pipeline.world.shade import Shade
from pipeline.world.view import Rays


@dataclass(frozen=True)
class Scenery:
    """Ground, walls and haze of a place."""

    plan: GroundPlan
    flats: Sequence[Flat]
    shade: Shade
    haze: float
    """Weight of the air in the colour of what is 100 metres away."""

    def meet(self, rays: Rays) -> Ground:
        """Return what the rays meet."""
        depth = rays.ground_depth()
        points = rays.eye + rays.directions * depth[:, None]
        normals = np.zeros_like(points)
        normals[:, 1] = 1
        ground = Ground(points, np.zeros_like(points), normals, 1.0)
        if len(points):
            self._paint(rays, depth, ground)
        return ground._replace(lit=self.shade.lit_behind(points))

    def lit(self, points: np.ndarray) -> np.ndarray:
        """Return the fraction (P,) of the sun that reaches people and props at `points` (P, 3)."""
        return self.shade.lit(points)

    def _paint(self, rays: Rays, depth: np.ndarray, ground: Ground) -> None:
        """Fill in opaque walls, the ground between them, flats with gaps, and haze, in place.

        `depth` (P,) is that of the ground and becomes that of the nearest wall.
        """
        walls = np.full(len(depth), -1)
        for number, flat in enumerate(self.flats):
            if flat.opaque:
                rows, ground.points[rows], depth[rows] = flat.hits(rays, depth)
                walls[rows], ground.normals[rows] = number, flat.normal
        rows = np.flatnonzero(walls < 0)
        if len(rows):
            points = ground.points[rows]
            albedo = self.plan.albedo(rays.subset(rows), points)
            ground.albedo[rows] = albedo * self.shade.open_sky(points)[:, None]
        for number in np.unique(walls[walls >= 0]):
            rows = np.flatnonzero(walls == number)
            hits = rays.subset(rows), ground.points[rows], depth[rows]
            ground.albedo[rows] = self.flats[number].appearance(*hits)[:, :3]
        for flat in self._screens(rays):
            _cover(flat, rays, depth, ground)
        air = np.minimum(depth * np.float32(self.haze / 100), 1)[:, None]
        ground.albedo[:] += (np.float32(0.5) - ground.albedo) * air

    def _screens(self, rays: Rays) -> list[Flat]:
        """Return the flats with gaps, farthest first."""
        middle = rays.subset(np.array([len(rays.directions) // 2]))
        screens = [flat for flat in self.flats if not flat.opaque]
        return sorted(screens, key=lambda flat: -float(flat.depth(middle)[0]))


def _cover(flat: Flat, rays: Rays, depth: np.ndarray, ground: Ground) -> None:
    """Blend a flat with gaps over what is behind it."""
    rows, points, reached = flat.hits(rays, depth)
    if not len(rows):
        return
    look = flat.appearance(rays.subset(rows), points, reached)
    ground.albedo[rows] = look[:, :3] + (1 - look[:, 3:]) * ground.albedo[rows]
    solid = look[:, 3] > 0.5
    rows = rows[solid]
    ground.points[rows], ground.normals[rows] = points[solid], flat.normal
