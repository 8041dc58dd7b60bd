"""Stage: keep the configuration of an experiment as a whole, beside its tables."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import Config
from pipeline.files import write_json


def keep_configuration(configuration: Config, output: Path) -> None:
    """Write every key with the value that it had, those of config.yaml and the defaults too.

    `snakemake --configfile` takes the file: it asks for the same experiment again.
    """
    write_json(output, configuration.model_dump(mode="json"))
