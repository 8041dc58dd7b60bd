"""The energy that processors and GPUs use, where the machine tells."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import torch

POWERCAP = Path("/sys/class/powercap")
"""Linux's interface to the processors' energy counters (RAPL); often readable by root alone."""
MICRO, MILLI = 1e-6, 1e-3


class EnergyMeter:
    """Adds up the energy that devices have used since the start.

    Counters of processors are those of whole packages: they include other programs.
    """

    def __init__(self, gpus: Iterable[int], joules: dict[str, float]) -> None:
        """Take torch's indices of the GPUs; update the `joules` of each device in place."""
        self._joules = joules
        self._packages = _find_packages()
        self._gpus = {f"gpu-{index}": handle for index in gpus if (handle := _find_gpu(index))}
        self._last = self._read()

    def update(self) -> None:
        """Add what was used since the last call.

        A processor's counter starts again every few minutes or hours: call this more often.
        """
        now = self._read()
        for name, value in now.items():
            used = value - self._last.get(name, value)
            if used < 0:
                used += self._packages[name][1]
            self._joules[name] = round(self._joules.get(name, 0.0) + used, 3)
        self._last = now

    def _read(self) -> dict[str, float]:
        """Read all counters, in joules."""
        found = {name: MICRO * int(file.read_text()) for name, (file, _) in self._packages.items()}
        return found | {name: _gpu_joules(handle) for name, handle in self._gpus.items()}


def _find_packages() -> dict[str, tuple[Path, float]]:
    """Return the counter of each processor package and the joules at which it starts again."""
    found = {}
    for folder in sorted(POWERCAP.glob("intel-rapl:?")):  # AMD's have this name as well
        try:
            limit = MICRO * int((folder / "max_energy_range_uj").read_text())
            int((folder / "energy_uj").read_text())
        except OSError:  # not readable by this user
            continue
        found[(folder / "name").read_text().strip()] = folder / "energy_uj", limit
    return found


def _find_gpu(index: int) -> object | None:
    """Return NVML's handle of a GPU; None without nvidia-ml-py or without a counter."""
    if find_spec("pynvml") is None:
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(index).uuid
        handle: object = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        _gpu_joules(handle)
    except pynvml.NVMLError:  # an old GPU, or no driver library
        return None
    return handle


def _gpu_joules(handle: object) -> float:
    """Read the energy that a GPU has used since its driver was loaded."""
    import pynvml

    return MILLI * float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
