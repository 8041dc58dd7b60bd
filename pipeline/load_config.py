"""Read and check the configuration before any job starts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from pipeline.config import Config
from pipeline.data.datasets import DATASETS
from pipeline.downloads.known import check_paths
from pipeline.errors import InputError
from pipeline.fit import check_run_options, check_split
from pipeline.options.data import DataOptions
from pipeline.options.explain import explain
from pipeline.options.joint import JOIN
from pipeline.options.names import check_name
from pipeline.options.occluders import OccluderOptions
from pipeline.options.run import RunOptions, TrainingOptions

TABLE_SUFFIXES = (
    *("_runs", "_paired", "_verdicts", "_config", "_published", "_partial", "_cross_domain"),
)
"""Suffixes of the files that accompany a table."""
FOLDERS = ("images", "shards", "tables", "figures")
"""Other folders beside the variants in results/<dataset>."""
_OCCLUDER_IMAGES = {
    "sa1b": "a folder of SA-1B",
    "alpha": "a folder of cut-outs with transparency",
    "coco": "the folder of the annotated images",
}
"""The folder that each source of masks needs; SAM can do with the synthetic scenes."""


def load_config(values: Mapping[str, Any]) -> Config:
    """Validate the mapping of config.yaml.

    Raises InputError that names each invalid key with the values found and allowed.
    """
    try:
        config = Config.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(explain(error, Config, "config: ")) from None
    config.tracking.destination("")  # checks the environment variable too
    _check_table(config)
    for name in config.variants:
        _check_variant(config, name)
    _check_datasets(config)
    _check_occluders(config.occluders)
    return config


def _check_table(config: Config) -> None:
    """Check which variants and seeds are compared, and the name of the table."""
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


def _check_datasets(config: Config) -> None:
    """Check the training sets, the test sets and the files that they need."""
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


def _check_repeats(key: str, given: list[Any]) -> None:
    """Forbid duplicates: a run that counts twice biases the standard deviation."""
    repeated = sorted({item for item in given if given.count(item) > 1})
    if repeated:
        raise InputError(
            f"config: {key}: found {', '.join(map(str, repeated))} more than once: give each once"
        )


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
        raise InputError(explain(error, RunOptions, prefix)) from None
    check_run_options(options, prefix)
    check_split(options.training, config.compute.gpus, prefix)


def _keyed(data: DataOptions | list[DataOptions] | None, key: str) -> dict[str, DataOptions]:
    """Return the datasets of the section `key` by their own keys, such as data or data.0."""
    if isinstance(data, list):
        return {f"{key}.{number}": item for number, item in enumerate(data)}
    return {} if data is None else {key: data}


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
    check_paths(_strings(config.model_dump(exclude={"downloads", "tracking"})), config.downloads)


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield key and value of each string."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, item in items:
            yield from _strings(item, f"{key}.{name}" if key else str(name))


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
