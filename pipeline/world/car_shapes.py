"""Measurements of cars: a saloon, a hatchback, an estate, an SUV and a van."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Point = tuple[float, float]


class CarShape(NamedTuple):
    """A body in metres: x from its middle to the front, y from the ground."""

    half_width: float
    wheel: float
    """Radius of the wheels."""
    axles: Point
    """x of the rear and the front axle."""
    sill: float
    """Height of the lower edge."""
    tail: Point
    """Upper edge of the rear end."""
    boot: Point
    rear_base: Point
    """Lower edge of the rear window."""
    rear_top: Point
    peak: Point
    screen_top: Point
    """Upper edge of the windscreen."""
    cowl: Point
    """Lower edge of the windscreen."""
    nose: Point
    """Upper edge of the front end."""
    belt: tuple[float, float, float]
    """Height of the shoulder at the tail, in the middle and at the nose."""
    roof: float
    """Width of the roof as a fraction of the body's."""
    doors: tuple[float, ...]
    """x of the gaps between doors, from the rear."""
    side_glass: Point
    """x where the side windows begin and end."""
    cladding: bool = False
    """Whether the lower edge is black plastic."""
    rails: float = 0.0
    """Probability of rails on the roof."""

    def varied(self, rng: np.random.Generator) -> CarShape:
        """Vary length and height by 5 and 3 %, the width by 3 %."""
        long, high = rng.uniform(0.95, 1.05), rng.uniform(0.97, 1.03)
        points: dict[str, Any] = {}
        for name in PROFILE:
            x, y = getattr(self, name)
            points[name] = (x * long, y * high)
        rear, middle, front = self.belt
        return self._replace(
            axles=(self.axles[0] * long, self.axles[1] * long),
            belt=(rear * high, middle * high, front * high),
            doors=tuple(door * long for door in self.doors),
            side_glass=(self.side_glass[0] * long, self.side_glass[1] * long),
            half_width=self.half_width * rng.uniform(0.97, 1.03),
            **points,
        )


PROFILE = ("tail", "boot", "rear_base", "rear_top", "peak", "screen_top", "cowl", "nose")
"""Points of the upper edge in side view, from the rear."""

SALOON = CarShape(
    half_width=0.9,
    wheel=0.32,
    axles=(-1.35, 1.40),
    sill=0.24,
    tail=(-2.26, 0.98),
    boot=(-2.16, 1.03),
    rear_base=(-1.78, 1.07),
    rear_top=(-1.02, 1.37),
    peak=(-0.35, 1.44),
    screen_top=(0.22, 1.39),
    cowl=(1.02, 0.99),
    nose=(2.16, 0.70),
    belt=(0.93, 0.95, 0.66),
    roof=0.66,
    doors=(-0.92, -0.05, 0.98),
    side_glass=(-1.28, 0.80),
)
HATCHBACK = CarShape(
    half_width=0.87,
    wheel=0.31,
    axles=(-1.28, 1.26),
    sill=0.24,
    tail=(-1.86, 0.90),
    boot=(-1.84, 0.96),
    rear_base=(-1.80, 1.04),
    rear_top=(-1.42, 1.40),
    peak=(-0.45, 1.49),
    screen_top=(0.15, 1.42),
    cowl=(0.92, 1.01),
    nose=(1.90, 0.72),
    belt=(0.98, 0.96, 0.68),
    roof=0.68,
    doors=(-0.88, 0.00, 0.92),
    side_glass=(-1.42, 0.72),
)
ESTATE = SALOON._replace(
    tail=(-2.26, 0.92),
    boot=(-2.24, 0.98),
    rear_base=(-2.18, 1.06),
    rear_top=(-1.82, 1.40),
    peak=(-0.45, 1.47),
    belt=(0.97, 0.95, 0.66),
    side_glass=(-1.86, 0.80),
    rails=0.5,
)
SUV = CarShape(
    half_width=0.93,
    wheel=0.36,
    axles=(-1.34, 1.36),
    sill=0.32,
    tail=(-2.10, 1.05),
    boot=(-2.09, 1.12),
    rear_base=(-2.05, 1.20),
    rear_top=(-1.72, 1.60),
    peak=(-0.45, 1.70),
    screen_top=(0.20, 1.62),
    cowl=(0.98, 1.15),
    nose=(2.04, 0.90),
    belt=(1.12, 1.08, 0.84),
    roof=0.70,
    doors=(-0.92, -0.02, 0.96),
    side_glass=(-1.70, 0.76),
    cladding=True,
    rails=1.0,
)
VAN = CarShape(
    half_width=0.97,
    wheel=0.33,
    axles=(-1.50, 1.50),
    sill=0.28,
    tail=(-2.46, 1.00),
    boot=(-2.455, 1.10),
    rear_base=(-2.45, 1.25),
    rear_top=(-2.38, 1.86),
    peak=(-0.60, 1.97),
    screen_top=(0.92, 1.86),
    cowl=(1.72, 1.20),
    nose=(2.28, 0.98),
    belt=(1.14, 1.12, 0.92),
    roof=0.80,
    doors=(-0.62, 0.32, 1.42),
    side_glass=(0.40, 1.48),
)
