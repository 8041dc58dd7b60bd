"""Occluded-Duke: a new split of DukeMTMC-reID, by three lists of names, with occluded queries.

Miao et al., "Pose-Guided Feature Alignment for Occluded Person Re-Identification", ICCV 2019. The
lists are in the author's repository lightas/Occluded-DukeMTMC-Dataset, folder Occluded_Duke, commit
dcba185bb20cbd53d3da2c8a4bfc25aa6971ce1d; the counts below are theirs. 1,870 of the queries are also
in the gallery; a copy has its query's identity and camera, so it is left out of the ranking.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from pipeline.data.datasets.base import Dataset, Severity, counts, report_problems
from pipeline.data.datasets.dukemtmc_reid import CAMERAS, WITHDRAWN
from pipeline.data.datasets.market1501 import FOLDERS, market_layout, parse_name
from pipeline.errors import InputError, some
from pipeline.files import sha256

LISTS = {
    "train": "dadffee79d8601545ca2217a38406c1cb6dab39d0b4b0c6370c8486738dee059",
    "query": "fb5e1b1a749a0ab8602414bc9159e7a03216c2bdc519b5a4e513e05e3f612333",
    "gallery": "0393fa86344ef4c220a5589aaad409f3adda1e14e39fc8425c80e90196065fca",
}
"""SHA-256 of `<split>.list`."""


def select(folder: Path, lists: Path, severity: Severity) -> None:
    """Convert DukeMTMC-reID, unpacked in `folder`, to Occluded-Duke by the lists in `lists`.

    Copies queries from bounding_box_test if the query folder lacks them, and removes images that
    are not listed. A converted folder stays the same. Raises InputError for lists that are missing,
    malformed or (unless `severity` is warn) not the author's, and for missing images.
    """
    sources: dict[Path, Path] = {}
    missing: list[str] = []
    for split, digest in LISTS.items():
        for name in _read_list(lists / f"{split}.list", digest, severity):
            source = _find(folder, split, name)
            if source is None:
                missing.append(f"{split} {name}")
            else:
                sources[Path(FOLDERS[split]) / name] = source
    if missing:
        raise InputError(
            f"{lists}: found {len(missing)} listed images missing in the archive: {some(missing)}: "
            "give the complete DukeMTMC-reID.zip"
        )
    _rearrange(folder, sources)


def _read_list(path: Path, digest: str, severity: Severity) -> list[str]:
    if not path.is_file():
        raise InputError(f"{path}: expected the author's list, found no such file: put it there")
    if (found := sha256(path)) != digest:
        report_problems([f"{path}: expected SHA-256 {digest}, found {found}"], severity)
    names = path.read_text(encoding="utf-8", errors="replace").split()
    invalid = [name for name in names if parse_name(name) is None]
    invalid += [name for name, times in Counter(names).items() if times > 1]
    if invalid:
        raise InputError(
            f"{path}: expected one unique image name per line, found {some(invalid)}: restore the "
            "author's list"
        )
    return names


def _find(folder: Path, split: str, name: str) -> Path | None:
    subfolders = (FOLDERS[split], *([FOLDERS["gallery"]] if split == "query" else []))
    paths = (folder / subfolder / name for subfolder in subfolders)
    return next((path for path in paths if path.is_file()), None)


def _rearrange(folder: Path, sources: dict[Path, Path]) -> None:
    """Replace the content of `folder` by the files of `sources`, which maps new paths to old."""
    unused = sum(path.is_file() for path in folder.rglob("*")) - len(set(sources.values()))
    selected = folder / ".selected"
    for path, source in sources.items():
        (selected / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, selected / path)
    for path in folder.iterdir():
        if path != selected:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in selected.iterdir():
        path.rename(folder / path.name)
    selected.rmdir()
    print(f"{len(sources)} images are listed; {unused} files of the archive are not listed")


OCCLUDED_DUKE = Dataset(
    title="Occluded-Duke",
    layouts=(market_layout(),),
    archive="DukeMTMC-reID.zip (and data.lists), or a converted folder",
    terms=WITHDRAWN,
    counts=counts(train=(702, 15618), query=(519, 2210), gallery=(1110, 17661)),
    cameras=CAMERAS,
    select=select,
)
