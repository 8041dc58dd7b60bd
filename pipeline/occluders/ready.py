"""Write the masks that come with the images, without a segmenter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.files import atomic_file, sha256
from pipeline.occluders.images import report_problems
from pipeline.occluders.masks import Record, record_line, unreadable_record
from pipeline.options.occluders import SourceOptions

CERTAIN = {"predicted_iou": 1.0, "stability_score": 1.0}
"""Quality of masks that no model predicted: they pass the filters of quality."""


def write_masks(
    masks: Path,
    images: Path,
    names: Sequence[str],
    read: Callable[[int, str], Record],
    source: SourceOptions,
) -> None:
    """Write the record that `read` returns for each number and name of an image to a file.

    Raises InputError with all problems that `read` raises as InputError, unless `source` says to
    list them.
    """
    problems: dict[str, str] = {}
    with atomic_file(masks) as partial, open(partial, "w", encoding="utf-8") as file:
        for number, name in enumerate(tqdm(names, "masks", mininterval=5, dynamic_ncols=True)):
            try:
                record = read(number, name)
            except InputError as error:
                problems[name] = str(error)
                record = unreadable_record(number, name, problems[name].removeprefix(f"{images}/"))
            if (images / name).is_file():
                record["image"]["sha256"] = sha256(images / name)
            file.write(record_line(record))
        report_problems(problems, source)
    print(f"{masks}: masks of {len(names) - len(problems)} images")
