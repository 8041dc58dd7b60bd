"""One file over HTTP: a cut-off download resumes, and failures that may pass are tried again.

pooch and torch.hub begin a cut-off file anew, and urllib3's Retry ends where the body begins.
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
"""Seconds before the second try; each further pause is twice as long."""
TIMEOUT = 30.0
"""Seconds to wait for a connection, and for the next bytes."""
_CHUNK = 1 << 16
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Interrupted(Exception):
    """A failure that may pass."""


_MAY_PASS = (
    _Interrupted,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,  # the connection ended before the file did
)


def download(url: str, partial: Path, resume: bool) -> None:
    """Make `partial` the whole file at `url`.

    With `resume` the bytes of it that are there are kept, whatever file they are of: check the hash
    of the whole. On any error what came so far stays, for the next call. Raises InputError for a
    status that will not change and after `TRIES` failures of other kinds.
    """
    reason = ""
    for attempt in range(TRIES):
        if attempt:
            print(f"{url}: {reason}; trying again", file=sys.stderr)
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            return _receive(url, partial, resume)
        except _MAY_PASS as error:
            reason = str(error)
        except requests.RequestException as error:
            raise InputError(f"{url}: {error}: correct the address in downloads") from None
    raise InputError(
        f"{url}: gave up after {TRIES} tries ({reason}): run it again later, or give another "
        "address of the same file in downloads"
    )


def _receive(url: str, partial: Path, resume: bool) -> None:
    """Ask once for what is missing."""
    start = partial.stat().st_size if resume and partial.exists() else 0
    # compressed on the way, lengths and offsets would not be those of the file
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # there is nothing after our bytes
        _check_answer(url, response)
        if response.status_code == requests.codes.ok:  # all of it, asked for or not
            start = 0
        elif not (found := response.headers.get("Content-Range", "")).startswith(f"bytes {start}-"):
            partial.unlink()
            raise _Interrupted(f"expected the bytes from {start} on, found {found or 'no range'}")
        _append(response, partial, start)


def _check_answer(url: str, response: requests.Response) -> None:
    """Whether there is a body to take."""
    status, headers = f"{response.status_code} {response.reason}", response.headers
    if response.status_code in _PASSING:
        raise _Interrupted(f"the server answers {status}")
    if response.status_code not in (requests.codes.ok, requests.codes.partial_content):
        raise InputError(
            f"{url}: the server answers {status}: give another address of the same file in "
            "downloads, or the path of a copy in place of the file to fetch"
        )
    if "Content-Length" not in headers and "chunked" not in headers.get("Transfer-Encoding", ""):
        raise InputError(
            f"{url}: the server does not say how long the file is, so that a cut-off one would "
            "look whole: give another address of the same file in downloads"
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
