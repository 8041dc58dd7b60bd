"""Every object of every image, by SAM's automatic mask generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from segment_anything import SamAutomaticMaskGenerator
from tqdm import tqdm

from pipeline.device import choose_device
from pipeline.files import exclusive, sha256, shipped
from pipeline.occluders.generator import find_masks, make_generator
from pipeline.occluders.images import check_images, list_images, read_image, sample, stop_or_list
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

    One image is in memory at a time. Each line is kept in `checkpoint` as soon as it is made; a job
    that was killed resumes after it and ends with the same bytes as one that was not. Returns the
    device and what was read. Raises InputError for a folder without images, images that do not
    decode (all are named, before any work is done, unless `source` says to list them) and weights
    that are missing or wrong.
    """
    names = sample(list_images(images), source.limit, source.seed)
    problems = check_images(images, names)
    stop_or_list(problems, source)
    torch.set_flush_denormal(True)
    device = choose_device(compute)
    find = make_generator(build_sam(sam).to(device), generator)
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
    with exclusive(masks):  # a job that outlived a killed Snakemake may hold the checkpoint
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


def _segment_image(find: SamAutomaticMaskGenerator, images: Path, number: int, name: str) -> Record:
    image = read_image(images, name)
    height, width = image.shape[:2]
    facts = {"image_id": number, "width": width, "height": height, "file_name": name}
    return {"image": facts, "annotations": find_masks(find, image)}
