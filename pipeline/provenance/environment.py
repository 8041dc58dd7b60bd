"""Where a job takes place: which versions are installed and which are pinned, machine, commit."""

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
    *("filelock", "matplotlib", "mlflow", "numpy", "pandas", "pillow", "pydantic", "requests"),
    *("safetensors", "scipy", "segment-anything", "snakemake", "sqlalchemy", "timm", "torch"),
    *("torchvision", "tqdm", "webdataset"),
)
"""The dependencies of pyproject.toml, which need not be there when a stage runs."""
_PIN = re.compile(r"^([\w.-]+)==([^\s;#]+)", re.MULTILINE)
PINS = ROOT / "envs" / "constraints.txt"


def versions() -> dict[str, str | None]:
    """Installed versions of `PACKAGES`; None for one that is missing."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def normal_name(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(path: Path = PINS) -> dict[str, str]:
    """Versions by normal name; none where there is no such file, as in an installed package.

    Lines of another form than name==version, such as an option of pip, are no pins.
    """
    if not path.is_file():
        return {}
    pins = _PIN.findall(path.read_text(encoding="utf-8"))
    return {normal_name(name): version for name, version in pins}


def find_drift(
    installed: dict[str, str | None], pinned: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """(pinned, installed) of the packages whose versions differ.

    A build's own suffix, as in torch 2.14.1+cu130, makes no difference; nor does a package that is
    missing: a stage that needs it fails, one that does not is not touched by it.
    """
    return {
        name: (pinned[name], version)
        for name, version in installed.items()
        if version and name in pinned and version.partition("+")[0] != pinned[name]
    }


def warn_of_drift() -> None:
    """One warning that names each package whose installed version is not the pinned one."""
    found = [
        f"{name} {version} (pinned: {pin})"
        for name, (pin, version) in find_drift(versions(), read_pins()).items()
    ]
    if found:
        warn(
            f"other versions are installed than {PINS.relative_to(ROOT)} pins: {', '.join(found)}. "
            "Results may differ from those of the pins, and are recorded with what is installed; "
            "for the pins: pip install -c envs/constraints.txt -e ."
        )


def commit(root: Path = ROOT) -> tuple[str | None, bool | None]:
    """The checked-out commit and whether files differ from it; (None, None) outside of git."""
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


def current_environment() -> dict[str, Any]:
    """Where a job takes place: versions, Python, platform, commit; what torch, if used, runs on."""
    head, dirty = commit()
    torch = sys.modules.get("torch")
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        # instruction sets differ in the order of their sums, and so in the last digits
        "cpu": torch.backends.cpu.get_cpu_capability() if torch else None,
        "gpu": torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None,
        "commit": head,
        "dirty": dirty,
    }
