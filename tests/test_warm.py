"""The server of `warm_python` survives clients that are killed at any moment."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

JOB = {"words": ["-c", "import time; time.sleep(60)"], "folder": "/", "environment": {}}


@pytest.mark.parametrize(
    "sent", [b"", b'{"words"', json.dumps(JOB | {"python": ""}).encode() + b"\n"]
)
def test_a_killed_client_harms_no_other(warm: Path, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client, open(os.devnull, "r+") as null:
        client.connect(str(warm / "server"))
        if sent:
            socket.send_fds(client, [b"x"], [null.fileno()] * 3)
            client.sendall(sent)
    done = subprocess.run([warm / "python", "-c", "print(7)"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "7\n")
