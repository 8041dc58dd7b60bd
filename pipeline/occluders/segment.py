"""Every object of every image, by SAM's automatic mask generator."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tqdm import tqdm

from pipeline.cli import run_stage
from pipeline.files import atomic_file
from pipeline.occluders.generator import find_masks, make_generator
from pipeline.occluders.images import check_images, list_images, read_image
from pipeline.occluders.sam import build_sam
from pipeline.options import ComputeOptions, GeneratorOptions, SamOptions
from pipeline.training.device import choose_device


def segment(
    images: Path,
    masks: Path,
    sam: SamOptions,
    generator: GeneratorOptions,
    compute: ComputeOptions,
) -> None:
    """Write the masks of all images below `images` to a JSON-lines file, an image a line.

    A line follows SA-1B (arXiv 2304.02643): image {image_id, width, height, file_name} and
    annotations [{segmentation, bbox, area, predicted_iou, stability_score, crop_box,
    point_coords}], with file_name relative to `images` and run lengths that are not compressed.
    Raises InputError for a folder without images, images that do not decode (all are named, before
    any work is done) and weights that are missing or wrong.
    """
    names = list_images(images)
    check_images(images, names)
    torch.set_flush_denormal(True)
    find = make_generator(build_sam(sam).to(choose_device(compute)), generator)
    count = 0
    with atomic_file(masks) as partial, open(partial, "w", encoding="utf-8") as file:
        for number, name in enumerate(tqdm(names, "segment", mininterval=5, dynamic_ncols=True)):
            image = read_image(images, name)
            height, width = image.shape[:2]
            facts = {"image_id": number, "width": width, "height": height, "file_name": name}
            annotations = find_masks(find, image)
            count += len(annotations)
            file.write(json.dumps({"image": facts, "annotations": annotations}) + "\n")
    print(f"{masks}: {count} masks in {len(names)} images")


if __name__ == "__main__":
    run_stage(segment)
