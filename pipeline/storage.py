"""Names of objects in a bucket; jobs work on Snakemake's local copies of them.

Records and tables name a result as a local run does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

COPIES = "DPEFORMER_COPIES"
"""Environment variable: Snakemake's folder of copies, <folder>/<bucket>/<key>."""
RESULTS = "DPEFORMER_RESULTS"
"""Environment variable: address of the results, s3://bucket/prefix; empty: they are local."""
S3 = "s3://"
"""Start of the address of an object, or of a folder of objects."""


def tell_jobs(copies: Path, results: str) -> None:
    """Set the environment variables, which jobs inherit."""
    os.environ |= {COPIES: str(copies), RESULTS: results.rstrip("/")}


def copies_of_results() -> Path | None:
    """Return the folder of the results' local copies; None if results are local."""
    address = os.environ.get(RESULTS)
    return Path(os.environ[COPIES], address.removeprefix(S3)) if address else None


def plain_names(value: Any) -> Any:
    """Replace the local copies in JSON values: a result's by results/..., another's by s3://..."""
    if isinstance(value, dict):
        return {plain_names(key): plain_names(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_names(item) for item in value]
    return _plain_name(value) if isinstance(value, str) and COPIES in os.environ else value


def _plain_name(path: str) -> str:
    results = copies_of_results()
    own = path.removeprefix(f"{results}/") if results else path
    copies = f"{os.environ[COPIES]}/"
    return S3 + own.removeprefix(copies) if own.startswith(copies) else own
