"""P-DukeMTMC-reID: images of DukeMTMC, sorted into occluded and whole bodies.

Zhuo et al., "Occluded Person Re-identification", ICME 2018: 1,299 identities, 24,143 images. The
counts of train, query and gallery are those of later papers, and add up to these.
"""

from __future__ import annotations

from pipeline.data.datasets.base import IMAGE, Dataset, Part, counts, folders, label_by
from pipeline.data.datasets.dukemtmc_reid import WITHDRAWN
from pipeline.data.datasets.partial_reid import CAMERAS, GALLERY_CAMERA, QUERY_CAMERA

_OCCLUDED = label_by(rf"(\d+)/[^/]+\.{IMAGE}", QUERY_CAMERA)
_WHOLE = label_by(rf"(\d+)/[^/]+\.{IMAGE}", GALLERY_CAMERA)

P_DUKEMTMC = Dataset(
    title="P-DukeMTMC-reID",
    layouts=(
        folders(
            "0001/a.jpg",
            Part("train", "train/occluded_body_images", _OCCLUDED),
            Part("train", "train/whole_body_images", _WHOLE),
            Part("query", "test/occluded_body_images", _OCCLUDED),
            Part("gallery", "test/whole_body_images", _WHOLE),
        ),
    ),
    archive="P-DukeMTMC-reid.zip",
    terms=f"Derived from DukeMTMC. {WITHDRAWN}",
    counts=counts(train=(665, 12927), query=(634, 2163), gallery=(634, 9053)),
    cameras=CAMERAS,
)
