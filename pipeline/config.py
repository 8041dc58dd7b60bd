"""The whole configuration, config.yaml, validated before any job starts.

`load_config` converts Snakemake's mapping to a `Config`; a variant is a small patch on the sections
of a training run. `python -m pipeline.config` prints the JSON schema for editors.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import typing
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from pipeline.data.datasets import DATASETS
from pipeline.downloads.known import check_paths, fetch_options
from pipeline.errors import InputError
from pipeline.files import write_json
from pipeline.fit import check_run_options, uncovered_pixels
from pipeline.options.base import FileName, Name, Section, Seed
from pipeline.options.compute import ComputeOptions
from pipeline.options.data import DataOptions, IngestOptions
from pipeline.options.datasets import MANY, ONE, CrossDomainOptions, Datasets
from pipeline.options.downloads import DownloadOptions, FetchOptions
from pipeline.options.evaluation import EvaluationOptions
from pipeline.options.figures import FigureOptions
from pipeline.options.joint import JOIN
from pipeline.options.names import TO, check_name
from pipeline.options.occluders import OccluderOptions
from pipeline.options.rendered import BenchmarkOptions
from pipeline.options.run import RunOptions, TrainingOptions
from pipeline.options.search import SearchOptions

TABLE_SUFFIXES = ("_runs", "_paired", "_verdicts", "_config", "_published", "_cross_domain")
"""Suffixes of the files that accompany a table."""
FOLDERS = ("images", "shards", "tables", "figures")
"""Other folders beside the variants in results/<dataset>."""


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


def _keyed(data: DataOptions | list[DataOptions] | None, key: str) -> dict[str, DataOptions]:
    """Return the datasets of the section `key` by their own keys, such as data or data.0."""
    if isinstance(data, list):
        return {f"{key}.{number}": item for number, item in enumerate(data)}
    return {} if data is None else {key: data}


def _allowed_keys(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Return the keys of the section that contains the last part of `path`."""
    for part in path[:-1]:
        if isinstance(part, int):  # of a list
            continue
        field = model.model_fields.get(part)
        section = _section(field.annotation) if field else None
        if section is None:
            return []
        model = section
    return list(model.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the class of a section, also in a union or a list; None for other fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section, typing.get_args(annotation))), None)


def _explain(error: ValidationError, model: type[BaseModel], prefix: str) -> str:
    lines = []
    for item in error.errors():
        location = [part for part in item["loc"] if part not in (ONE, MANY)]
        key = prefix + ".".join(map(str, location))
        if item["type"] == "extra_forbidden":
            allowed = ", ".join(_allowed_keys(model, location))
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
    """Require no more identities per batch than the training sets have, if this is known."""
    training, key = config.run_options(name).training, f"config: variants.{name}.training"
    datasets = [str(data.dataset) for data in config.trained().values()]
    known = [_known_identities(config, folder) for folder in config.trained()]
    if training.mixing == "balanced":
        _check_balance(training, key, datasets, known)
    elif training.identities > sum(known):
        raise InputError(
            f"{key}.identities: found {training.identities}, but the training set "
            f"{JOIN.join(datasets)} has {sum(known):.0f}: give at most that"
        )


def _check_balance(
    training: TrainingOptions, key: str, datasets: Sequence[str], known: Sequence[float]
) -> None:
    """Require enough identities of each dataset for its part of a balanced batch."""
    if training.identities < len(datasets):
        raise InputError(
            f"{key}.identities: found {training.identities}, less than the {len(datasets)} "
            "datasets of a balanced batch: give at least one identity of each"
        )
    parts = training.identities_of_each(len(datasets))
    for dataset, needed, count in zip(datasets, parts, known, strict=True):
        if needed > count:
            raise InputError(
                f"{key}.identities: found {training.identities}, of which {needed} are of "
                f"{dataset} in a balanced batch, but it has {count:.0f}: give fewer"
            )


def _known_identities(config: Config, folder: str) -> float:
    """Return the number of identities of a training set; infinity if it is unknown."""
    data = config.sources()[folder]
    counts = config.ingest_options(folder).expected or DATASETS[data.dataset].counts
    return counts["train"].identities if counts and data.checks == "error" else math.inf


def _check_downloads(config: Config) -> None:
    """Require a URL for each file of results/downloads that the configuration uses."""
    for name in config.downloads:
        config.fetch_options(name)
    check_paths(_strings(config.model_dump(exclude={"downloads"})), config.downloads)


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield key and value of each string."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, item in items:
            yield from _strings(item, f"{key}.{name}" if key else str(name))


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
    trained, tested = _keyed(config.data, "data"), _keyed(config.test, "test")
    for key, data in (trained | tested).items():
        check_name(data, key)
    _check_downloads(config)
    for key, data in trained.items():
        _check_trainable(data, key)
    _check_folders(config, trained)
    for name in config.compare:
        _check_identities(config, name)
    if tested:
        _check_folders(config, tested)
        _check_tests(config, tested)
    for key, data in (trained | tested).items():
        _check_source(data, key)
    _check_occluders(config.occluders)
    return config


def _check_repeats(key: str, given: list[Any]) -> None:
    """Forbid duplicates: a run that counts twice biases the standard deviation."""
    repeated = sorted({item for item in given if given.count(item) > 1})
    if repeated:
        raise InputError(
            f"config: {key}: found {', '.join(map(str, repeated))} more than once: give each once"
        )


def _check_folders(config: Config, keyed: Mapping[str, DataOptions]) -> None:
    """Require datasets with different folders, of which the workflow renders at most one."""
    first: dict[str, str] = {}
    for key, data in keyed.items():
        folder = config.folder(data)
        if folder in first:
            raise InputError(
                f"config: {key}: found {folder}, which is {first[folder]} too: give each dataset "
                f"once, or another one a name of its own ({key}.name)"
            )
        first[folder] = key
    rendered = [key for key, data in keyed.items() if data.is_rendered]
    if len(rendered) > 1:
        raise InputError(
            f"config: {rendered[1]}: found a second rendered dataset, but the section benchmark "
            f"describes one: give {rendered[1]}.archive, the archive.zip that another run rendered"
        )


def _check_trainable(data: DataOptions, key: str) -> None:
    """Require a dataset with training images."""
    if DATASETS[data.dataset].test_only:
        trainable = ", ".join(name for name, other in DATASETS.items() if not other.test_only)
        raise InputError(
            f"config: {key}.dataset: found {data.dataset}, which has no training images: give it "
            f"as test.dataset, and one of {trainable} here (the usual one is market1501)"
        )


def _check_tests(config: Config, keyed: Mapping[str, DataOptions]) -> None:
    """Require test sets that are told from the training sets and suit the trained variants."""
    trained = config.trained()
    rendered = [folder for folder, data in trained.items() if data.is_rendered]
    for key, test in keyed.items():
        folder = config.folder(test)
        other_name = test.is_rendered and folder not in rendered != []
        if len(trained) == len(keyed) == 1 and (folder in trained or other_name):
            raise InputError(
                f"config: test.dataset: found {config.label(folder)}, which is data.dataset: set "
                "test to null to test on its own queries, or give another dataset; a second "
                "dataset of the same kind needs a name (test.name)"
            )
        if other_name or trained.get(folder, test) != test:
            raise InputError(
                f"config: {key}: found {config.label(folder)} with other options than in data: "
                f"give it the same, or another dataset a name of its own ({key}.name)"
            )
    _check_cameras(config)


def _check_cameras(config: Config) -> None:
    """Forbid a camera embedding if a test set has cameras without training images."""
    other = [folder for folder in config.tested() if folder not in config.trained()]
    for name in config.compare:
        if other and config.run_options(name).backbone.camera_embedding > 0:
            raise InputError(
                f"config: variants.{name}.backbone.camera_embedding: cannot embed the cameras of "
                f"{config.label(other[0])} after training on {config.label(config.joint_folder())}"
                ": set it to 0, or test to null"
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
