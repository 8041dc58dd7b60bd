"""The whole configuration, config.yaml, validated before any job starts.

`load_config` converts Snakemake's mapping to a `Config`; a variant is a small patch on the sections
of a training run. `python -m pipeline.config` prints the JSON schema for editors.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from pipeline.data.datasets import DATASETS
from pipeline.downloads.known import check_paths, fetch_options
from pipeline.errors import InputError
from pipeline.files import write_json
from pipeline.fit import check_run_options, uncovered_pixels
from pipeline.options.base import FileName, Name, Section, Seed
from pipeline.options.compute import ComputeOptions
from pipeline.options.data import DataOptions, IngestOptions
from pipeline.options.downloads import DownloadOptions, FetchOptions
from pipeline.options.evaluation import EvaluationOptions
from pipeline.options.figures import FigureOptions
from pipeline.options.names import TO, check_name
from pipeline.options.occluders import OccluderOptions
from pipeline.options.rendered import BenchmarkOptions
from pipeline.options.run import RunOptions
from pipeline.options.search import SearchOptions

TABLE_SUFFIXES = ("_runs", "_paired", "_verdicts", "_config", "_published")
"""Suffixes of the files that accompany a table."""
FOLDERS = ("images", "shards", "tables", "figures")
"""Other folders beside the variants in results/<dataset>."""


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
    data: DataOptions = DataOptions()
    """The training set, and the test set if `test` is null."""
    test: DataOptions | None = None
    """Another dataset with the queries and gallery of the test; null: those of `data`."""
    downloads: dict[FileName, DownloadOptions] = Field(default_factory=dict)
    """More files for results/downloads, in addition to the known ones; fetched when needed."""
    benchmark: BenchmarkOptions = BenchmarkOptions()
    occluders: OccluderOptions = OccluderOptions()
    compute: ComputeOptions = ComputeOptions()
    evaluation: EvaluationOptions = EvaluationOptions()
    figures: FigureOptions = FigureOptions()
    search: SearchOptions = SearchOptions()

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

    def label(self, data: DataOptions) -> str:
        """Return the name of `data` in records and tables: dataset, or dataset:folder."""
        folder = self.folder(data)
        return folder if folder == data.dataset else f"{data.dataset}:{folder}"

    def source(self, folder: str) -> DataOptions:
        """Return the options of the training or test set in results/<folder>."""
        return self.data if self.test is None or folder == self.folder(self.data) else self.test

    def tested(self) -> DataOptions:
        """Return the options of the test set."""
        return self.test or self.data

    def experiment(self) -> str:
        """Return the experiment's folder in results/, such as market1501_to_occluded_reid."""
        trained, tested = self.folder(self.data), self.folder(self.tested())
        return trained if trained == tested else f"{trained}{TO}{tested}"

    def ingest_options(self, folder: str) -> IngestOptions:
        """Return the options of ingest; the synthetic benchmark's options give its counts."""
        source = self.source(folder)
        expected = self.benchmark.counts() if source.dataset == "synthetic" else None
        return IngestOptions(dataset=source.dataset, checks=source.checks, expected=expected)

    def warnings(self) -> list[str]:
        """Return the warnings about the compared variants, without duplicates."""
        runs = map(self.run_options, self.compare)
        return list(dict.fromkeys(message for run in runs for message in uncovered_pixels(run)))

    def fetch_options(self, name: str) -> FetchOptions:
        """Return source and hash of the file `name` of results/downloads."""
        return fetch_options(name, self.downloads.get(name))


def _allowed_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the section that contains the last part of `path`."""
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
            lines.append(f"{key}: no such key: use one of {allowed}")
        else:
            lines.append(f"{key}: found {item['input']!r}: {item['msg'].lower()}")
    return "\n".join(lines)


def _check_variant(config: Config, name: str) -> None:
    prefix = f"config: variants.{name}."
    if name in FOLDERS:
        raise InputError(
            f"config: variants: found {name}, which is a folder of results/<dataset> already: "
            "choose another name"
        )
    for section in config.variants[name]:
        if section not in RunOptions.model_fields:
            known = ", ".join(RunOptions.model_fields)
            raise InputError(f"{prefix}{section}: no such section: use one of {known}")
    try:
        options = config.run_options(name)
    except ValidationError as error:
        raise InputError(_explain(error, RunOptions, prefix)) from None
    check_run_options(options, prefix)


def _check_identities(config: Config, name: str) -> None:
    """Require no more identities per batch than the training set has, if this is known."""
    required = config.run_options(name).training.identities
    expected = config.ingest_options(config.folder(config.data)).expected
    counts = expected or DATASETS[config.data.dataset].counts
    if config.data.checks == "error" and counts and required > counts["train"].identities:
        raise InputError(
            f"config: variants.{name}.training.identities: found {required}, but the training set "
            f"{config.data.dataset} has {counts['train'].identities}: give at most that"
        )


def _check_downloads(config: Config) -> None:
    """Require a URL for each file of results/downloads that the configuration uses."""
    for name in config.downloads:
        config.fetch_options(name)
    check_paths(_strings(config.model_dump(exclude={"downloads"})), config.downloads)


def _strings(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield key and value of each string."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _strings(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield prefix + name, value


_OCCLUDER_IMAGES = {
    "sa1b": "a folder of SA-1B",
    "alpha": "a folder of cut-outs with transparency",
    "coco": "the folder of the annotated images",
}
"""The folder that each source of masks needs; SAM can do with the synthetic scenes."""


def _check_occluders(occluders: OccluderOptions) -> None:
    expected = _OCCLUDER_IMAGES.get(occluders.masks)
    if expected is not None and occluders.images is None:
        raise InputError(
            f"config: occluders.images: found null, expected {expected}, because occluders.masks "
            f"is {occluders.masks}: give the folder"
        )
    if occluders.masks == "coco" and occluders.coco.annotations is None:
        raise InputError(
            "config: occluders.coco.annotations: found null, expected a file of instance "
            "annotations, because occluders.masks is coco: give e.g. instances_val2017.json"
        )
    if occluders.maximum is not None and occluders.maximum < occluders.minimum:
        raise InputError(
            f"config: occluders.maximum: found {occluders.maximum}, less than occluders.minimum "
            f"{occluders.minimum}: raise it, or lower the minimum"
        )


def load_config(values: Mapping[str, Any]) -> Config:
    """Validate the mapping of config.yaml.

    Raises InputError that names each invalid key with the values found and allowed.
    """
    try:
        config = Config.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(_explain(error, Config, "config: ")) from None
    for name in config.compare:
        if name not in config.variants:
            known = ", ".join(config.variants) or "none"
            raise InputError(f"config: compare: found {name!r}, expected a variant of: {known}")
    if config.reference_variant() not in config.compare:
        raise InputError(
            f"config: reference: found {config.reference!r}, expected one of "
            f"{', '.join(config.compare)}: correct it, or give null for the first"
        )
    if config.table.endswith(TABLE_SUFFIXES):
        raise InputError(
            f"config: table: found {config.table}, which is a file of the table "
            f"{config.table.rpartition('_')[0]}: choose a name that does not end in "
            f"{' or '.join(TABLE_SUFFIXES)}"
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
    """Forbid duplicates: a run that counts twice biases the standard deviation."""
    repeated = sorted({item for item in given if given.count(item) > 1})
    if repeated:
        raise InputError(
            f"config: {key}: found {', '.join(map(str, repeated))} more than once: give each once"
        )


def _check_trainable(data: DataOptions) -> None:
    """Require a dataset with training images."""
    if DATASETS[data.dataset].test_only:
        trainable = ", ".join(name for name, other in DATASETS.items() if not other.test_only)
        raise InputError(
            f"config: data.dataset: found {data.dataset}, which has no training images: give it as "
            f"test.dataset, and one of {trainable} here (the usual one is market1501)"
        )


def _check_test(config: Config) -> None:
    """Require a test set that differs from the training set and suits the trained variants."""
    data, test = config.data, config.tested()
    if config.folder(test) == config.folder(data) or (test.is_rendered and data.is_rendered):
        raise InputError(
            f"config: test.dataset: found {config.label(test)}, which is data.dataset: set test to "
            "null to test on its own queries, or give another dataset; a second dataset of the "
            "same kind needs a name (test.name)"
        )
    for name in config.compare:
        if config.run_options(name).backbone.camera_embedding > 0:
            raise InputError(
                f"config: variants.{name}.backbone.camera_embedding: cannot embed the cameras of "
                f"{config.tested().dataset} after training on {config.data.dataset}: set it to 0, "
                "or test to null"
            )


def _check_source(data: DataOptions, key: str) -> None:
    """Require an archive in the section `key`, and lists only for a dataset that uses them."""
    dataset = DATASETS[data.dataset]
    if data.dataset != "synthetic" and data.archive is None:
        raise InputError(
            f"config: {key}.archive: found null, expected {dataset.archive} of {data.dataset}: "
            f"give the path of the file or folder. {dataset.terms}".rstrip()
        )
    if data.lists is not None and dataset.select is None:
        raise InputError(
            f"config: {key}.lists: found {data.lists!r}, but {data.dataset} uses no lists: give "
            "null"
        )


def json_schema() -> str:
    """Return the JSON schema of config.yaml, for editors."""
    schema = Config.model_json_schema()
    sections = {section.__name__: section for section in _subclasses(Section)}
    for name, definition in {**schema["$defs"], Config.__name__: schema}.items():
        for parent in sections[name].__mro__:
            for field, text in _field_docstrings(parent):
                definition["properties"][field].setdefault("description", text)
    return json.dumps(schema, indent=2) + "\n"


def _subclasses(section: type[Section]) -> Iterator[type[Section]]:
    for each in section.__subclasses__():
        yield from (each, *_subclasses(each))


def _field_docstrings(section: type) -> Iterator[tuple[str, str]]:
    """Yield fields and their docstrings.

    `use_attribute_docstrings` would read all sources whenever a process starts: a quarter second.
    """
    if not issubclass(section, Section):
        return
    (definition,) = ast.parse(inspect.getsource(section)).body
    for field, text in pairwise(definition.body):  # type: ignore[attr-defined]
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(value))):
                yield name, inspect.cleandoc(value)


def write_configuration(configuration: Config, output: Path) -> None:
    """Stage: write all keys with their values, including defaults, as JSON.

    `snakemake --configfile` accepts the file and then requests the same experiment.
    """
    write_json(output, configuration.model_dump(mode="json"))


if __name__ == "__main__":
    print(json_schema(), end="")
