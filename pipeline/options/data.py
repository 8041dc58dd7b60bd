"""The section `data`: which dataset, and what is checked of it."""

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
    """What a split of a dataset must hold."""

    identities: int
    images: int


class DataOptions(Section):
    """A dataset: that which is trained on, or another that is tested on."""

    dataset: DatasetName = "synthetic"
    """`synthetic` is rendered by the workflow; the others are read from `archive`. A protocol that
    changes numbers (which queries, which training images, which boxes) is part of the name."""
    archive: LocalPath | None = None
    """What a dataset's authors hand out: a zip, tar or tar.gz, or the folder unpacked from it."""
    lists: LocalPath | None = None
    """Of occluded_duke: the folder with the author's train.list, query.list and gallery.list, by
    which it is made from DukeMTMC-reID; null: `archive` is made so already."""
    checks: Literal["error", "warn"] = "error"
    """What to do when counts differ from the published ones, an identity has a single image or a
    file is in both the training and the test set."""
    name: Name | None = None
    """Folder of the results, results/<name>; null: the name of the dataset."""

    @property
    def is_rendered(self) -> bool:
        """Whether the workflow renders the dataset, and so knows what is occluded."""
        return self.dataset == "synthetic" and self.archive is None


class IngestOptions(Section):
    """What ingest needs to know of a dataset."""

    dataset: DatasetName
    checks: Literal["error", "warn"] = "error"
    expected: dict[str, SplitCounts] | None = None
    """Counts of each split where the dataset's own facts do not say."""
