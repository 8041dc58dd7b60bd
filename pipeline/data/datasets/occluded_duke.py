"""Occluded-Duke: DukeMTMC-reID divided anew, by three lists of names, so that queries are occluded.

Miao et al., "Pose-Guided Feature Alignment for Occluded Person Re-Identification", ICCV 2019. The
lists are in the author's repository lightas/Occluded-DukeMTMC-Dataset, folder Occluded_Duke, here
as of commit dcba185bb20cbd53d3da2c8a4bfc25aa6971ce1d; the counts below are theirs. 1,870 of the
queries are in the gallery too: they were copied, not moved. The protocol leaves them out of their
own ranking, where person and camera are the query's.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from pipeline.data.datasets.base import Dataset, Severity, complain, counts
from pipeline.data.datasets.dukemtmc_reid import CAMERAS, WITHDRAWN
from pipeline.data.datasets.market1501 import FOLDERS, market_layout, parse_name
from pipeline.errors import InputError, some
from pipeline.files import sha256

LISTS = {
    "train": "dadffee79d8601545ca2217a38406c1cb6dab39d0b4b0c6370c8486738dee059",
    "query": "fb5e1b1a749a0ab8602414bc9159e7a03216c2bdc519b5a4e513e05e3f612333",
    "gallery": "0393fa86344ef4c220a5589aaad409f3adda1e14e39fc8425c80e90196065fca",
}
"""SHA-256 of `<split>.list`, confirmed."""


def select(folder: Path, lists: Path, severity: Severity) -> None:
    """Turn DukeMTMC-reID, unpacked in `folder`, into Occluded-Duke by the lists in `lists`.

    A query that is not in the folder of queries is copied from bounding_box_test. What no list
    names is removed. A folder that is converted already stays what it is. Raises InputError for
    lists that are missing, malformed or (unless `severity` is warn) not the author's, and for
    images that are listed and not there.
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
        raise InputError(f"{len(missing)} images of {lists} are missing: {some(missing)}")
    _rearrange(folder, sources)


def _read_list(path: Path, digest: str, severity: Severity) -> list[str]:
    if not path.is_file():
        raise InputError(f"{path}: expected the author's list, found no such file")
    if (found := sha256(path)) != digest:
        complain([f"{path}: expected SHA-256 {digest}, found {found}"], severity)
    names = path.read_text(encoding="utf-8", errors="replace").split()
    wrong = [name for name in names if parse_name(name) is None]
    wrong += [name for name, times in Counter(names).items() if times > 1]
    if wrong:
        raise InputError(
            f"{path}: expected the name of an image on each line, each once, found {some(wrong)}"
        )
    return names


def _find(folder: Path, split: str, name: str) -> Path | None:
    places = (FOLDERS[split], *([FOLDERS["gallery"]] if split == "query" else []))
    return next((p for place in places if (p := folder / place / name).is_file()), None)


def _rearrange(folder: Path, sources: dict[Path, Path]) -> None:
    """Let `folder` hold the files of `sources` (by their new paths in it), and nothing else."""
    unused = sum(path.is_file() for path in folder.rglob("*")) - len(set(sources.values()))
    chosen = folder / ".chosen"
    for path, source in sources.items():
        (chosen / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, chosen / path)
    for path in folder.iterdir():
        if path != chosen:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in chosen.iterdir():
        path.rename(folder / path.name)
    chosen.rmdir()
    print(f"{len(sources)} images are listed; {unused} files of the archive are in none of them")


OCCLUDED_DUKE = Dataset(
    title="Occluded-Duke",
    layouts=(market_layout(),),
    archive="DukeMTMC-reID.zip (and data.lists), or a folder already converted",
    terms=WITHDRAWN,
    counts=counts(train=(702, 15618), query=(519, 2210), gallery=(1110, 17661)),
    cameras=CAMERAS,
    select=select,
)
