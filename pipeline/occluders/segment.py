"""Stage: segment every image by SAM's automatic mask generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from pipeline.device import choose_device
from pipeline.files import exclusive, sha256, shipped
from pipeline.occluders.generator import MaskGenerator
from pipeline.occluders.images import check_images, list_images, read_image, report_problems, sample
from pipeline.occluders.journal import Journal
from pipeline.occluders.masks import Record, record_line, unreadable_record
from pipeline.occluders.sam import build_sam
from pipeline.options.compute import ComputeOptions
from pipeline.options.occluders import GeneratorOptions, SamOptions, SourceOptions
from pipeline.provenance.code import code_hash, fingerprint


def segment(
    images: Path,
    masks: Path,
    checkpoint: Path,
    sam: SamOptions,
    generator: GeneratorOptions,
    compute: ComputeOptions,
    source: SourceOptions,
) -> dict[str, Any]:
    """Write the masks of all images below `images` to a file (see pipeline.occluders.masks).

    One image is in memory at a time. `checkpoint` has the lines so far: a killed job resumes after
    the last one and ends with the bytes of an uninterrupted one. Returns the device and the hashes
    of the sources. Raises InputError for a folder without images, for images that do not decode
    (before SAM runs, with all names, unless `source` says to list them) and for missing or wrong
    weights.
    """
    names = sample(list_images(images), source.limit, source.seed)
    problems = check_images(images, names)
    report_problems(problems, source)
    torch.set_flush_denormal(True)
    device = choose_device(compute)
    find = MaskGenerator(build_sam(sam).to(device), generator)
    hashes = {name: sha256(images / name) for name in names}
    facts = {
        "sam": sam.model,
        "checkpoint": sha256(Path(shipped(sam.checkpoint))),
        "generator": generator.model_dump(),
        "device": device.type,
        "images": hashes,
        "code": code_hash("pipeline.occluders.segment"),
        "torch": torch.__version__,
    }
    with exclusive(masks):  # a job that outlived a killed Snakemake may still write
        journal = Journal(checkpoint, fingerprint(facts))
        todo = enumerate(names[journal.done :], start=journal.done)
        for number, name in tqdm(
            todo, "segment", len(names), initial=journal.done, mininterval=5, dynamic_ncols=True
        ):
            if name in problems:
                line = unreadable_record(number, name, problems[name].removeprefix(f"{images}/"))
            else:
                line = _segment_image(find, images, number, name)
            line["image"]["sha256"] = hashes[name]
            journal.add(record_line(line))
        journal.finish(masks)
    print(f"{masks}: masks of {len(names) - len(problems)} images")
    return {"device": device.type, "sources": {str(images): hashes}}


def _segment_image(find: MaskGenerator, images: Path, number: int, name: str) -> Record:
    image = read_image(images, name)
    height, width = image.shape[:2]
    facts = {"image_id": number, "width": width, "height": height, "file_name": name}
    return {"image": facts, "annotations": find(image)}
