"""The sections `data` and `test`: the datasets and their checks."""

from __future__ import annotations

from typing import Literal

from pipeline.options.base import LocalPath, Name, Section

DatasetName = Literal[
    "synthetic",
    "market1501",
    "dukemtmc_reid",
    "occluded_duke",
    "occluded_reid",
    "p_dukemtmc",
    "partial_reid_partial",
    "partial_reid_occluded",
    "partial_ilids",
    "msmt17_train",
    "msmt17_trainval",
    "cuhk03_detected",
    "cuhk03_labeled",
    "folder",
]


class SplitCounts(Section):
    """Expected counts of a split."""

    identities: int
    images: int


class DataOptions(Section):
    """A dataset for training or testing."""

    dataset: DatasetName = "synthetic"
    """`synthetic` is rendered by the workflow; the others are read from `archive`. Protocols with
    different results (other queries, training images or boxes) have different names."""
    archive: LocalPath | None = None
    """The file that the dataset's authors publish (zip, tar or tar.gz), or its unpacked folder."""
    lists: LocalPath | None = None
    """For occluded_duke: folder with the author's train.list, query.list and gallery.list, which
    select images of DukeMTMC-reID; null: `archive` is already converted."""
    checks: Literal["error", "warn"] = "error"
    """How to report counts other than the published ones, identities with a single image and files
    in both the training and the test set."""
    name: Name | None = None
    """Folder of the results, results/<name>; null: the name of the dataset."""

    @property
    def is_rendered(self) -> bool:
        """Whether the workflow renders the dataset, so that ground-truth masks exist."""
        return self.dataset == "synthetic" and self.archive is None


class IngestOptions(Section):
    """Options of the stage ingest."""

    dataset: DatasetName
    checks: Literal["error", "warn"] = "error"
    expected: dict[str, SplitCounts] | None = None
    """Expected counts by split; null: the dataset's published counts."""
