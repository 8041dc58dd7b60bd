"""Where the things are that results were made of and that the workflow does not make."""

from __future__ import annotations

from pydantic import Field

from pipeline.options.base import Section


class SourceFiles(Section):
    """Where sources lie on this machine: records name them by hash alone. Any may be gone."""

    archives: dict[str, str] = Field(default={"synthetic": "results/synthetic/archive.zip"})
    """The archive, or the folder unpacked from it, of each dataset."""
    lists: dict[str, str] = Field(default_factory=dict)
    """The folder of lists of a dataset that is made by lists."""
    occluders: str = "results/occluders/scenes"
    """The images that occluders were cut out of."""
    sam_checkpoint: str = "workflow/weights/small_sam.safetensors"
    """Of the Segment Anything Model."""
