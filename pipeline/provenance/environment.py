"""The environment of a job: installed and pinned versions, machine and commit."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import ROOT
from pipeline.errors import warn

PACKAGES = (
    *("faiss-cpu", "filelock", "matplotlib", "mlflow", "numpy", "nvidia-ml-py"),
    *("opencv-python-headless", "pandas", "pillow", "pydantic", "requests", "safetensors"),
    *("scipy", "segment-anything", "simplejpeg", "snakemake", "sqlalchemy", "timm"),
    *("torch", "torchvision", "tqdm", "webdataset"),
)
"""The dependencies in pyproject.toml, a file that may be missing at run time."""
_PIN = re.compile(r"^([\w.-]+)==([^\s;#]+)", re.MULTILINE)
PINS = ROOT / "envs" / "constraints.txt"


def versions() -> dict[str, str | None]:
    """Return the installed versions of `PACKAGES`; None for a missing package."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def normal_name(name: str) -> str:
    """Normalise a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(path: Path = PINS) -> dict[str, str]:
    """Read the pinned versions by normalised name; none without the file, as when installed.

    Ignores lines of another form than name==version, such as options of pip.
    """
    if not path.is_file():
        return {}
    pins = _PIN.findall(path.read_text(encoding="utf-8"))
    return {normal_name(name): version for name, version in pins}


def find_drift(
    installed: dict[str, str | None], pinned: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """Return (pinned, installed) of the packages whose versions differ.

    Ignores local version suffixes, as in torch 2.14.1+cu130, and missing packages: only a stage
    that needs one is affected, and fails.
    """
    return {
        name: (pinned[name], version)
        for name, version in installed.items()
        if version and name in pinned and version.partition("+")[0] != pinned[name]
    }


def warn_of_drift() -> None:
    """Warn once of all packages whose installed version is not the pinned one."""
    found = [
        f"{name} {version} (pinned: {pin})"
        for name, (pin, version) in find_drift(versions(), read_pins()).items()
    ]
    if found:
        warn(
            f"installed versions differ from {PINS.relative_to(ROOT)}: {', '.join(found)}; results "
            "may differ too: pip install -c envs/constraints.txt -e ."
        )


def commit(root: Path = ROOT) -> tuple[str | None, bool | None]:
    """Return the checked-out commit and whether files differ from it; Nones outside git."""
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None, None
    changes = _git(root, "status", "--porcelain")
    return head.strip(), None if changes is None else bool(changes.strip())


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout


def _instruction_set() -> str | None:
    """Return the largest that torch or numpy uses: it changes the order of sums, and last digits.

    None if neither is imported.
    """
    if torch := sys.modules.get("torch"):
        return str(torch.backends.cpu.get_cpu_capability())
    if numpy := sys.modules.get("numpy"):
        known = numpy.show_config(mode="dicts")["SIMD Extensions"]
        return str([*known["baseline"], *known["found"]][-1])
    return None


def current_environment() -> dict[str, Any]:
    """Return versions, Python, platform and commit; instruction set and GPU of the libraries."""
    head, dirty = commit()
    torch = sys.modules.get("torch")
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _instruction_set(),
        "gpu": torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None,
        "commit": head,
        "dirty": dirty,
    }
