"""The configuration as a whole: config.yaml, checked before any job starts.

`load_config` turns the mapping that Snakemake read into a `Config`; a variant is a small patch on
the sections of a training run. `python -m pipeline.config` prints the JSON schema for editors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from pipeline.data.datasets import DATASETS
from pipeline.downloads.known import check_paths, fetch_options
from pipeline.errors import InputError
from pipeline.files import write_json
from pipeline.fit import check_run, cut_off_pixels
from pipeline.options.base import FileName, Name, Seed
from pipeline.options.compute import ComputeOptions
from pipeline.options.data import DataOptions, IngestOptions
from pipeline.options.downloads import DownloadOptions, FetchOptions
from pipeline.options.evaluation import EvaluationOptions
from pipeline.options.figures import FigureOptions
from pipeline.options.names import TO, check_name
from pipeline.options.occluders import OccluderOptions
from pipeline.options.rendered import BenchmarkOptions
from pipeline.options.run import RunOptions

TABLE_SUFFIXES = ("_runs", "_paired", "_verdicts", "_config", "_published")
"""How the files that accompany a table end."""
FOLDERS = ("images", "shards", "tables", "figures")
"""What lies beside the variants of a dataset in results/."""


class Config(RunOptions):
    """The whole of config.yaml."""

    table: Name = "components"
    """Name of the table that compares the variants."""
    compare: list[str] = Field(default=["baseline", "dpeformer"], min_length=1)
    """The variants to train, in the order of the table."""
    reference: str | None = None
    """The variant of `compare` that the others are paired with; null: the first."""
    seeds: list[Seed] = Field(default=[0, 1, 2], min_length=1)
    """Each variant is trained once for each seed."""
    variants: dict[Name, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """Each a patch on image, backbone, model, augment, loss or training."""
    data: DataOptions = DataOptions()
    """What is trained on and, but for `test`, tested on."""
    test: DataOptions | None = None
    """Another dataset, whose queries and gallery are tested on; null: those of `data`."""
    downloads: dict[FileName, DownloadOptions] = Field(default_factory=dict)
    """Files for results/downloads, besides those that are known; each is fetched when needed."""
    benchmark: BenchmarkOptions = BenchmarkOptions()
    occluders: OccluderOptions = OccluderOptions()
    compute: ComputeOptions = ComputeOptions()
    evaluation: EvaluationOptions = EvaluationOptions()
    figures: FigureOptions = FigureOptions()

    def run_options(self, variant: str) -> RunOptions:
        """The sections of a training run with the patch of `variant` applied."""
        base = {name: getattr(self, name).model_dump() for name in RunOptions.model_fields}
        for section, patch in self.variants[variant].items():
            base[section] = base.get(section, {}) | patch
        return RunOptions.model_validate(base)

    def reference_variant(self) -> str:
        """The variant that the others are paired with."""
        return self.reference or self.compare[0]

    def folder(self, data: DataOptions) -> str:
        """The folder of results/ that `data` has: its name, or that of the dataset."""
        if data.name is not None:
            return data.name
        return self.benchmark.folder() if data.is_rendered else data.dataset

    def label(self, data: DataOptions) -> str:
        """What records and tables call `data`: its dataset, as in folder:gate with its folder."""
        folder = self.folder(data)
        return folder if folder == data.dataset else f"{data.dataset}:{folder}"

    def source(self, folder: str) -> DataOptions:
        """Where the dataset of results/<folder>, which is trained or tested on, comes from."""
        return self.data if self.test is None or folder == self.folder(self.data) else self.test

    def tested(self) -> DataOptions:
        """The dataset that is tested on."""
        return self.test or self.data

    def experiment(self) -> str:
        """The name that stands for the datasets, such as market1501_to_occluded_reid."""
        trained, tested = self.folder(self.data), self.folder(self.tested())
        return trained if trained == tested else f"{trained}{TO}{tested}"

    def ingest_options(self, folder: str) -> IngestOptions:
        """What ingest checks; the synthetic benchmark's counts follow from its options."""
        source = self.source(folder)
        expected = self.benchmark.counts() if source.dataset == "synthetic" else None
        return IngestOptions(dataset=source.dataset, checks=source.checks, expected=expected)

    def warnings(self) -> list[str]:
        """What looks wrong but does not stop the work, each once."""
        runs = map(self.run_options, self.compare)
        return list(dict.fromkeys(said for run in runs for said in cut_off_pixels(run)))

    def fetch_options(self, name: str) -> FetchOptions:
        """Where the file `name` of results/downloads comes from, and what it must be."""
        return fetch_options(name, self.downloads.get(name))


def _allowed_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Keys of the section in which the last part of `path` was found."""
    for part in path[:-1]:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return []
        if not issubclass(field.annotation, BaseModel):
            return []
        model = field.annotation
    return list(model.model_fields)


def _explain(error: ValidationError, model: type[BaseModel], prefix: str) -> str:
    lines = []
    for item in error.errors():
        key = prefix + ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            allowed = ", ".join(_allowed_keys(model, item["loc"]))
            lines.append(f"{key}: no such key; the keys here are {allowed}")
        else:
            lines.append(f"{key}: {item['msg'].lower()}; found {item['input']!r}")
    return "\n".join(lines)


def _check_variant(config: Config, name: str) -> None:
    where = f"config: variants.{name}."
    if name in FOLDERS:
        raise InputError(
            f"config: variants: found {name}, which is a folder of results/<dataset> already: "
            "give another name"
        )
    for section in config.variants[name]:
        if section not in RunOptions.model_fields:
            known = ", ".join(RunOptions.model_fields)
            raise InputError(f"{where}{section}: no such section; a variant patches {known}")
    try:
        options = config.run_options(name)
    except ValidationError as error:
        raise InputError(_explain(error, RunOptions, where)) from None
    check_run(options, where)


def _check_identities(config: Config, name: str) -> None:
    """A batch must not need more people than the dataset has, where that is known."""
    wanted = config.run_options(name).training.identities
    expected = config.ingest_options(config.folder(config.data)).expected
    counts = expected or DATASETS[config.data.dataset].counts
    if config.data.checks == "error" and counts and wanted > counts["train"].identities:
        raise InputError(
            f"config: variants.{name}.training.identities: found {wanted} in a batch, but "
            f"{config.data.dataset} has {counts['train'].identities} to train on: give at most that"
        )


def _check_downloads(config: Config) -> None:
    """What is to be fetched can be."""
    for name in config.downloads:
        config.fetch_options(name)
    check_paths(_texts(config.model_dump(exclude={"downloads"})), config.downloads)


def _texts(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every value that is a text, with its key."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _texts(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield prefix + name, value


def _check_occluders(occluders: OccluderOptions) -> None:
    if occluders.masks == "sa1b" and occluders.images is None:
        raise InputError(
            "config: occluders.images: masks sa1b are read from a folder of SA-1B; found nothing: "
            "give the folder that one of its archives was unpacked to"
        )
    if occluders.maximum is not None and occluders.maximum < occluders.minimum:
        raise InputError(
            f"config: occluders.maximum: found {occluders.maximum}, less than occluders.minimum "
            f"{occluders.minimum}: raise it, or lower the minimum"
        )


def load_config(values: Mapping[str, Any]) -> Config:
    """Validate the mapping that was read from config.yaml.

    Raises InputError that names each wrong key, what was found and what is allowed.
    """
    try:
        config = Config.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(_explain(error, Config, "config: ")) from None
    for name in config.compare:
        if name not in config.variants:
            known = ", ".join(config.variants) or "none are defined"
            raise InputError(f"config: compare: no variant is named {name!r}; known: {known}")
    if config.reference_variant() not in config.compare:
        raise InputError(
            f"config: reference: found {config.reference!r}, which is not compared: give one of "
            f"{', '.join(config.compare)}, or null for the first"
        )
    if config.table.endswith(TABLE_SUFFIXES):
        raise InputError(
            f"config: table: found {config.table}, which is a file beside the table "
            f"{config.table.rpartition('_')[0]}: give a name without {' or '.join(TABLE_SUFFIXES)}"
        )
    _check_repeats("compare", config.compare)
    _check_repeats("seeds", config.seeds)
    for name in config.variants:
        _check_variant(config, name)
    for key, data in (("data", config.data), ("test", config.test)):
        if data is not None:
            check_name(data, key)
    _check_downloads(config)
    _check_trainable(config.data)
    for name in config.compare:
        _check_identities(config, name)
    _check_source(config.data, "data")
    if config.test is not None:
        _check_test(config)
        _check_source(config.test, "test")
    _check_occluders(config.occluders)
    return config


def _check_repeats(key: str, given: list[Any]) -> None:
    """A run that is counted twice would make a table's deviation smaller than it is."""
    repeated = sorted({item for item in given if given.count(item) > 1})
    if repeated:
        raise InputError(
            f"config: {key}: found {', '.join(map(str, repeated))} more than once: give each once"
        )


def _check_trainable(data: DataOptions) -> None:
    """The dataset must have people to train on."""
    if DATASETS[data.dataset].test_only:
        trainable = ", ".join(name for name, other in DATASETS.items() if not other.test_only)
        raise InputError(
            f"config: data.dataset: {data.dataset} has no training images: give it as "
            f"test.dataset, and here one of {trainable} (the field trains on market1501 for it)"
        )


def _check_test(config: Config) -> None:
    """What is trained must be able to be tested on another dataset."""
    data, test = config.data, config.tested()
    if config.folder(test) == config.folder(data) or (test.is_rendered and data.is_rendered):
        raise InputError(
            f"config: test.dataset: found {config.label(test)}, which data.dataset is already: "
            "give null for test to test on its own queries, or another dataset; a second "
            "one of the same kind needs a name (test.name)"
        )
    for name in config.compare:
        if config.run_options(name).backbone.camera_embedding > 0:
            raise InputError(
                f"config: variants.{name}.backbone.camera_embedding: learns of the cameras of "
                f"{config.data.dataset}, and knows nothing of those of {config.tested().dataset}: "
                "give 0, or null for test"
            )


def _check_source(data: DataOptions, key: str) -> None:
    """The dataset of the section `key` must say where it comes from."""
    dataset = DATASETS[data.dataset]
    if data.dataset != "synthetic" and data.archive is None:
        raise InputError(
            f"config: {key}.archive: {data.dataset} is read from {dataset.archive}; found nothing: "
            f"give the path of the file or folder. {dataset.terms}".rstrip()
        )
    if data.lists is not None and dataset.select is None:
        raise InputError(
            f"config: {key}.lists: {data.dataset} is not made by lists, found {data.lists!r}: "
            "give null"
        )


def json_schema() -> str:
    """The JSON schema of config.yaml, for editors."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")


def keep_configuration(configuration: Config, output: Path) -> None:
    """Write every key with the value that it had, those of config.yaml and the defaults too.

    `snakemake --configfile` takes the file: it asks for the same experiment again.
    """
    write_json(output, configuration.model_dump(mode="json"))
