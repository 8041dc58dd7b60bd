"""The whole configuration, config.yaml; a variant is a small patch on the sections of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from pipeline.downloads.known import fetch_options
from pipeline.files import write_json
from pipeline.fit import uncovered_pixels
from pipeline.options.base import FileName, Name, Seed
from pipeline.options.compute import ComputeOptions
from pipeline.options.data import DataOptions, IngestOptions
from pipeline.options.datasets import CrossDomainOptions, Datasets
from pipeline.options.downloads import DownloadOptions, FetchOptions
from pipeline.options.evaluation import EvaluationOptions
from pipeline.options.figures import FigureOptions
from pipeline.options.joint import JOIN
from pipeline.options.names import TO
from pipeline.options.occluders import OccluderOptions
from pipeline.options.rendered import BenchmarkOptions
from pipeline.options.run import RunOptions
from pipeline.options.search import SearchOptions
from pipeline.options.tracking import TrackingOptions


class Pair(NamedTuple):
    """The folders of the training set and the test set of an experiment, in results/."""

    trained: str
    tested: str

    @property
    def experiment(self) -> str:
        """The experiment's folder in results/, such as market1501_to_occluded_reid."""
        return self.trained if self.trained == self.tested else TO.join(self)


class Config(RunOptions):
    """The whole of config.yaml."""

    table: Name = "components"
    """Name of the table that compares the variants."""
    compare: list[str] = Field(default=["baseline", "dpeformer"], min_length=1)
    """The variants to train, in the order of the table."""
    reference: str | None = None
    """The variant of `compare` that the others are paired with; null: the first."""
    seeds: list[Seed] = Field(default=[0, 1, 2], min_length=1)
    """Random seeds; each variant is trained once per seed."""
    variants: dict[Name, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """Patches on image, backbone, model, augment, loss and training, by variant."""
    data: Datasets = DataOptions()
    """The training set, or a list for joint training; also the test set if `test` is null."""
    test: Datasets | None = None
    """Another dataset, or a list, with queries and gallery of the test; null: those of `data`."""
    cross_domain: CrossDomainOptions = CrossDomainOptions()
    downloads: dict[FileName, DownloadOptions] = Field(default_factory=dict)
    """More files for results/downloads, in addition to the known ones; fetched when needed."""
    benchmark: BenchmarkOptions = BenchmarkOptions()
    occluders: OccluderOptions = OccluderOptions()
    compute: ComputeOptions = ComputeOptions()
    evaluation: EvaluationOptions = EvaluationOptions()
    figures: FigureOptions = FigureOptions()
    search: SearchOptions = SearchOptions()
    tracking: TrackingOptions = TrackingOptions()

    def run_options(self, variant: str) -> RunOptions:
        """Return the sections of a training run with the patch of `variant` applied."""
        base = {name: getattr(self, name).model_dump() for name in RunOptions.model_fields}
        for section, patch in self.variants[variant].items():
            base[section] = base.get(section, {}) | patch
        return RunOptions.model_validate(base)

    def reference_variant(self) -> str:
        """Return the variant that the others are paired with."""
        return self.reference or self.compare[0]

    def folder(self, data: DataOptions) -> str:
        """Return the folder of `data` in results/: its name, or that of the dataset."""
        if data.name is not None:
            return data.name
        return self.benchmark.folder() if data.is_rendered else data.dataset

    def label(self, folder: str) -> str:
        """Return the name of a dataset in records and tables: dataset, or dataset:folder.

        That of a joint training set, in the folder `joint_folder`, joins those of its datasets.
        """
        if JOIN in folder:
            return JOIN.join(map(self.label, folder.split(JOIN)))
        dataset = self.sources()[folder].dataset
        return folder if folder == dataset else f"{dataset}:{folder}"

    def trained(self) -> dict[str, DataOptions]:
        """Return the training sets by their folders; several are trained on jointly."""
        return {self.folder(data): data for data in _listed(self.data)}

    def tested(self) -> dict[str, DataOptions]:
        """Return the test sets by their folders."""
        return {self.folder(data): data for data in _listed(self.test or self.data)}

    def sources(self) -> dict[str, DataOptions]:
        """Return all training and test sets by their folders."""
        return self.trained() | self.tested()

    def joint_folder(self) -> str:
        """Return the folder of the training set in results/, such as market1501+msmt17_train."""
        return JOIN.join(self.trained())

    def experiments(self) -> list[Pair]:
        """Return the experiments: the training set with each test set."""
        return [Pair(self.joint_folder(), tested) for tested in self.tested()]

    def cross_domain_experiments(self) -> list[Pair]:
        """Return the cells of the cross-domain matrix, row by row."""
        rows = dict.fromkeys(self.trained())
        if self.cross_domain.joint:
            rows[self.joint_folder()] = None  # the same as the only row of a single dataset
        return [Pair(trained, tested) for trained in rows for tested in self.tested()]

    def ingest_options(self, folder: str) -> IngestOptions:
        """Return the options of ingest; the synthetic benchmark's options give its counts."""
        source = self.sources()[folder]
        expected = self.benchmark.counts() if source.dataset == "synthetic" else None
        return IngestOptions(dataset=source.dataset, checks=source.checks, expected=expected)

    def warnings(self) -> list[str]:
        """Return the warnings about the compared variants, without duplicates."""
        runs = map(self.run_options, self.compare)
        return list(dict.fromkeys(message for run in runs for message in uncovered_pixels(run)))

    def fetch_options(self, name: str) -> FetchOptions:
        """Return source and hash of the file `name` of results/downloads."""
        return fetch_options(name, self.downloads.get(name))


def _listed(data: DataOptions | list[DataOptions]) -> list[DataOptions]:
    return data if isinstance(data, list) else [data]


def write_configuration(configuration: Config, output: Path) -> None:
    """Stage: write all keys with their values, including defaults, as JSON.

    `snakemake --configfile` accepts the file and then requests the same experiment.
    """
    write_json(output, configuration.model_dump(mode="json"))
