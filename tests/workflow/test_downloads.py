"""Files of results/downloads in the configuration are fetched when needed."""

import hashlib

import pytest

from tests.server import serving

FILE = "results/downloads/mine.zip"


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as server:
        yield server


def digest_of(server):
    return hashlib.sha256(server.content).hexdigest()


def configure(project, server, digest):
    project.configure(
        data={"dataset": "market1501", "archive": FILE},
        downloads={"mine.zip": {"url": server.url, "sha256": digest}},
    )


def test_dry_run_shows_downloads(project, server):
    configure(project, server, digest_of(server))
    plan = project.snakemake("--dry-run", "results/market1501/manifest.csv").stdout
    (line,) = (line for line in plan.splitlines() if "Fetch" in line)
    assert f"Fetch {FILE}" in line
    assert server.url in line
    assert digest_of(server) in line
    assert not (project.folder / "results").exists()


def test_required_file_is_fetched_only_with_the_right_hash(project, server):
    wrong = hashlib.sha256(b"another file").hexdigest()
    configure(project, server, wrong)
    done = project.snakemake(FILE)
    assert done.returncode != 0
    assert f"expected mine.zip with sha256 {wrong}" in done.stdout
    assert not (project.folder / FILE).exists()
    configure(project, server, digest_of(server))
    done = project.snakemake(FILE)
    assert done.returncode == 0, done.stdout
    assert (project.folder / FILE).read_bytes() == server.content
    known = project.folder / "pipeline/downloads/known.py"
    assert known.read_text().count("terms=known.terms)") == 1
    known.write_text(known.read_text().replace("terms=known.terms)", "terms='another wording')"))
    assert "Nothing to be done" in project.snakemake("--dry-run", FILE).stdout
