"""A file that is fetched is whole and checked, or it is not there, whatever the server does."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.downloads import transfer
from pipeline.downloads.fetch import fetch
from pipeline.errors import InputError
from pipeline.options.downloads import FetchOptions


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file.zip"


def options(server, **changes: object) -> FetchOptions:
    """The server's file, with its true hash."""
    digest = f"sha256:{hashlib.sha256(server.content).hexdigest()}"
    return FetchOptions.model_validate({"url": server.url, "digest": digest} | changes)


def check_fetched(server, file: Path) -> None:
    assert file.read_bytes() == server.content
    assert list(file.parent.iterdir()) == [file]


def offsets(server) -> list[int]:
    """The byte that each request asked to begin with."""
    return [int(asked.split("=")[1].rstrip("-")) if asked else 0 for asked in server.asked]


def test_a_file_is_fetched_with_one_request(server, file: Path, capsys) -> None:
    fetch(file, options(server, terms="research only"))
    check_fetched(server, file)
    assert server.asked == [None]
    said = capsys.readouterr()
    assert f"{file}: fetched from {server.url} (research only)" in said.out
    assert "1.00M/1.00M" in said.err  # the progress bar
    assert "warning" not in said.err


@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_what_is_cut_off_goes_on_where_it_stopped(
    server, file: Path, fault: str, monkeypatch
) -> None:
    monkeypatch.setattr(transfer, "TIMEOUT", 1.0)
    begun = time.monotonic()
    server.faults = [fault, "503", fault]
    fetch(file, options(server))
    check_fetched(server, file)
    asked = offsets(server)
    assert asked == sorted(asked)
    assert asked[0] == 0
    assert asked[1] > 400_000  # all of the first half but for the last chunk
    assert asked[-1] > 650_000
    assert time.monotonic() - begun < 15  # a stalled server would take longer


def test_a_killed_download_goes_on_where_it_stopped(server, file: Path) -> None:
    server.faults = ["stall"]
    given = options(server).model_dump_json()
    command = [sys.executable, "-m", "pipeline.launcher", "pipeline.downloads.fetch:fetch"]
    command += ["--file", str(file)]
    process = subprocess.Popen([*command, "--options", given], stderr=subprocess.DEVNULL)
    partial = file.with_name(".partial-file.zip")
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size > 300_000):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not file.exists()
    kept = partial.stat().st_size
    fetch(file, options(server))
    check_fetched(server, file)
    assert offsets(server) == [0, kept]


def test_a_download_killed_before_its_last_step_needs_no_more_bytes(server, file: Path) -> None:
    file.parent.mkdir()
    partial = file.with_name(".partial-file.zip")
    transfer.download(server.url, partial, resume=True)
    fetch(file, options(server))
    check_fetched(server, file)
    assert server.sent == len(server.content)


def test_a_server_that_ignores_the_range_sends_all_of_it_again(server, file: Path) -> None:
    server.faults = ["truncate", "ignore range"]
    fetch(file, options(server))
    check_fetched(server, file)
    assert offsets(server)[1] > 0


def test_a_server_that_sends_another_range_is_not_believed(server, file: Path) -> None:
    server.faults = ["truncate", "shift"]
    fetch(file, options(server))
    check_fetched(server, file)
    assert offsets(server)[2] == 0


def test_a_mirror_goes_on_where_another_address_stopped(server, file: Path) -> None:
    server.faults = ["truncate"] + ["503"] * transfer.TRIES
    with pytest.raises(InputError, match="gave up"):
        fetch(file, options(server))
    server.faults = []
    fetch(file, options(server, url=f"{server.url}?mirror"))
    check_fetched(server, file)
    assert offsets(server)[-1] > 0


def test_a_mixture_of_two_versions_is_refused_and_not_kept(server, file: Path) -> None:
    server.faults = ["truncate"] + ["503"] * transfer.TRIES
    with pytest.raises(InputError, match="gave up"):
        fetch(file, options(server))
    server.content, server.faults = server.content[::-1], []
    with pytest.raises(InputError, match="nothing was kept"):
        fetch(file, options(server))
    fetch(file, options(server))
    check_fetched(server, file)


def test_without_a_hash_what_is_cut_off_begins_again_and_the_found_one_is_said(
    server, file: Path, capsys
) -> None:
    server.faults = ["truncate"]
    fetch(file, options(server, digest=None))
    check_fetched(server, file)
    assert server.asked == [None, None]
    found = hashlib.sha256(server.content).hexdigest()
    assert f"no hash is known, found sha256 {found}" in capsys.readouterr().err


def test_wrong_bytes_are_refused_and_not_kept(server, file: Path) -> None:
    server.faults = ["wrong bytes"]
    expected = hashlib.sha256(server.content).hexdigest()
    found = hashlib.sha256(bytes(len(server.content))).hexdigest()
    with pytest.raises(InputError, match=f"sha256 {expected}, found {found}.*downloads.file.zip"):
        fetch(file, options(server))
    assert list(file.parent.iterdir()) == []
    fetch(file, options(server))
    check_fetched(server, file)


def test_the_first_digits_of_a_hash_are_checked(server, file: Path) -> None:
    digits = hashlib.sha256(server.content).hexdigest()[:8]
    fetch(file, options(server, digest=f"sha256:{digits}"))
    other = f"{int(digits, 16) ^ 1:08x}"
    with pytest.raises(InputError, match=f"expected file.zip with sha256 {other}, found {digits}"):
        fetch(file, options(server, digest=f"sha256:{other}"))


@pytest.mark.parametrize("status", ["404", "403", "410"])
def test_a_status_that_stays_is_not_asked_again(server, file: Path, status: str) -> None:
    server.faults = [status] * 2
    with pytest.raises(InputError, match=f"{server.url}: the server answers {status}.*downloads"):
        fetch(file, options(server))
    assert len(server.asked) == 1
    assert not file.exists()


def test_a_busy_server_is_asked_again_at_growing_intervals(server, file: Path, monkeypatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    server.faults = ["503", "429", "500"]
    fetch(file, options(server))
    check_fetched(server, file)
    assert pauses == pytest.approx([0.001, 0.002, 0.004])


def test_a_server_that_stays_busy_is_given_up(server, file: Path) -> None:
    server.faults = ["503"] * 50
    with pytest.raises(InputError, match=r"gave up after 6 tries .*503.*run it again later"):
        fetch(file, options(server))
    assert len(server.asked) == transfer.TRIES
    assert not file.exists()


def test_a_length_that_is_not_said_is_refused(server, file: Path) -> None:
    server.faults = ["no length"]
    with pytest.raises(InputError, match="expected a Content-Length"):
        fetch(file, options(server))
    assert not file.exists()


def test_nobody_listening_is_given_up(server, file: Path) -> None:
    server.server_close()
    with pytest.raises(InputError, match=r"gave up after 6 tries.*refused"):
        fetch(file, options(server))
