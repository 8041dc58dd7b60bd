"""Real MLflow servers on loopback, which can be frozen and killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from pipeline.options.tracking import Destination

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

APPLICATION = """
import os, sys, uvicorn
print(os.getpid(), flush=True)
uvicorn.run("mlflow.server.fastapi_app:app", port=int(sys.argv[1]), log_level="error")
"""
"""What `mlflow server` runs, in one process; it prints its own id."""
STARTING = 120.0
"""Seconds that a server may take to answer."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MlflowServer:
    """A server with a sqlite file and a folder of artifacts; keeps its port when started again."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._python = python
        self._group = 0

    def command(self) -> Sequence[str]:
        return [str(self._python), "-c", APPLICATION, str(self.port)]

    def environment(self) -> dict[str, str]:
        return {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{self.folder}/server.db",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self.folder / "artifacts"),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }

    def start(self) -> None:
        with open(self.folder / "server.log", "a") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=os.environ | self.environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                text=True,
            )
        self._group = self.leader(self._process)
        self._wait()

    def leader(self, process: subprocess.Popen[str]) -> int:
        """The leader of the server's process group: the fork of a warm Python prints it."""
        assert process.stdout is not None
        return int(process.stdout.readline())

    def _wait(self) -> None:
        end = time.monotonic() + STARTING
        while time.monotonic() < end:
            with suppress(requests.RequestException):
                if requests.get(f"{self.uri}/health", timeout=10).ok:
                    return
            assert self._process.poll() is None, (self.folder / "server.log").read_text()
            time.sleep(0.05)
        raise TimeoutError(self.uri)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        os.killpg(self._group, number)

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # it was killed before
            self.send(signal.SIGKILL)
        self._process.communicate()

    def destination(self, experiment: str) -> Destination:
        return Destination(uri=self.uri, experiment=experiment)

    def client(self) -> MlflowClient:
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    def runs(self, experiment: str) -> dict[str, Run]:
        """The runs of an experiment by name; no two may have the same."""
        client = self.client()
        found = client.get_experiment_by_name(experiment)
        runs = client.search_runs([found.experiment_id]) if found else []
        named = {run.info.run_name: run for run in runs}
        assert len(named) == len(runs), sorted(run.info.run_name for run in runs)
        return named

    def curve(self, run: str, name: str = "loss") -> list[tuple[int, float]]:
        """Epoch and value of each point of a curve, in the order of the epochs."""
        points = self.client().get_metric_history(run, name)
        return sorted((point.step, point.value) for point in points)
