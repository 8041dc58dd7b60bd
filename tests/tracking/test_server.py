"""Publishing to an MLflow server: with sqlite, and with PostgreSQL and S3."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.errors import InputError
from pipeline.files import read_json
from pipeline.options.tracking import Destination
from pipeline.tracking import server as locking
from pipeline.tracking.publish import RUN_FILES
from tests.tracking.mlflow_server import MlflowServer, free_port
from tests.tracking.publishing import Project, check_runs, publish_training, set_map
from tests.tracking.test_publish_faults import ROOT, kill_after, start
from tests.training.runs import command, running_process, train_run, weights, with_options
from tests.training.tiny_data import make_bank, make_shards, tiny_options

SECRETS = {
    "MLFLOW_TRACKING_USERNAME": "user-5d0c7b",
    "MLFLOW_TRACKING_PASSWORD": "password-9f21aa",
    "AWS_ACCESS_KEY_ID": "access-31be40",
    "AWS_SECRET_ACCESS_KEY": "secret-c77e19",
}
DATABASE_PASSWORD = "database-82ab6f"
BUCKET = "runs"


def check_whole(project: Project) -> None:
    """One run of each name, finished, with its model, its version and its files."""
    check_runs(project)
    for name in project.models():
        files = project.client().list_artifacts(project.active()[name])
        assert {file.path for file in files} == set(RUN_FILES)


def test_a_project_is_published_once_and_what_changed_is_replaced(
    server: MlflowServer, tmp_path: Path
) -> None:
    from mlflow.artifacts import download_artifacts

    project = Project(tmp_path / "results", server.destination("alice-drawn")).make()
    project.runs = project.runs[:2]
    project.publish()
    check_whole(project)
    before, numbers = project.active(), set(project.versions())
    set_map(project.runs[1], 77.0)
    project.publish()
    check_whole(project)
    after = project.active()
    assert {name for name in after if after[name] != before[name]} == {"baseline-seed1"}
    (moved,) = set(project.versions()) - numbers
    best = project.client().get_model_version_by_alias("alice-drawn-baseline", "best")
    assert (best.name, best.version) == moved
    model = project.client().get_logged_model(project.models()["baseline-seed1"])
    stored = f"{model.artifact_location}/artifacts/weights.safetensors"
    copy = download_artifacts(stored, dst_path=str(tmp_path), tracking_uri=server.uri)
    assert Path(copy).read_bytes() == (project.runs[1] / "weights.safetensors").read_bytes()
    assert not (project.folder / "mlflow.db").exists()


def test_a_server_that_is_away_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    there = Destination(uri=f"http://127.0.0.1:{free_port()}", experiment="away")
    project = Project(tmp_path / "results", there).make()
    with pytest.raises(InputError, match=r"^http://127\.0\.0\.1:.*: start it, or correct"):
        project.publish()
    assert not (project.folder / "receipt.json").exists()


def test_workflows_publish_to_an_experiment_one_after_the_other(
    server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "PAUSE", 0.05)
    client = server.client()
    experiment = client.create_experiment("locked")
    inside: list[str] = []

    def hold(owner: str) -> None:
        lock = locking._lock(client, experiment, owner)
        inside.append(owner)
        assert len(inside) == 1
        time.sleep(0.1)
        inside.remove(owner)
        client.delete_run(lock)

    threads = [threading.Thread(target=hold, args=(f"host:{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not server.runs("locked")


def test_the_lock_of_a_killed_workflow_is_removed(
    server: MlflowServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once by the same workflow, in the end by another one, which says what it waits for."""
    monkeypatch.setattr(locking, "PAUSE", 0.05)
    client = server.client()
    experiment = client.create_experiment("left")
    locking._lock(client, experiment, "host:mine")
    locking._lock(client, experiment, "host:mine")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(locking, "PATIENCE", 0.3)
    started = time.monotonic()
    locking._lock(client, experiment, "host:other")
    assert time.monotonic() - started > 0.3
    assert "host:mine" in capsys.readouterr().err
    assert len(server.runs("left")) == 1


# ---- PostgreSQL and S3 ---------------------------------------------------------------------------


class Stack(MlflowServer):
    """`mlflow server` with PostgreSQL and S3; clients write to S3 if it is not `proxied`."""

    def __init__(self, folder: Path, database: str, s3: str, proxied: bool) -> None:
        super().__init__(folder, Path(sys.executable))
        self._database, self._s3, self._proxied = database, s3, proxied

    def command(self) -> list[str]:
        store = f"s3://{BUCKET}/{self.folder.name}"
        artifacts = (
            ["--artifacts-destination", store]
            if self._proxied
            else ["--default-artifact-root", store, "--no-serve-artifacts"]
        )
        words = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port)]
        return [*words, "--workers", "1", "--backend-store-uri", self._database, *artifacts]

    def environment(self) -> dict[str, str]:
        return self.credentials() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

    def credentials(self) -> dict[str, str]:
        return SECRETS | {"MLFLOW_S3_ENDPOINT_URL": self._s3, "AWS_DEFAULT_REGION": "us-east-1"}

    def leader(self, process: subprocess.Popen[str]) -> int:
        return process.pid


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """Not in pytest's folder: PostgreSQL refuses to run as root, and others may not enter that."""
    pgserver = pytest.importorskip("pgserver", reason="needs the extra `long`")
    with TemporaryDirectory() as folder, pgserver.get_server(folder) as database:
        yield database.get_uri().replace("postgres:@", f"postgres:{DATABASE_PASSWORD}@")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    import boto3
    from moto.server import ThreadedMotoServer

    port = free_port()
    store = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    store.start()
    url = f"http://127.0.0.1:{port}"
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys).create_bucket(
        Bucket=BUCKET
    )
    yield url
    store.stop()


@pytest.fixture(scope="module", params=["proxied", "direct"])
def stack(
    request: pytest.FixtureRequest,
    postgres: str,
    s3: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("stack"), postgres, s3, request.param == "proxied")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def with_credentials(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.credentials().items():
        monkeypatch.setenv(name, value)


def destination(stack: Stack, name: str) -> Destination:
    """An experiment of this stack: both have one database."""
    return stack.destination(f"{name}-{stack.folder.name}")


def wait_for_run(stack: Stack, experiment: str) -> None:
    while not stack.runs(experiment):
        time.sleep(0.5)


def assert_no_secrets(folder: Path, *said: str) -> None:
    """No file of a project and no output holds a credential."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for secret in (*SECRETS.values(), DATABASE_PASSWORD):
        assert not [path for path in files if secret.encode() in path.read_bytes()]
        assert not [text for text in said if secret in text]


@pytest.mark.long
@pytest.mark.usefixtures("with_credentials")
def test_two_workflows_publish_at_once_and_write_no_credentials(
    stack: Stack, warm: Path, tmp_path: Path
) -> None:
    there = destination(stack, "both")
    projects = [Project(tmp_path / name / "results", there).make() for name in ("one", "two")]
    processes = [start(warm, project) for project in projects]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    for project in projects:
        check_whole(project)
        receipt = read_json(project.folder / "receipt.json")
        assert {entry["name"]: entry["run_id"] for entry in receipt} == project.active()
    assert_no_secrets(tmp_path, *said)


@pytest.mark.long
@pytest.mark.usefixtures("with_credentials")
def test_a_server_that_is_killed_while_runs_are_published(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "results", destination(stack, "killed")).make()
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    words = [sys.executable, *project.command()[1:]]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) as publishing:
        wait_for_run(stack, project.experiment)
        stack.kill()
        said = publishing.communicate()[1]
    assert publishing.returncode == 1
    assert f"error: {stack.uri}: " in said
    assert "Traceback" not in said
    stack.start()
    project.publish()
    check_whole(project)
    assert_no_secrets(tmp_path, said)


@pytest.mark.long
@pytest.mark.usefixtures("with_credentials")
def test_publishing_that_is_killed_is_made_whole_by_the_next(
    stack: Stack, warm: Path, tmp_path: Path
) -> None:
    project = Project(tmp_path / "results", destination(stack, "cut")).make()
    assert kill_after(start(warm, project), "publish:", 1.0)
    project.publish()
    check_whole(project)


@pytest.mark.long
@pytest.mark.usefixtures("with_credentials")
@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_a_training_and_its_curve_survive_the_server(
    stack: Stack, tmp_path: Path, fault: str
) -> None:
    """The weights are those of a training without a server; in the end each epoch is there once."""
    shards, bank = make_shards(tmp_path / "shards"), make_bank(tmp_path / "bank")
    options = with_options(tiny_options(), "training", epochs=60)
    there, shown = destination(stack, f"training-{fault}"), tmp_path / "tiny" / "seed0"
    words = command(shown, shards, bank, options)
    words = [sys.executable, *words[1:], "--server", there.model_dump_json()]
    with running_process(words, cwd=ROOT, stderr=subprocess.PIPE) as training:
        wait_for_run(stack, there.experiment)
        stack.send(signal.SIGKILL if fault == "killed" else signal.SIGSTOP)
        said = training.communicate()[1]
    assert training.returncode == 0, said
    alone = train_run(tmp_path / "alone", shards, bank, options)
    assert weights(shown) == weights(alone)
    assert said.count("the curves are sent later") <= 1
    if fault == "killed":
        stack.kill()
        stack.start()
    else:
        stack.send(signal.SIGCONT)
    run = publish_training(shown, there)
    assert set(stack.runs(there.experiment)) == {"tiny-seed0", "table-x"}
    assert [epoch for epoch, _ in stack.curve(run)] == list(range(1, 61))
    assert_no_secrets(tmp_path, said)
