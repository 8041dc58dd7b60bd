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
from pipeline.figures.queries import average_precision, choose_queries
from pipeline.model.backbone import normalise
from pipeline.model.dpeformer import DPEFormer, Features
from pipeline.options.figures import FigureOptions
from pipeline.options.run import ImageOptions
from pipeline.run import Run


class QueryPanel(NamedTuple):
    """Queries of a run and its network, in evaluation mode."""

    run: str
    """Variant and seed, for a title."""
    model: DPEFormer
    pictures: np.ndarray
    """(B, H, W, 3) uint8, at the size that the network sees."""
    captions: list[str]
    """Identity, camera and average precision of each."""
    image: ImageOptions
    cameras: torch.Tensor | None
    """What a network with camera embedding is told of them."""

    def features(self) -> Features:
        """What the network says of the pictures."""
        pixels = torch.from_numpy(self.pictures).permute(0, 3, 1, 2)  # (B, 3, H, W)
        images = normalise(pixels, self.image.mean, self.image.std)
        with torch.inference_mode():
            return self.model(images, self.cameras)


def load_panel(shards: Path, run: Run, options: FigureOptions) -> QueryPanel:
    """The network of `run` and the queries that `choose_queries` takes by their AP.

    Raises InputError when an asked-for query is not there.
    """
    model, image = load_trained(run.path("weights.safetensors"), run.path("run.json"))
    queries = run.queries
    chosen = queries.loc[choose_queries(queries["ap"], options)]
    reader = ShardReader(shards, "query")
    positions = pd.Index(reader.index["key"]).get_indexer(chosen.index)
    size = (image.width, image.height)
    pictures = np.stack([resize(reader.image(i), size) for i in positions])
    captions = [
        f"{row.identity}, c{row.camera}: {average_precision(row.ap)}" for row in chosen.itertuples()
    ]
    cameras = camera_rows(model, chosen["camera"].tolist(), chosen.index.tolist())
    return QueryPanel(run.name, model, pictures, captions, image, cameras)
