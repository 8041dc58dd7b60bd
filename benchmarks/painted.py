"""Write the rendered benchmark with background and obstacles painted over, to train on.

    python -m benchmarks.painted results/synthetic painted
    snakemake --cores all results/painted/baseline/seed{0,1,2}/metrics.json \\
        --config data='{dataset: folder, name: painted, archive: painted}'
    python -m benchmarks.shortcuts results/synthetic results/synthetic/baseline/seed{0,1,2} \\
        --trained-painted results/painted/baseline/seed{0,1,2}

A network that is trained and tested on these images cannot match obstacle or place.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.shortcuts import ALL_BUT_PERSON
from pipeline.files import atomic_folder
from pipeline.world.surfaces import PART

SPLITS = {"bounding_box_train": "train", "query": "query", "bounding_box_test": "gallery"}
"""Split by folder of the archive; others are left out."""
NAME = re.compile(r"(\w+)/(-?\d+)_c(\d+)\w*\.jpg")

COLOUR = np.uint8(128)
"""The network's mean colour."""


def write_painted(benchmark: Path, folder: Path) -> None:
    """Write PNG images and `images.csv` for the dataset `folder`."""
    with np.load(benchmark / "ground_truth.npz", allow_pickle=False) as arrays:
        names, labels = arrays["name"], arrays["labels"]
    painted = np.isin(labels, [PART[part] for part in ALL_BUT_PERSON])
    rows = []
    with zipfile.ZipFile(benchmark / "archive.zip") as archive, atomic_folder(folder) as partial:
        files = {"/".join(name.split("/")[-2:]): name for name in archive.namelist()}
        for name, mask in zip(names.tolist(), painted, strict=True):
            match = NAME.fullmatch(name)
            if match is None or match[1] not in SPLITS:
                continue
            pixels = np.asarray(Image.open(io.BytesIO(archive.read(files[name]))))
            path = Path(name).with_suffix(".png")
            (partial / path).parent.mkdir(exist_ok=True)
            Image.fromarray(np.where(mask[..., None], COLOUR, pixels)).save(partial / path)
            rows.append((path.as_posix(), match[2], match[3], SPLITS[match[1]]))
        with open(partial / "images.csv", "w", newline="") as file:
            csv.writer(file).writerows([("path", "id", "camera", "split"), *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the dataset."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.painted", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("benchmark", type=Path, help="its folder in results/")
    parser.add_argument("folder", type=Path, help="of the dataset, which must not exist")
    given = parser.parse_args(arguments)
    write_painted(given.benchmark, given.folder)


if __name__ == "__main__":
    main()
