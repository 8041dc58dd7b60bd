"""One file over HTTP: a cut-off one goes on where it stopped, and what fails is tried again.

requests and urllib3 do the protocol. What they leave to the caller is here: which failures pass,
and whether the bytes that are there belong to the file that the server has now.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import requests
from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.files import read_json, write_json

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


def download(url: str, partial: Path) -> None:
    """Make `partial` the whole file at `url`, going on from the bytes of it that are there.

    They count only if an earlier call left them there and the server says that the file is still
    the same. On any error what came so far stays, for the next call. Raises InputError for a
    status that will not change and after `TRIES` failures of other kinds.
    """
    reason = ""
    for attempt in range(TRIES):
        if attempt:
            print(f"{url}: {reason}; trying again", file=sys.stderr)
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            return _receive(url, partial)
        except _MAY_PASS as error:
            reason = str(error)
        except requests.RequestException as error:
            raise InputError(f"{url}: {error}: correct the address in downloads") from None
    raise InputError(
        f"{url}: gave up after {TRIES} tries ({reason}): run it again later, it goes on where it "
        "stopped, or give another address of the same file in downloads"
    )


def forget(partial: Path) -> None:
    """Delete `partial` and what is known of it; it may be gone already."""
    partial.unlink(missing_ok=True)
    _origin(partial).unlink(missing_ok=True)


def _origin(partial: Path) -> Path:
    """Where it is written which version of which address `partial` is a part of."""
    return partial.with_name(f"{partial.name}.json")


def _receive(url: str, partial: Path) -> None:
    """Ask once for what is missing."""
    # compressed on the way, lengths and offsets would not be those of the file
    headers = {"Accept-Encoding": "identity"} | _range(url, partial)
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return _check_whole(response, partial)
        _check_answer(url, response)
        start = _start(response, partial)
        if not start:
            _begin(url, response, partial)
        _append(response, partial, start)


def _size(partial: Path) -> int:
    return partial.stat().st_size if partial.exists() else 0


def _range(url: str, partial: Path) -> dict[str, str]:
    """Headers that ask for the missing bytes, or for all if the file has changed meanwhile."""
    origin = _origin(partial)
    if not _size(partial) or not origin.exists():
        return {}
    known = read_json(origin)
    if known["url"] != url or known["version"] is None:
        return {}
    return {"Range": f"bytes={_size(partial)}-", "If-Range": known["version"]}


def _check_whole(response: requests.Response, partial: Path) -> None:
    """There is nothing after our bytes: the file is whole, or it is not that file."""
    size = _size(partial)
    if response.headers.get("Content-Range") != f"bytes */{size}":
        forget(partial)
        raise _Interrupted(f"the server has nothing after byte {size}")


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


def _start(response: requests.Response, partial: Path) -> int:
    """The offset in the file of the first byte of the response."""
    if response.status_code == requests.codes.ok:  # all of it, asked for or not
        return 0
    size, found = _size(partial), response.headers.get("Content-Range", "")
    if not found.startswith(f"bytes {size}-"):
        forget(partial)
        raise _Interrupted(f"expected the bytes from {size} on, found {found or 'no range'}")
    return size


def _begin(url: str, response: requests.Response, partial: Path) -> None:
    """An empty `partial`, and beside it what its bytes are going to be a part of."""
    partial.write_bytes(b"")
    write_json(_origin(partial), {"url": url, "version": _version(response)})


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
    with open(partial, "ab") as file, bar:
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())


def _version(response: requests.Response) -> str | None:
    """What tells this version of the file from others byte for byte, for If-Range (RFC 9110)."""
    tag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified") if tag.startswith("W/") else tag
