"""Files of results/downloads in the configuration are fetched when needed."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.files import sha256

FILE = "results/downloads/mine.zip"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that the server at `url` serves."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "mine.zip").write_bytes(bytes(range(256)) * 500)
    return folder


@pytest.fixture
def url(folder):
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/mine.zip"
    server.shutdown()
    thread.join()
    server.server_close()


def configure(project, url, digest):
    project.configure(
        data={"dataset": "market1501", "archive": FILE},
        downloads={"mine.zip": {"url": url, "sha256": digest}},
    )


def test_dry_run_shows_downloads(project, folder, url):
    configure(project, url, sha256(folder / "mine.zip"))
    plan = project.snakemake("--dry-run", "results/market1501/manifest.csv").stdout
    (line,) = (line for line in plan.splitlines() if "Fetch" in line)
    assert f"Fetch {FILE}" in line
    assert url in line
    assert sha256(folder / "mine.zip") in line
    assert not (project.folder / "results").exists()


def test_required_file_is_fetched_only_with_the_right_hash(project, folder, url):
    wrong = hashlib.sha256(b"another file").hexdigest()
    configure(project, url, wrong)
    done = project.snakemake(FILE)
    assert done.returncode != 0
    assert f"expected mine.zip with sha256 {wrong}" in done.stdout
    assert not (project.folder / FILE).exists()
    configure(project, url, sha256(folder / "mine.zip"))
    done = project.snakemake(FILE)
    assert done.returncode == 0, done.stdout
    assert (project.folder / FILE).read_bytes() == (folder / "mine.zip").read_bytes()
    known = project.folder / "pipeline/downloads/known.py"
    assert known.read_text().count("terms=known.terms)") == 1
    known.write_text(known.read_text().replace("terms=known.terms)", "terms='another wording')"))
    assert "Nothing to be done" in project.snakemake("--dry-run", FILE).stdout
