"""Measurements of cars: a saloon, a hatchback, an estate, an SUV and a van."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.world import Rng


class Profile(NamedTuple):
    """Coordinates of the upper edge in side view, from the rear."""

    tail: float
    boot: float
    rear_base: float
    """Lower edge of the rear window."""
    rear_top: float
    peak: float
    screen_top: float
    """Upper edge of the windscreen."""
    cowl: float
    """Lower edge of the windscreen."""
    nose: float


class CarShape(NamedTuple):
    """A body in metres: x from its middle to the front, y from the ground."""

    x: Profile
    y: Profile
    half_width: float
    wheel: float
    """Radius of the wheels."""
    sill: float
    """Height of the lower edge."""
    roof: float
    """Width of the roof as a fraction of the body's."""
    axles: tuple[float, ...]
    """x of the rear and the front axle."""
    belt: tuple[float, ...]
    """Height of the shoulder at the tail, in the middle and at the nose."""
    doors: tuple[float, ...]
    """x of the gaps between doors, from the rear."""
    side_glass: tuple[float, ...]
    """x where the side windows begin and end."""
    cladding: bool = False
    """Whether the lower edge is black plastic."""
    rails: float = 0.0
    """Probability of rails on the roof."""

    def varied(self, rng: Rng) -> CarShape:
        """Vary length and height by 5 and 3 %, the width by 3 %."""
        long, high = rng.uniform(0.95, 1.05), rng.uniform(0.97, 1.03)
        return self._replace(
            x=Profile(*_scaled(self.x, long)),
            y=Profile(*_scaled(self.y, high)),
            half_width=self.half_width * rng.uniform(0.97, 1.03),
            axles=_scaled(self.axles, long),
            belt=_scaled(self.belt, high),
            doors=_scaled(self.doors, long),
            side_glass=_scaled(self.side_glass, long),
        )


def _scaled(values: tuple[float, ...], factor: float) -> tuple[float, ...]:
    return tuple(value * factor for value in values)


SALOON = CarShape(
    x=Profile(-2.26, -2.16, -1.78, -1.02, -0.35, 0.22, 1.02, 2.16),
    y=Profile(0.98, 1.03, 1.07, 1.37, 1.44, 1.39, 0.99, 0.70),
    half_width=0.9,
    wheel=0.32,
    sill=0.24,
    roof=0.66,
    axles=(-1.35, 1.40),
    belt=(0.93, 0.95, 0.66),
    doors=(-0.92, -0.05, 0.98),
    side_glass=(-1.28, 0.80),
)
HATCHBACK = CarShape(
    x=Profile(-1.86, -1.84, -1.80, -1.42, -0.45, 0.15, 0.92, 1.90),
    y=Profile(0.90, 0.96, 1.04, 1.40, 1.49, 1.42, 1.01, 0.72),
    half_width=0.87,
    wheel=0.31,
    sill=0.24,
    roof=0.68,
    axles=(-1.28, 1.26),
    belt=(0.98, 0.96, 0.68),
    doors=(-0.88, 0.00, 0.92),
    side_glass=(-1.42, 0.72),
)
ESTATE = SALOON._replace(
    x=Profile(-2.26, -2.24, -2.18, -1.82, -0.45, 0.22, 1.02, 2.16),
    y=Profile(0.92, 0.98, 1.06, 1.40, 1.47, 1.39, 0.99, 0.70),
    belt=(0.97, 0.95, 0.66),
    side_glass=(-1.86, 0.80),
    rails=0.5,
)
SUV = CarShape(
    x=Profile(-2.10, -2.09, -2.05, -1.72, -0.45, 0.20, 0.98, 2.04),
    y=Profile(1.05, 1.12, 1.20, 1.60, 1.70, 1.62, 1.15, 0.90),
    half_width=0.93,
    wheel=0.36,
    sill=0.32,
    roof=0.70,
    axles=(-1.34, 1.36),
    belt=(1.12, 1.08, 0.84),
    doors=(-0.92, -0.02, 0.96),
    side_glass=(-1.70, 0.76),
    cladding=True,
    rails=1.0,
)
VAN = CarShape(
    x=Profile(-2.46, -2.455, -2.45, -2.38, -0.60, 0.92, 1.72, 2.28),
    y=Profile(1.00, 1.10, 1.25, 1.86, 1.97, 1.86, 1.20, 0.98),
    half_width=0.97,
    wheel=0.33,
    sill=0.28,
    roof=0.80,
    axles=(-1.50, 1.50),
    belt=(1.14, 1.12, 0.92),
    doors=(-0.62, 0.32, 1.42),
    side_glass=(0.40, 1.48),
)
