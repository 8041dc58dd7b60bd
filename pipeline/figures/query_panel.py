"""Some queries of a run, and its network to compute their features."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from pipeline.data.images import resize
from pipeline.data.shards import ShardReader
from pipeline.evaluation.embed import camera_rows, load_trained
from pipeline.figures.queries import choose_queries, format_ap
from pipeline.model.backbone import normalise
from pipeline.model.dpeformer import DPEFormer, Features
from pipeline.options.figures import FigureOptions
from pipeline.options.run import ImageOptions
from pipeline.run import Run


class QueryPanel(NamedTuple):
    """B queries of a run and its network in eval mode."""

    run: str
    """Variant and seed, for titles."""
    model: DPEFormer
    images: np.ndarray
    """(B, H, W, 3) uint8, at the input size of the network."""
    captions: list[str]
    """Identity, camera and average precision."""
    options: ImageOptions
    cameras: torch.Tensor | None
    """(B,) rows of the camera embedding; None without one."""

    def features(self) -> Features:
        """Compute the features of the queries."""
        pixels = torch.from_numpy(self.images).permute(0, 3, 1, 2)  # (B, 3, H, W)
        with torch.inference_mode():
            normalised = normalise(pixels, self.options.mean, self.options.std)
            return self.model(normalised, self.cameras)


def load_panel(shards: Path, run: Run, options: FigureOptions) -> QueryPanel:
    """Load the network of `run` and the queries that `choose_queries` chooses by AP.

    Raises InputError for an unknown key in `options.queries`.
    """
    model, image = load_trained(run.path("weights.safetensors"), run.path("run.json"), shards)
    queries = run.queries
    chosen = queries.loc[choose_queries(queries["ap"], options)]
    reader = ShardReader(shards, "query")
    positions = pd.Index(reader.index["key"]).get_indexer(chosen.index)
    size = (image.width, image.height)
    images = np.stack([resize(reader.image(i), size) for i in positions])
    captions = [
        f"{row.identity}, c{row.camera}: {format_ap(row.ap)}" for row in chosen.itertuples()
    ]
    cameras = camera_rows(model, chosen["camera"].tolist(), chosen.index.tolist())
    return QueryPanel(run.name, model, images, captions, image, cameras)
