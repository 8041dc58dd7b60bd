"""Whether a network matches obstacle and background of the rendered benchmark, not the person.

    snakemake --cores all results/synthetic/baseline/seed{0,1,2}/metrics.json
    python -m benchmarks.shortcuts results/synthetic results/synthetic/baseline/seed{0,1,2}

Takes the folder of the benchmark (archive.zip, ground_truth.npz, shards) and runs of one variant,
and ranks the gallery for the occluded queries by their test feature, as `pipeline.evaluation` does.

1. mAP of the original images, and with background or obstacles of all query and gallery images
   painted in the network's mean colour by the exact masks. Background is everything behind the
   person: ground, buildings, objects. Obstacles are everything in front, other people too. The
   outline of the visible part remains. The network was not trained on painted images; those of
   `--trained-painted` were (see benchmarks.painted). Intervals are from the paired bootstrap over
   identities and runs in `pipeline.tables.compare`.
2. Properties that the wrong images among the first five share with the query, compared with all
   wrong images of the gallery (with distractors, without junk). The obstacle of an image is the
   standing one that covers most pixels in front of the person.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from pipeline.data.names import JUNK, TEST_SPLITS
from pipeline.data.shards import ShardReader
from pipeline.errors import InputError
from pipeline.evaluation.embed import (
    ImageBatch,
    embed_batch,
    load_trained,
    read_batches,
    split_labels,
)
from pipeline.evaluation.features import feature_names
from pipeline.evaluation.metrics import Ranking
from pipeline.evaluation.score import rank_features
from pipeline.files import checked_folder
from pipeline.model.dpeformer import DPEFormer
from pipeline.options.evaluation import EvaluationOptions
from pipeline.options.run import ImageOptions
from pipeline.synthetic.plan import OCCLUSIONS
from pipeline.tables.compare import INTERVAL, LEVEL, Answers, compare_answers, sample_weights
from pipeline.tables.published import Benchmark
from pipeline.world.surfaces import PART

ORIGINAL = "original images"
ALL_BUT_PERSON = ("background", "obstacle")
PAINTED_PARTS: dict[str, tuple[str, ...]] = {
    ORIGINAL: (),
    "background painted": ("background",),
    "background and obstacles painted": ALL_BUT_PERSON,
}
"""Parts that are painted over in each condition."""
TRAINED = "the same, trained on such images"
TOP = 5
_NAME = 40  # columns of a line's name
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class GroundTruth:
    """Ground truth of the M images of a benchmark, in the order of rendering."""

    keys: list[str]
    labels: np.ndarray
    """(M, H, W) uint8 indices in `PARTS`."""
    occlusion: np.ndarray
    """(M,) uint8 indices in `OCCLUSIONS`."""
    obstacle: np.ndarray
    """(M,) kind of the standing obstacle in front; "" for none."""

    def rows(self, keys: Sequence[str]) -> np.ndarray:
        """Return the rows (B,) int64 of images; InputError for one that the benchmark lacks."""
        known = {key: row for row, key in enumerate(self.keys)}
        try:
            return np.array([known[str(key)] for key in keys])
        except KeyError as error:
            raise InputError(
                f"ground_truth.npz: found no masks of {error}: render, ingest and shard again"
            ) from None


def read_ground_truth(benchmark: Path) -> GroundTruth:
    """Read the ground truth of a rendered benchmark."""
    checked_folder(benchmark, "ground_truth.npz")
    with np.load(benchmark / "ground_truth.npz", allow_pickle=False) as arrays:
        return GroundTruth(
            [Path(name).stem for name in arrays["name"]],
            *(arrays[name] for name in ("labels", "occlusion", "obstacle")),
        )


def paint(
    batch: ImageBatch, labels: np.ndarray, parts: Sequence[str], image: ImageOptions
) -> ImageBatch:
    """Paint the pixels of `parts` in the network's mean colour.

    `labels` (B, H, W) are of the rendered size; they are resized by the nearest pixel.
    """
    masks = torch.from_numpy(np.isin(labels, [PART[part] for part in parts]))
    size = batch.images.shape[2:]
    painted = F.interpolate(masks[:, None].to(torch.uint8), size, mode="nearest-exact").bool()
    colour = torch.tensor(image.mean).mul(255).round().to(torch.uint8).view(1, 3, 1, 1)
    return batch._replace(images=torch.where(painted, colour, batch.images))


@torch.inference_mode()
def embed_painted(
    model: DPEFormer,
    image: ImageOptions,
    shards: Path,
    ground_truth: GroundTruth,
    parts: Sequence[str],
) -> Arrays:
    """Embed query and gallery with `parts` painted, as in a features file."""
    arrays: Arrays = {}
    for split in TEST_SPLITS:
        reader = ShardReader(shards, split)
        painted = (
            paint(batch, ground_truth.labels[ground_truth.rows(batch.keys)], parts, image)
            for batch in read_batches(reader, image)
        )
        batches = [embed_batch(model, batch, image) for batch in painted]
        features = {name: np.concatenate([each[name] for each in batches]) for name in batches[0]}
        found = split_labels(reader) | features
        arrays |= {f"{split}_{name}": values for name, values in found.items()}
    return arrays


def rank(arrays: Arrays) -> Ranking:
    """Rank by the run's test feature."""
    return next(iter(rank_features(arrays, EvaluationOptions(rerank=None)).values()))


def collect_answers(condition: str, arrays: Arrays, rankings: Sequence[Ranking]) -> Answers:
    """Collect the results of each run and query in one condition, for a paired comparison."""
    some = rankings[0].matches > 0  # the same in every run
    return Answers(
        Benchmark("synthetic", "synthetic"),
        condition,
        feature_names(arrays)[0],
        tuple(range(len(rankings))),
        tuple(arrays["query_keys"][some]),
        arrays["query_identities"][some],
        np.stack([100 * ranking.average_precision[some] for ranking in rankings]),
        np.stack([100.0 * (ranking.first_match[some] == 1) for ranking in rankings]),
    )


def print_painted(found: Sequence[Answers]) -> None:
    """Print the mAP of each condition, and the difference from the first one."""
    first = found[0]
    weights = sample_weights(len(first.seeds), len(np.unique(first.identities)))
    print(
        f"mAP of {len(first.queries)} occluded queries by {first.feature}, {len(first.seeds)} runs"
    )
    for answer in found:
        more = ""
        if answer is not first:
            difference = compare_answers(answer, first, weights)
            low, high = difference.low, difference.high
            more = f"   {difference.map:+.1f} ({low:+.1f} to {high:+.1f})"
        print(f"{answer.variant:<{_NAME}} {answer.map.mean():5.1f}{more}")


def shared_properties(arrays: Arrays, ground_truth: GroundTruth) -> dict[str, np.ndarray]:
    """Return the properties that gallery images share with queries, by name: (Q, G) bool each.

    A query that another person occludes has no obstacle.
    """
    query, gallery = (ground_truth.rows(arrays[f"{split}_keys"].tolist()) for split in TEST_SPLITS)
    occluded = np.broadcast_to(ground_truth.occlusion[gallery] > 0, (len(query), len(gallery)))
    same_camera = arrays["query_cameras"][:, None] == arrays["gallery_cameras"]
    has_obstacle = ground_truth.occlusion[query] == OCCLUSIONS.index("obstacle")
    obstacle = ground_truth.obstacle[query][:, None] == ground_truth.obstacle[gallery]
    obstacle &= has_obstacle[:, None]
    return {
        "is occluded": occluded,
        "is of the query's camera": same_camera,
        "shows the query's obstacle": obstacle,
        "shows it before another camera": obstacle & ~same_camera,
    }


def over_representation(
    rankings: Sequence[Ranking], arrays: Arrays, has_property: np.ndarray
) -> tuple[float, float, np.ndarray]:
    """Compare how often wrong images have a property: those among the first `TOP`, and all.

    `has_property` is (Q, G) bool. Queries without such a wrong image in the gallery do not count.
    Returns the fraction of the first ones, that of the gallery, and their ratio (1 + B,): with all
    identities, then with resampled ones.
    """
    identities, others = arrays["query_identities"], arrays["gallery_identities"]
    wrong = (identities[:, None] != others) & (others != JUNK)
    counted = np.flatnonzero((wrong & has_property).any(1))
    expected = (wrong & has_property)[counted].sum(1) / wrong[counted].sum(1)
    first, found = np.zeros(len(counted)), np.zeros(len(counted))
    for ranking in rankings:
        top = ranking.top[counted, :TOP]
        wrong_first = (top >= 0) & np.take_along_axis(wrong[counted], top, 1)
        first += wrong_first.sum(1)
        found += (wrong_first & np.take_along_axis(has_property[counted], top, 1)).sum(1)
    groups = np.unique(identities[counted], return_inverse=True)[1]
    resampled = sample_weights(1, groups.max() + 1).identities
    counts = np.concatenate([np.ones((1, resampled.shape[1])), resampled])[:, groups]  # (1 + B, Q)
    ratio = (counts @ found) / (counts @ (first * expected))
    total = first.sum()
    return float(found.sum() / total), float((first * expected).sum() / total), ratio


def print_shared(
    rankings: Sequence[Ranking], arrays: Arrays, properties: dict[str, np.ndarray]
) -> None:
    """Print a line for each property."""
    print(f"wrong images among the first {TOP}: fraction, fraction in gallery, ratio ({INTERVAL})")
    for name, has_property in properties.items():
        if not has_property.any():
            print(f"{name:<{_NAME}} none")
            continue
        found, expected, ratio = over_representation(rankings, arrays, has_property)
        low, high = np.quantile(ratio[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        interval = f"({low:.2f} to {high:.2f})"
        print(f"{name:<{_NAME}} {found:6.1%} {expected:6.1%} {ratio[0]:6.2f} {interval}")


def measure(benchmark: Path, runs: Sequence[Path], trained: Sequence[Path]) -> None:
    """Embed and rank in each condition, and print; `trained` are runs on painted images."""
    ground_truth = read_ground_truth(benchmark)

    def embed(runs: Sequence[Path], parts: Sequence[str]) -> list[Arrays]:
        found = []
        for run in runs:
            checked_folder(run, "weights.safetensors", "run.json")
            network = load_trained(run / "weights.safetensors", run / "run.json")
            found.append(embed_painted(*network, benchmark / "shards", ground_truth, parts))
        return found

    embedded = {condition: embed(runs, parts) for condition, parts in PAINTED_PARTS.items()}
    if trained:
        embedded[TRAINED] = embed(trained, ALL_BUT_PERSON)
    rankings = {
        condition: [rank(arrays) for arrays in found] for condition, found in embedded.items()
    }
    print_painted([collect_answers(name, embedded[name][0], rankings[name]) for name in embedded])
    original, arrays = rankings[ORIGINAL], embedded[ORIGINAL][0]
    print_shared(original, arrays, shared_properties(arrays, ground_truth))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shortcuts", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("benchmark", type=Path, help="its folder in results/")
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs of one variant")
    parser.add_argument(
        "--trained-painted",
        type=Path,
        nargs="+",
        default=[],
        help="as many runs of that variant on painted images",
    )
    given = parser.parse_args(arguments)
    try:
        measure(given.benchmark, given.runs, given.trained_painted)
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
