"""Stage: publish the rendered benchmark as a dataset, with masks and a datasheet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from string import Template

import numpy as np
import webdataset as wds
from tqdm import tqdm

from pipeline.files import atomic_folder, sha256
from pipeline.options.rendered import BenchmarkOptions
from pipeline.synthetic.plan import OCCLUSIONS
from pipeline.world.crops import VISIBLE
from pipeline.world.surfaces import PARTS

_SHARD = 5_000  # samples


def publish_dataset(
    archive: Path, ground_truth: Path, datasheet: Path, dataset: Path, options: BenchmarkOptions
) -> None:
    """Write the folder `dataset`: the images in the layout of Market-1501, masks, a datasheet.

    `archive` and `ground_truth` are those of `render_benchmark`, `datasheet` is a template. The
    masks are WebDataset tars, `masks-00000.tar` onwards. A sample has the key of its image,
    `parts.png` (indices in `PARTS`), `instances.png` (0 background, 1 the person, 2 onwards others)
    and `json` (visible fraction, occlusion, kind of the obstacle). The same inputs give the same
    bytes.
    """
    with atomic_folder(dataset) as partial:
        shutil.copyfile(archive, partial / "images.zip")
        names = _write_masks(ground_truth, partial)
        text = Template(datasheet.read_text(encoding="utf-8")).substitute(
            _facts(options, names, sha256(archive))
        )
        (partial / "README.md").write_text(text, encoding="utf-8")
    print(f"{dataset}: {len(names)} images with masks")


def _write_masks(ground_truth: Path, folder: Path) -> list[str]:
    """Write the masks of all images; return the names of the images."""
    with np.load(ground_truth, allow_pickle=False) as arrays:
        names, labels, instances = (arrays[key] for key in ("name", "labels", "instances"))
        visible, occlusion, obstacle = (arrays[key] for key in ("visible", "occlusion", "obstacle"))
    pattern = str(folder / "masks-%05d.tar")
    with wds.ShardWriter(pattern, maxcount=_SHARD, verbose=0, mtime=0) as writer:
        for row, name in enumerate(tqdm(names, "masks", mininterval=5)):
            facts = {
                "obstacle": str(obstacle[row]) or None,
                "occlusion": OCCLUSIONS[occlusion[row]],
                "visible": round(float(visible[row]), 4),
            }
            sample = {
                "__key__": str(name).removesuffix(".jpg"),
                "parts.png": labels[row],
                "instances.png": instances[row],
                "json": facts,
            }
            writer.write(sample)
    return [str(name) for name in names]


def _facts(options: BenchmarkOptions, names: list[str], digest: str) -> dict[str, str]:
    """Return the values of the placeholders in the datasheet."""
    return {
        "images": str(len(names)),
        "sha256": digest,
        "height": str(options.height),
        "width": str(options.height // 2),
        "cameras": str(options.cameras),
        "least_visible": f"{VISIBLE[0]:.0%}",
        "most_visible": f"{VISIBLE[1]:.0%}",
        "folders": "\n".join(_folder_rows(names)),
        "parts": ", ".join(f"{number} {name}" for number, name in enumerate(PARTS)),
        "options": json.dumps(options.model_dump(mode="json"), sort_keys=True),
    }


def _folder_rows(names: list[str]) -> Iterator[str]:
    """Yield a table row for each folder; junk and distractors do not count as identities."""
    people: dict[str, list[int]] = {}
    for name in names:
        folder, file = name.split("/")
        people.setdefault(folder, []).append(int(file.split("_")[0]))
    for folder, numbers in people.items():
        identities = len({number for number in numbers if number > 0})
        yield f"| `{folder}/` | {identities} | {len(numbers)} |"
