"""Inputs and results in a bucket: a real S3 server, and Snakemake's storage plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.provenance.trace import trace
from tests.s3 import ENVIRONMENT, s3_server
from tests.workflow.conftest import OCCLUDERS, TINY, Project, copy_project
from tests.workflow.test_determinism import RUN, TABLE, results

pytestmark = pytest.mark.long
ADDRESS = "s3://results/an/experiment"
PREFIX = "an/experiment/"
PROFILE = ("--profile", "profiles/s3", "--default-storage-prefix", ADDRESS)
SHARDS = "results/synthetic/shards"
WEIGHTS = f"results/{RUN}/weights.safetensors"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with s3_server() as server:
        for name in ("data", "results"):
            server.create_bucket(Bucket=name)
        yield server


@pytest.fixture(scope="module")
def local(finished: Project) -> Project:
    one = finished.of_one_run()
    assert one.snakemake(TABLE).returncode == 0
    return one


def upload(folder: Path, bucket: Any, prefix: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            bucket.upload_file(str(path), f"{prefix}{path.relative_to(folder)}")


def download(bucket: Any, prefix: str, folder: Path) -> None:
    """Copy the objects to a folder, as `aws s3 sync` does."""
    for item in bucket.objects.filter(Prefix=prefix):
        path = folder / item.key.removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        bucket.download_file(item.key, str(path))


def new_node(folder: Path, warm: Path) -> Project:
    """A clone with the inputs in a bucket, and without results."""
    return copy_project(folder, warm).of_one_run(
        data={"archive": "s3://data/archive.zip", "name": "synthetic"},
        occluders=TINY["occluders"] | {"images": "s3://data/scenes"},
    )


@pytest.fixture(scope="module")
def first(local: Project, s3: Any, tmp_path_factory: pytest.TempPathFactory, warm: Path) -> Project:
    """A node that has made the table, with results in the bucket."""
    results = local.folder / "results"
    s3.Bucket("data").upload_file(str(results / "synthetic/archive.zip"), "archive.zip")
    upload(local.folder / OCCLUDERS.scenes_path(), s3.Bucket("data"), "scenes/")
    node = new_node(tmp_path_factory.mktemp("first"), warm)
    done = node.snakemake(*PROFILE, TABLE)
    assert done.returncode == 0, done.stdout[-6000:]
    return node


@pytest.fixture
def second(first: Project, tmp_path: Path, warm: Path) -> Project:
    """An empty node after the first one is lost."""
    return new_node(tmp_path / "second", warm)


@pytest.fixture
def downloaded(first: Project, s3: Any, tmp_path: Path) -> Project:
    """A local copy of the bucket, in a clone."""
    copy = new_node(tmp_path / "copy", first.warm)
    download(s3.Bucket("results"), PREFIX, copy.folder)
    return copy


def test_results_are_those_of_a_local_run(local: Project, downloaded: Project) -> None:
    assert results(downloaded) == results(local)


def test_downloaded_results_are_traced_to_the_objects(
    downloaded: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(downloaded.folder)
    trace(Path(TABLE), "dpeformer/blended")
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    states = {words[2]: words[0] for words in lines if words[0] in ("ok", "gone")}
    assert states[SHARDS] == states[WEIGHTS] == "ok"
    assert {name for name, state in states.items() if state == "gone"} == {
        "s3:/data/archive.zip",
        "s3:/data/scenes",
    }


def test_a_lost_node_loses_only_what_was_not_finished(
    second: Project, local: Project, s3: Any, tmp_path: Path
) -> None:
    bucket = s3.Bucket("results")
    assert second.planned(*PROFILE, TABLE) == set()
    bucket.Object(f"{PREFIX}results/{RUN}/metrics.json").delete()
    bucket.objects.filter(Prefix=f"{PREFIX}{Path(TABLE).parent}/").delete()
    assert second.planned(*PROFILE, TABLE) == {"score", "tabulate"}
    done = second.snakemake(*PROFILE, TABLE)
    assert done.returncode == 0, done.stdout[-6000:]
    download(bucket, PREFIX, tmp_path / "copy")
    assert results(Project(tmp_path / "copy")) == results(local)


def test_a_folder_that_was_copied_in_part_is_refused_and_made_again(
    second: Project, s3: Any
) -> None:
    bucket = s3.Bucket("results")
    lost = f"{SHARDS}/train-000000.tar"
    bucket.Object(PREFIX + lost).delete()
    bucket.Object(f"{PREFIX}{SHARDS}/train-000001.tar").put(Body=b"of another run")
    bucket.Object(PREFIX + WEIGHTS).delete()
    done = second.snakemake(*PROFILE, WEIGHTS)
    assert done.returncode != 0
    assert "changed since it was made" in done.stdout, done.stdout[-6000:]
    assert lost in done.stdout
    assert second.snakemake(*PROFILE, SHARDS, "--forcerun", "shard").returncode == 0
    left = {Path(item.key).name for item in bucket.objects.filter(Prefix=f"{PREFIX}{SHARDS}/")}
    assert "train-000000.tar" in left
    assert "train-000001.tar" not in left


def test_credentials_are_written_nowhere(first: Project, s3: Any, tmp_path: Path) -> None:
    download(s3.Bucket("results"), PREFIX, tmp_path)
    files = [
        path for root in (tmp_path, first.folder) for path in root.rglob("*") if path.is_file()
    ]
    secret = ENVIRONMENT["AWS_SECRET_ACCESS_KEY"].encode()
    assert files
    assert [path for path in files if secret in path.read_bytes()] == []
