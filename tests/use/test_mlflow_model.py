"""A published run, loaded and served by MLflow, gives the features of `Embedder.embed`."""

from __future__ import annotations

import ast
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import ROOT
from pipeline.provenance.code import required_modules
from pipeline.provenance.environment import normal_name
from pipeline.run import Run
from pipeline.tracking.models import REQUIREMENTS
from pipeline.tracking.publish import publish
from pipeline.use.embedder import Embedder
from tests.tracking.publishing import set_map, write_open_set
from tests.use.conftest import NAMES

URI = "models:/toy-tiny@best"
DISTRIBUTIONS = {"faiss": "faiss-cpu", "PIL": "pillow"}
"""Distributions whose module has another name."""


@pytest.fixture(scope="module")
def store(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an MLflow store with the trained run; the run itself is gone."""
    folder = tmp_path_factory.mktemp("store")
    run = Path(shutil.copytree(trained, folder / "tiny/seed0"))
    set_map(run, 50.0, "blended")
    (run / "queries.csv").write_text("feature,query\n")
    write_open_set(run, "blended")
    publish(folder / "mlflow.db", folder / "receipt.json", "toy", "one", [Run(run)], [], [])
    shutil.rmtree(folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def served(store: Path) -> Any:
    """The model as MLflow loads it."""
    import mlflow

    location = mlflow.MlflowClient(f"sqlite:///{store}/mlflow.db").get_model_version_by_alias(
        "toy-tiny", "best"
    )
    return mlflow.pyfunc.load_model(location.source)


def rows(pictures: Path) -> pd.DataFrame:
    """The input of a client: the bytes of each picture."""
    return pd.DataFrame({"image": [(pictures / name).read_bytes() for name in NAMES]})


def request(images: list[str]) -> bytes:
    data = {"dataframe_split": {"columns": ["image"], "data": [[image] for image in images]}}
    return json.dumps(data).encode()


def encoded(pictures: Path) -> list[str]:
    return [base64.b64encode((pictures / name).read_bytes()).decode() for name in NAMES]


def test_model_predicts_what_embed_returns(served: Any, model: Embedder, pictures: Path) -> None:
    """For pictures of any size, a photo on its side too."""
    features = served.predict(rows(pictures))
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, model.embed([pictures / name for name in NAMES]))


def test_input_example_fits_the_signature(served: Any) -> None:
    features = served.predict(served.input_example)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-6)
    (column,) = served.metadata.signature.inputs
    assert (column.name, column.type.name) == ("image", "binary")
    assert served.metadata.metadata["threshold"] == 0.5


def test_request_is_answered_with_these_features(
    served: Any, model: Embedder, pictures: Path
) -> None:
    """By the function that MLflow's server calls."""
    from mlflow.pyfunc import scoring_server

    schema = served.metadata.get_input_schema()
    body = request(encoded(pictures))
    answer = scoring_server.invocations(body, "application/json", served, schema)
    assert answer.status == 200
    found = np.array(json.loads(answer.response)["predictions"], np.float32)
    np.testing.assert_array_equal(found, model.embed([pictures / name for name in NAMES]))


def test_unreadable_image_is_named_and_no_file_is_read(served: Any, pictures: Path) -> None:
    from mlflow.exceptions import MlflowException

    whole = (pictures / NAMES[0]).read_bytes()
    for wrong in (whole[:-40], str(pictures / NAMES[0]).encode(), b""):
        with pytest.raises(MlflowException, match="row 1: ") as raised:
            served.predict(pd.DataFrame({"image": [whole, wrong]}))
        assert raised.value.get_http_status_code() == 400


def test_changed_weights_are_refused(store: Path, tmp_path: Path) -> None:
    import mlflow

    (folder,) = (store / "mlflow_artifacts/models").iterdir()
    copy = Path(shutil.copytree(folder / "artifacts", tmp_path / "model"))
    weights = copy / "artifacts/weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(Exception, match=r"weights\.safetensors: expected SHA-256"):
        mlflow.pyfunc.load_model(str(copy))


def test_artifacts_of_a_model_load_like_a_run(store: Path, model: Embedder, pictures: Path) -> None:
    from pipeline import load

    (folder,) = (store / "mlflow_artifacts/models").iterdir()
    loaded = load(folder / "artifacts/artifacts", "cpu")
    np.testing.assert_array_equal(loaded.embed(pictures), model.embed(pictures))


def imported(module: str) -> set[str]:
    """The distributions that a module of the package imports."""
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    nodes = list(ast.walk(tree))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    packages = {name.partition(".")[0] for name in names} - {"pipeline", ""}
    return {DISTRIBUTIONS.get(name, name) for name in packages - sys.stdlib_module_names}


def test_requirements_are_what_loading_imports() -> None:
    names = ("pipeline.use.embedder", "pipeline.data.images", "pipeline.tracking.model_code")
    modules = {module for name in names for module in required_modules(name)}
    files = {name for name in modules if (ROOT / f"{name.replace('.', '/')}.py").is_file()}
    needed = {normal_name(package) for name in files for package in imported(name)}
    assert needed | {"torchvision"} == set(REQUIREMENTS)  # timm imports torchvision


@contextmanager
def server(store: Path, log: Path) -> Iterator[str]:
    """`mlflow models serve`, as the documentation calls it; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["models", "serve", "--model-uri", URI, "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    with open(log, "w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def post(url: str, body: bytes) -> Any:
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
        return json.load(answer)


def wait_for(url: str, log: Path, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{url}/ping").close()
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(log.read_text())


@pytest.mark.long
def test_server_on_loopback_answers_with_the_features_of_embed(
    store: Path, model: Embedder, pictures: Path, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    with server(store, log) as url:
        wait_for(url, log)
        answer = post(f"{url}/invocations", request(encoded(pictures)))
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            post(f"{url}/invocations", request(["bm90aGluZw=="]))
        assert "row 0: expected a whole JPEG" in refused.value.read().decode()
    expected = model.embed([pictures / name for name in NAMES])
    np.testing.assert_array_equal(np.array(answer["predictions"], np.float32), expected)
