"""Download a file over HTTP, resuming partial downloads and retrying temporary failures.

pooch and torch.hub cannot resume, and urllib3's Retry does not cover the body.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import requests
from tqdm import tqdm

from pipeline.errors import InputError

TRIES = 6
PAUSE = 1.0
"""Seconds before the second try; doubles each time."""
TIMEOUT = 30.0
"""Seconds without a connection, or without new bytes."""
_CHUNK = 1 << 16
_TEMPORARY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class _TemporaryError(Exception):
    """A failure that may not occur again."""


_TEMPORARY = (
    _TemporaryError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,  # the connection ended early
)


def download(url: str, partial: Path, resume: bool) -> None:
    """Download the file at `url` to `partial`.

    With `resume` continues an existing file, which may be another one: verify the hash. After an
    error the bytes so far remain. Raises InputError for a permanent HTTP error, and after `TRIES`
    temporary failures.
    """
    reason = ""
    for attempt in range(TRIES):
        if attempt:
            print(f"{url}: {reason}; trying again", file=sys.stderr)
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            return _receive(url, partial, resume)
        except _TEMPORARY as error:
            reason = str(error)
        except requests.RequestException as error:
            raise InputError(f"{url}: {error}: correct the URL in downloads") from None
    raise InputError(
        f"{url}: gave up after {TRIES} tries ({reason}): run it again later, or give another "
        "URL of the same file in downloads"
    )


def _receive(url: str, partial: Path, resume: bool) -> None:
    """Request the missing bytes once."""
    start = partial.stat().st_size if resume and partial.exists() else 0
    # no compression, which would change lengths and offsets
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # the file is complete
        _check_answer(url, response)
        if response.status_code == requests.codes.ok:  # the server ignored the range
            start = 0
        elif not (found := response.headers.get("Content-Range", "")).startswith(f"bytes {start}-"):
            partial.unlink()
            raise _TemporaryError(
                f"expected the bytes from {start} on, found {found or 'no range'}"
            )
        _append(response, partial, start)


def _check_answer(url: str, response: requests.Response) -> None:
    """Raise an error unless the response has a body of known length."""
    status, headers = f"{response.status_code} {response.reason}", response.headers
    if response.status_code in _TEMPORARY_STATUS:
        raise _TemporaryError(f"the server answers {status}")
    if response.status_code not in (requests.codes.ok, requests.codes.partial_content):
        raise InputError(
            f"{url}: the server answers {status}: give another URL of the same file in "
            "downloads, or the path of a copy"
        )
    if "Content-Length" not in headers and "chunked" not in headers.get("Transfer-Encoding", ""):
        raise InputError(
            f"{url}: expected a Content-Length, found none, so that a truncated file would look "
            "complete: give another URL of the same file in downloads"
        )


def _append(response: requests.Response, partial: Path, start: int) -> None:
    length = response.headers.get("Content-Length")
    bar = tqdm(
        desc=f"fetch {partial.name.removeprefix('.partial-')}",
        total=start + int(length) if length else None,
        initial=start,
        unit="B",
        unit_scale=True,
        mininterval=5,
        dynamic_ncols=True,
    )
    with open(partial, "ab" if start else "wb") as file, bar:
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())
