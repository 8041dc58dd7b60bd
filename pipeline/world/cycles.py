"""Bicycles, parked and ridden, and motor scooters."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipeline.world import Rng
from pipeline.world.finishes import (
    BLACK_PLASTIC,
    CHROME,
    GLASS,
    PAINTS,
    SEATS,
    STEEL,
    Finish,
    finish,
    pick,
)
from pipeline.world.meshes import join, mirrored, moved, rotation, transformed
from pipeline.world.solids import Point, box, circle, ellipse, ellipsoid, loft, plate, rods, tube
from pipeline.world.surfaces import PART, Mesh
from pipeline.world.wheels import bicycle_wheel, scooter_wheel

_FRAME_PAINTS = (*PAINTS, "#1f2022", "#34383c", "#7f8a94", "#2d4d5c", "#7b2f3a")
_LEFT_RIGHT = (-1, 1)  # signs of z: the front is towards +x
_CRANK, _CRANK_TURN = 0.17, 0.6  # metres; radians: the right pedal is behind and below


class _Frame(NamedTuple):
    """Joints of a bicycle in metres: x to the front, y up, all in the plane z = 0."""

    wheel: float
    """Outer radius of the wheels."""
    rear: Point
    front: Point
    pedals: Point
    seat: Point
    """Top of the seat tube."""
    saddle: Point
    low_head: Point
    head: Point
    """Upper end of the head tube; `low_head` is the lower one."""
    grips: Point
    """Middle of the handlebar, and half its width as z."""
    step_through: bool


def _frame(rng: Rng) -> _Frame:
    wheel, step_through = rng.uniform(0.325, 0.35), rng.random() < 0.45
    front, upright = 0.54 + rng.uniform(-0.02, 0.02), rng.uniform(0.03, 0.2)
    return _Frame(
        wheel=wheel,
        rear=(-0.52, wheel, 0),
        front=(front, wheel, 0),
        pedals=(-0.09, 0.28, 0),
        seat=(-0.25, 0.72, 0),
        saddle=(-0.29, 0.88 + rng.uniform(-0.03, 0.05), 0),
        low_head=(front - 0.13, wheel + 0.28, 0),
        head=(front - 0.19, wheel + 0.44, 0),
        grips=(front - 0.25 - 0.3 * upright, wheel + 0.58 + upright, 0.29),
        step_through=step_through,
    )


def bicycle(rng: Rng) -> Mesh:
    """Make a parked bicycle: its front wheel is turned, and it leans on its stand."""
    frame = _frame(rng)
    paint = pick(rng, _FRAME_PAINTS, 0.35)
    steered = transformed(_steered(rng, frame, paint), rotation(1, rng.uniform(-35, 35)))
    standing = join(_rigid(rng, frame, paint), moved(steered, *frame.head))
    stand = tube([frame.pedals, (-0.2, 0.02, 0.16)], 0.009, STEEL, sides=4)
    lean = rotation(0, rng.uniform(3, 8))
    return transformed(join(standing, stand), lean)


def _rigid(rng: Rng, frame: _Frame, paint: Finish) -> Mesh:
    """Make the parts that do not turn with the handlebar."""
    rear, pedals, seat = frame.rear, frame.pedals, frame.seat
    top = (-0.2, 0.5, 0.0) if frame.step_through else (seat[0], seat[1] - 0.05, 0.0)
    parts = [
        _bar(pedals, seat, 0.017, paint),
        _bar(pedals, frame.low_head, 0.02, paint),
        _bar(top, frame.head if not frame.step_through else frame.low_head, 0.017, paint),
        _bar(frame.low_head, frame.head, 0.02, paint),
        _bar(seat, frame.saddle, 0.013, STEEL),
        moved(bicycle_wheel(frame.wheel), *rear),
        moved(_saddle(rng), *frame.saddle),
        _crank(pedals),
    ]
    for z in (-0.05, 0.05):
        axle = (rear[0], rear[1], z)
        parts += [_bar(pedals, axle, 0.009, paint), _bar(seat, axle, 0.008, paint)]
    if rng.random() < 0.7:
        colour = paint if rng.random() < 0.5 else BLACK_PLASTIC
        parts.append(_mudguard(frame.wheel, rear, (20, 150), colour))
    if rng.random() < 0.5:
        parts.append(_rack(frame))
    return join(*parts)


def _bar(start: Point, end: Point, radius: float, paint: Finish, sides: int = 6) -> Mesh:
    return tube([start, end], radius, paint, sides=sides, capped=False)


def _saddle(rng: Rng) -> Mesh:
    ellipses = ((-0.14, 0.02, 0.015, 0.05), (-0.11, 0.015, 0.035, 0.09), (-0.02, 0.01, 0.03, 0.06),
                (0.12, 0.015, 0.02, 0.022), (0.15, 0.01, 0.01, 0.012))  # fmt: skip
    return loft([ellipse(*each) for each in ellipses], pick(rng, SEATS, 0.15))


def _crank(at: Point) -> Mesh:
    """Make chain wheel, cranks and pedals about `at`."""
    x, y, _ = at
    disc = plate([(x + 0.09 * a, y + 0.09 * b) for a, b in circle(12)], 0.006, STEEL.shaded(0.6))
    parts = [moved(disc, z=0.05)]
    for side in _LEFT_RIGHT:
        pedal = _pedal(at, side)
        parts.append(_bar((x, y, 0.08 * side), (*pedal[:2], 0.08 * side), 0.01, STEEL, sides=4))
        parts.append(box((0.09, 0.025, 0.09), pedal, BLACK_PLASTIC))
    return join(*parts)


def _pedal(at: Point, side: int) -> Point:
    """Return the centre of a pedal; `at` is the axis of the crank."""
    reach = -side * _CRANK
    x, y = at[0] + reach * math.cos(_CRANK_TURN), at[1] + reach * math.sin(_CRANK_TURN)
    return x, y, 0.13 * side


def _mudguard(wheel: float, axle: Point, turns: tuple[float, float], colour: Finish) -> Mesh:
    """Make a strip over a wheel between two angles in degrees."""
    radius, rows = wheel + 0.02, []
    for turn in np.radians(np.linspace(*turns, 9)):
        x, y = axle[0] + radius * math.cos(turn), axle[1] + radius * math.sin(turn)
        rows.append([(x, y, z) for z in (-0.03, 0.03)])
    return loft(rows, colour, open_ring=True)


def _rack(frame: _Frame) -> Mesh:
    """Make a luggage rack over the rear wheel."""
    y = 2 * frame.wheel + 0.05
    back = frame.rear[0] - 0.2
    rails = []
    for z in (-0.06, 0.06):
        for foot, end in ((frame.seat[0], y, z), back), ((*frame.rear[:2], z), back + 0.1):
            rails.append(_bar(foot, (end, y, z), 0.006, BLACK_PLASTIC, 4))
    lamp = box((0.03, 0.05, 0.07), (back - 0.015, y - 0.02, 0), finish("#8e1414", 0.5))
    return join(*rails, lamp, box((0.3, 0.008, 0.05), (back + 0.18, y, 0), BLACK_PLASTIC))


def _steered(rng: Rng, frame: _Frame, paint: Finish) -> Mesh:
    """Make fork, front wheel, handlebar and basket about the upper end of the head tube."""
    parts = [moved(bicycle_wheel(frame.wheel), *frame.front)]
    for z in (-0.045, 0.045):
        parts.append(_bar((*frame.low_head[:2], z), (*frame.front[:2], z), 0.012, paint))
    x, y, _ = frame.grips
    parts.append(_bar(frame.head, (x + 0.06, y - 0.02, 0.0), 0.014, STEEL))
    parts.append(_handlebar(frame, rng.random() < 0.6))
    colour = paint if rng.random() < 0.5 else BLACK_PLASTIC
    parts.append(_mudguard(frame.wheel, frame.front, (40, 165), colour))
    hx, hy, _ = frame.head
    if rng.random() < 0.35:
        parts.append(moved(_basket(rng), hx + 0.2, hy + 0.02))
    elif rng.random() < 0.6:
        parts.append(ellipsoid((0.04, 0.035, 0.035), (hx + 0.05, hy + 0.06, 0), CHROME, 4, 8))
    return moved(join(*parts), -hx, -hy)


def _handlebar(frame: _Frame, swept: bool) -> Mesh:
    x, y, half = frame.grips
    if swept:  # back towards the rider
        side = [(x + 0.07, y, 0), (x + 0.09, y + 0.02, 0.12), (x + 0.02, y + 0.02, half - 0.06)]
        end = (x - 0.12, y, half)
    else:
        side = [(x + 0.06, y, 0), (x + 0.06, y, 0.1), (x + 0.05, y + 0.01, half - 0.12)]
        end = (x + 0.03, y + 0.01, half)
    bar = tube([*side, end], 0.011, STEEL, sides=5, capped=False)
    one = join(bar, tube([side[-1], end], 0.018, BLACK_PLASTIC, sides=6))
    return join(one, mirrored(one))


def _basket(rng: Rng) -> Mesh:
    """Make a basket of wire or wicker."""
    weave = pick(rng, ("#2b2c2e", "#2b2c2e", "#6b4f33", "#8d9092"))
    long, wide, high = 0.28, 0.34, 0.24
    wires: list[tuple[Point, Point]] = []
    for level in np.linspace(0, high, 6):
        scale = 0.85 + 0.15 * level / high
        corners = [(a * long / 2 * scale, level, b * wide / 2 * scale)
                   for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]  # fmt: skip
        wires += pairwise(corners)
    for x, z in ((-1, -1), (0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0)):
        foot = (0.85 * x * long / 2, 0.0, 0.85 * z * wide / 2)
        wires.append((foot, (x * long / 2, high, z * wide / 2)))
    bottom = box((0.8 * long, 0.01, 0.8 * wide), (0, 0, 0), weave)
    return join(rods(wires, 0.007, weave), bottom)


class Ridden(NamedTuple):
    """A vehicle that faces +z, and its contact points with the rider in metres."""

    mesh: Mesh
    saddle: np.ndarray
    """(3,): middle of the saddle's upper side."""
    grips: np.ndarray
    """(2, 3): for the left hand (+x) and the right hand."""
    pedals: np.ndarray
    """(2, 3): for the left and the right foot."""


def ridden_bicycle(rng: Rng) -> Ridden:
    """Make an upright bicycle, its front wheel straight."""
    frame = _frame(rng)
    paint = pick(rng, _FRAME_PAINTS, 0.35)
    steered = moved(_steered(rng, frame, paint), *frame.head)
    turn = rotation(1, -90)
    mesh = transformed(join(_rigid(rng, frame, paint), steered), turn)
    x, y, half = frame.grips
    grips = np.array([(x - 0.04, y + 0.015, side * (half - 0.05)) for side in _LEFT_RIGHT])
    pedals = np.array([_pedal(frame.pedals, side) for side in _LEFT_RIGHT])
    pedals[:, 1] += 0.015
    seat = np.add(frame.saddle, (0, 0.045, 0))
    parts = np.full(len(mesh.triangles), PART["vehicle"], np.uint8)
    contacts = ((each @ turn.T).astype(np.float32) for each in (seat, grips, pedals))
    return Ridden(replace(mesh, parts=parts), *contacts)


_SCOOTER_REAR = ((-0.81, 0.62, 0.04, 0.05), (-0.74, 0.58, 0.14, 0.13), (-0.55, 0.55, 0.2, 0.19),
                 (-0.3, 0.52, 0.23, 0.18), (-0.14, 0.46, 0.24, 0.14),
                 (-0.06, 0.32, 0.1, 0.12))  # fmt: skip
"""Arguments of `ellipse`, from the tail lamp to the floor."""


def scooter(rng: Rng) -> Mesh:
    """Make a parked motor scooter with a leg shield, 1.75 m long."""
    paint = pick(rng, (*PAINTS, "#9db6b3", "#c9c2ad", "#6b1f24"), 0.5)
    front = transformed(_scooter_front(paint), rotation(1, rng.uniform(-25, 25)))
    seat = pick(rng, SEATS, 0.2)
    parts = [
        moved(front, x=0.5),
        loft([ellipse(*each, 12) for each in _SCOOTER_REAR], paint, crease=70),
        box((0.5, 0.04, 0.3), (0.15, 0.26, 0), BLACK_PLASTIC, 0.01),
        _shield(paint),
        ellipsoid((0.36, 0.06, 0.14), (-0.42, 0.79, 0), seat, 6, 12, 0.35),
        moved(scooter_wheel(), -0.55, 0.21),
        ellipsoid((0.03, 0.04, 0.08), (-0.79, 0.64, 0), finish("#8e1414", 0.6), 5, 8),
        box((0.01, 0.12, 0.16), (-0.83, 0.5, 0), finish("#e8e6dd")),
        tube([(-0.2, 0.2, -0.16), (-0.72, 0.3, -0.18)], 0.035, STEEL, sides=7),
        tube([(0.0, 0.24, 0.1), (-0.08, 0.0, 0.2)], 0.012, STEEL, sides=5),
    ]
    if rng.random() < 0.3:
        parts.append(box((0.34, 0.3, 0.36), (-0.78, 0.98, 0), BLACK_PLASTIC, 0.04))
    return transformed(join(*parts), rotation(0, rng.uniform(2, 6)))


def _shield(paint: Finish) -> Mesh:
    """Make the leg shield, bent backwards at its sides."""
    rows = []
    for y, x, half in ((0.27, 0.36, 0.15), (0.4, 0.42, 0.2), (0.7, 0.45, 0.2), (0.88, 0.41, 0.14)):
        rows.append([(x - 0.3 * z * z / half, y, z) for z in np.linspace(-half, half, 7)])
    return loft(rows, paint, open_ring=True)


def _scooter_front(paint: Finish) -> Mesh:
    """Make wheel, mudguard, handlebar and mirrors about the steering axis."""
    bar = [(-0.14, 1.0, -0.32), (-0.1, 0.98, 0), (-0.14, 1.0, 0.32)]
    parts = [
        moved(scooter_wheel(), 0.1, 0.21),
        ellipsoid((0.26, 0.14, 0.09), (0.08, 0.32, 0), paint, 6, 12),
        tube([(0.1, 0.21, 0.08), (-0.08, 0.9, 0)], 0.03, STEEL, sides=6),
        ellipsoid((0.1, 0.09, 0.13), (-0.08, 0.97, 0), paint, 6, 10),
        tube(bar, 0.016, CHROME, sides=6),
        ellipsoid((0.03, 0.07, 0.07), (0.01, 0.98, 0), finish("#d8dcdc", 0.9), 5, 10),
    ]
    for z in (-0.32, 0.32):
        parts.append(tube([(-0.13, 1.0, z), (-0.15, 1.02, 0.72 * z)], 0.02, BLACK_PLASTIC, sides=6))
        parts.append(tube([(-0.1, 1.0, 0.6 * z), (-0.1, 1.18, z)], 0.006, BLACK_PLASTIC, sides=3))
        parts.append(ellipsoid((0.015, 0.04, 0.06), (-0.1, 1.2, z), GLASS, 4, 8))
    return join(*parts)
