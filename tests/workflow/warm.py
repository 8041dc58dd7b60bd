"""A `python` that starts at once: it has imported large packages, and runs each command in a fork.

The jobs of the tiny workflow compute for a second and would import torch and timm for four. The
code of the project is never imported here: each fork imports it from its own working directory.

Not for tests of what an interpreter has from its start: signals, environment variables, limits.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

PACKAGES = (
    *("matplotlib.figure", "pandas", "pydantic", "segment_anything", "snakemake.cli", "timm"),
    *("torch", "torchvision", "webdataset"),
)
CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"0"], [0, 1, 2])
job = {{"words": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
server.sendall(json.dumps(job).encode())
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.recv(4) or 1))
"""


@contextmanager
def warm_python() -> Iterator[Path]:
    """A folder with an executable `python` that takes `-m module` and its arguments."""
    with tempfile.TemporaryDirectory() as name:
        folder, address = Path(name), f"{name}/server"
        (folder / "python").write_text(CLIENT.format(python=sys.executable, address=address))
        (folder / "python").chmod(0o755)
        command = [sys.executable, __file__, address]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with subprocess.Popen(command, env=plain, **pipes) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield folder  # leaving closes its stdin, which ends it, as the end of this process does


def serve(address: str) -> dict[str, Any]:
    """Fork for each command that a client sends; returns it, in its fork alone."""
    for name in PACKAGES:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            client, _ = listener.accept()
            if os.fork() == 0:
                return _answer(client)
            client.close()
            _reap()
    _reap()
    sys.exit()


def _answer(client: socket.socket) -> dict[str, Any]:
    """Fork once more: this process waits for the command and tells the client how it ended."""
    _, files, *_ = socket.recv_fds(client, 1, 3)
    job = json.loads(b"".join(iter(lambda: client.recv(1 << 16), b"")))
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        client.sendall(str(code if code >= 0 else 128 - code).encode())
        os._exit(0)
    client.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    return job


def _reap() -> None:
    """End the processes that have answered, so that their time counts as this one's."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def run(job: dict[str, Any]) -> None:
    """Be the interpreter that was asked for, up to its end."""
    option, module, *arguments = job["words"]
    assert option == "-m", job["words"]
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    given = os.environ.get("PYTHONPATH")
    sys.path[:1] = [job["folder"], *(given.split(os.pathsep) if given else [])]
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def exit_at_once(code: str | int | None) -> NoReturn:
    """End as an interpreter does, but leave the memory that the fork shares as it is."""
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
