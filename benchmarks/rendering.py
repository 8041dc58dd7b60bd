"""The CPU time of a rendered crop, and the fraction of each stage.

    OMP_NUM_THREADS=1 python -m benchmarks.rendering

People and cameras are made before. A third of the crops is occluded, half of them by an obstacle.
A time is the mean over the crops of the best of `--rounds`.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.timing import least_times
from pipeline.options.rendered import BenchmarkOptions
from pipeline.synthetic.plan import TRAIN, Shot
from pipeline.synthetic.studio import Studio
from pipeline.world import crops

BODY = Path("workflow/body/body.npz")
HEIGHTS = (128, 256)
PEOPLE = 10
OCCLUSIONS: tuple[crops.Occlusion, ...] = (None, "obstacle", None, None, "person", None)
STAGES = {
    "_compose": "people in their poses",
    "_visible": "visible fraction of a try",
    "fragments": "rasteriser, of a try and of shadows too",
    "shade": "visible surfaces, light and backdrop",
    "develop": "sensor",
}
"""Functions of `pipeline.world`, and what they do."""


def stage_fractions(renders: Sequence[Callable[[], object]]) -> dict[str, float]:
    """Return the fraction of the CPU time within each function of `STAGES`; they overlap."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(lambda: [render() for render in renders])
    stats = pstats.Stats(profile)
    inclusive = {
        name: cumulative
        for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items()  # type: ignore[attr-defined]
        if name in STAGES and "world" in file
    }
    return {name: inclusive[name] / stats.total_tt for name in STAGES}  # type: ignore[attr-defined]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the times of both heights, and of a new person."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rendering", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--crops", type=int, default=30, help="default: 30")
    parser.add_argument("--rounds", type=int, default=4, help="default: 4")
    given = parser.parse_args(arguments)
    for height in HEIGHTS:
        studio = Studio(BODY, BenchmarkOptions(height=height, train_identities=PEOPLE))
        renders = {frame: _shot(studio, frame) for frame in range(given.crops)}
        least_times(renders, 1)  # makes the people
        mean = sum(least_times(renders, given.rounds).values()) / given.crops
        print(f"{height} x {height // 2}: {1e3 * mean:.1f} ms, {60 / mean:.0f} crops a minute")
        for name, fraction in stage_fractions(list(renders.values())).items():
            print(f"  {fraction:4.0%} {name}: {STAGES[name]}")
    people = {number: partial(studio._draw_person, number) for number in range(PEOPLE)}
    spent = sum(least_times(people, given.rounds).values())
    print(f"a new person: {1e3 * spent / PEOPLE:.1f} ms")


def _shot(studio: Studio, frame: int) -> Callable[[], object]:
    occlusion = OCCLUSIONS[frame % len(OCCLUSIONS)]
    shot = Shot(TRAIN, 1 + frame % PEOPLE, frame % len(OCCLUSIONS), occlusion)
    return lambda: studio.take(shot, frame)


if __name__ == "__main__":
    main()
