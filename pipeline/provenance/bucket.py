"""Records of results that are kept in a bucket.

Snakemake copies inputs from the bucket and outputs to it. The records beside them are copied here:
a job's record first, so that a folder that is not copied completely differs from its record.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.files import atomic_file
from pipeline.provenance.record import FOLDER, record_path
from pipeline.storage import COPIES, copies_of_results


def fetch_records(inputs: Sequence[Path]) -> None:
    """Copy the records beside the inputs that are in the bucket."""
    results = copies_of_results()
    if results is None:
        return
    for folder in sorted({path.parent / FOLDER for path in inputs if path.is_relative_to(results)}):
        bucket, key = _object(folder)
        for item in bucket.objects.filter(Prefix=f"{key}/"):
            _fetch(item, folder / Path(item.key).name)


def store_record(outputs: Sequence[Path]) -> None:
    """Copy the record of a job to the bucket if its outputs are kept there."""
    results = copies_of_results()
    if results is not None and outputs and outputs[0].is_relative_to(results):
        record = record_path(outputs)
        bucket, key = _object(record)
        bucket.upload_file(str(record), key)


def _object(copy: Path) -> tuple[Any, str]:
    """Return bucket and key of a local copy."""
    bucket, *key = copy.relative_to(os.environ[COPIES]).parts
    return _s3().Bucket(bucket), "/".join(key)


@cache
def _s3() -> Any:
    """Return the server that boto3's environment variables name."""
    import boto3

    return boto3.resource("s3")


def _fetch(item: Any, path: Path) -> None:
    """Copy an object, with its time, unless it is here."""
    modified = item.last_modified.timestamp()
    if path.exists() and path.stat().st_mtime == modified:
        return
    with atomic_file(path) as partial:
        item.Object().download_file(str(partial))
        os.utime(partial, (modified, modified))
