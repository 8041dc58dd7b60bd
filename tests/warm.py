"""A `python` that starts at once: a server imports large packages and forks for each command.

The jobs in tests compute for a second; importing torch and timm takes four. Each fork imports the
project's code itself, from its own working directory.

SIGINT and SIGTERM reach the command and its children, which are killed with their client. What an
interpreter gets at its start is the server's: some environment variables, file mode mask, limits.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

PACKAGES = (
    *("matplotlib.figure", "mlflow.pyfunc", "pandas", "pydantic", "segment_anything"),
    *("snakemake.cli", "timm", "torch", "torchvision", "webdataset"),
)
CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"0"], [0, 1, 2])
job = {{"words": sys.argv[1:], "folder": os.getcwd(), "python": __file__}}
job["environment"] = dict(os.environ) | {environment!r}
server.sendall(json.dumps(job).encode() + b"\\n")
answers = server.makefile()
group = int(answers.readline())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.killpg(group, number))
sys.exit(int(answers.readline() or 1))
"""


class Running(NamedTuple):
    """A command in a fork."""

    process: int
    client: socket.socket
    files: tuple[int, ...]
    """Its standard streams, open until it has ended: who reads them to the end waits for it."""


@contextmanager
def warm_python(umask: int = -1, **environment: str) -> Iterator[Path]:
    """Yield a folder with an executable `python`, which accepts -m, -c or a script.

    The server starts with the file mode mask (-1: this process's) and the environment variables,
    and so does each command.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, address = Path(name), f"{name}/server"
        client = CLIENT.format(python=sys.executable, address=address, environment=environment)
        (folder / "python").write_text(client)
        (folder / "python").chmod(0o755)
        command = [sys.executable, __file__, address]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        plain |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        with subprocess.Popen(command, env=plain | environment, umask=umask, **pipes) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield folder  # leaving closes its stdin, which ends it, as the end of this process does


def serve(address: str) -> dict[str, Any]:
    """Fork for each command from a client; returns the command, in the fork only."""
    for name in PACKAGES:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as waiting:
        listener.bind(address)
        listener.listen()
        for source in (listener, sys.stdin):
            waiting.register(source, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            key, _ = waiting.select()[0]
            if key.fileobj is listener:
                if job := _fork(listener.accept()[0], waiting):
                    return job
            elif key.fileobj is sys.stdin:  # the tests are over
                sys.exit()
            elif isinstance(key.fileobj, int):
                _answer(key.fileobj, key.data, waiting)
            else:
                _kill(key.data, waiting)


def _fork(client: socket.socket, waiting: selectors.BaseSelector) -> dict[str, Any] | None:
    """Fork for a client's command and watch both; returns the command, in the fork only."""
    _, files, *_ = socket.recv_fds(client, 1, 3)
    line = client.makefile("rb").readline()
    if not line.endswith(b"\n"):  # the client was killed before it had sent all
        _close(files)
        client.close()
        return None
    job = json.loads(line)
    running = Running(os.fork(), client, tuple(files))
    if running.process:
        with suppress(OSError):  # a client that was killed since is noticed by `serve`
            client.sendall(f"{running.process}\n".encode())
        waiting.register(os.pidfd_open(running.process), selectors.EVENT_READ, running)
        waiting.register(client, selectors.EVENT_READ, running)
        return None
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
    others = {key.data for key in waiting.get_map().values() if isinstance(key.data, Running)}
    for each in (running, *others):
        _close(each.files)
    return job


def _close(files: Iterable[int]) -> None:
    for file in files:
        os.close(file)


def _answer(handle: int, running: Running, waiting: selectors.BaseSelector) -> None:
    """Send the exit status to the client."""
    code = os.waitstatus_to_exitcode(os.waitpid(running.process, 0)[1])
    waiting.unregister(handle)
    _close((handle, *running.files))
    if running.client.fileno() >= 0:
        waiting.unregister(running.client)
        with suppress(OSError):
            running.client.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
        running.client.close()


def _kill(running: Running, waiting: selectors.BaseSelector) -> None:
    """Kill a command and its children after its client was killed."""
    waiting.unregister(running.client)
    running.client.close()
    with suppress(ProcessLookupError):
        os.killpg(running.process, signal.SIGKILL)


def run(job: dict[str, Any]) -> None:
    """Run a command as a Python interpreter does."""
    option, *arguments = job["words"]
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    given = os.environ.get("PYTHONPATH")
    sys.path[:1] = [job["folder"], *(given.split(os.pathsep) if given else [])]
    sys.argv = [option, *arguments[option.startswith("-") :]]
    sys.executable = job["python"]  # Snakemake starts scripts by it
    if option == "-m":
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    elif option == "-c":
        exec(arguments[0], {"__name__": "__main__"})
    else:
        runpy.run_path(option, run_name="__main__")


def exit_at_once(code: str | int | None) -> NoReturn:
    """Exit as an interpreter does, but without touching the memory that the fork shares."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if isinstance(code, str) else code or 0)


if __name__ == "__main__":
    job = serve(sys.argv[1])
    try:
        run(job)
    except SystemExit as end:
        exit_at_once(end.code)
    exit_at_once(0)
