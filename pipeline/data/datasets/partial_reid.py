"""Occluded-REID, Partial-REID and Partial-iLIDS: a folder of queries and one of gallery images.

They have no camera labels: queries get camera 0 and gallery images camera 1, so that no image is
left out of a ranking.
"""

from __future__ import annotations

from pipeline.data.datasets.base import IMAGE, Dataset, Layout, Part, counts, folders, label_by

QUERY_CAMERA, GALLERY_CAMERA = 0, 1
CAMERAS = frozenset((QUERY_CAMERA, GALLERY_CAMERA))


def two_folders(query: str, gallery: str, example: str, pattern: str) -> Layout:
    """Return a layout with query and gallery folders; group 1 of `pattern` is the identity."""
    return folders(
        example,
        Part("query", query, label_by(pattern, QUERY_CAMERA)),
        Part("gallery", gallery, label_by(pattern, GALLERY_CAMERA)),
    )


# Zhuo et al., "Occluded Person Re-identification", ICME 2018. 001/001_01.tif: the second number
# is an image number, not a camera. Some copies have other folder names, or no folder per person.
_OCCLUDED_REID_NAME = rf"(?:(\d+)/)?(\d+)(?:[_.-][^/]*)?\.{IMAGE}"
OCCLUDED_REID = Dataset(
    title="Occluded-REID",
    layouts=tuple(
        two_folders(query, gallery, "001/001_01.tif", _OCCLUDED_REID_NAME)
        for query, gallery in (
            ("occluded_body_images", "whole_body_images"),
            ("query", "gallery"),
        )
    ),
    archive="Occluded_REID.zip",
    terms=(
        "From github.com/tinajia2012/ICME2018_Occluded-Person-Reidentification_datasets: for "
        "academic use, with a signed agreement."
    ),
    counts=counts(query=(200, 1000), gallery=(200, 1000)),
    cameras=CAMERAS,
    reported={"sha256": "1c8854e02db775da6a51399df4b7e02c299804850dff9985451d610fc8c6d57d"},
)

_PARTIAL_REID_TERMS = "Zheng et al., ICCV 2015: for research. Unpack the RAR archive first."
_PARTIAL_REID_NAME = rf"(?:.*/)?(\d{{3}})[^/]*\.{IMAGE}"


def _partial_reid(query: str) -> Dataset:
    """Return one of the two protocols, whose results differ."""
    return Dataset(
        title=f"Partial-REID (queries: {query})",
        layouts=(
            two_folders(
                f"{query}_body_images", "whole_body_images", "001_001.jpg", _PARTIAL_REID_NAME
            ),
        ),
        archive="Partial-REID_Dataset.rar, unpacked",
        terms=_PARTIAL_REID_TERMS,
        counts=counts(query=(60, 300), gallery=(60, 300)),
        cameras=CAMERAS,
    )


PARTIAL_REID_PARTIAL = _partial_reid("partial")
PARTIAL_REID_OCCLUDED = _partial_reid("occluded")

# He et al., "Deep Spatial Feature Reconstruction for Partial Person Re-identification", CVPR 2018,
# derived from i-LIDS. Copies differ in their folder names, and have 001_1.jpg or 001.jpg.
PARTIAL_ILIDS = Dataset(
    title="Partial-iLIDS",
    layouts=tuple(
        two_folders(query, gallery, "001.jpg", rf"(\d+)(?:[_.-][^/]*)?\.{IMAGE}")
        for query, gallery in (
            ("partial_body_images", "whole_body_images"),
            ("Probe", "Gallery"),
            ("query", "gallery"),
        )
    ),
    archive="a folder with the partial and the whole images",
    terms="Derived from i-LIDS: for research.",
    counts=counts(query=(119, 119), gallery=(119, 119)),
    cameras=CAMERAS,
)
