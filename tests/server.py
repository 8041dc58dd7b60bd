"""A real HTTP server on loopback that misbehaves as it is told."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server(ThreadingHTTPServer):
    """Serves `content` at every path; the next requests are answered as `faults` says, in turn."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = random.Random(3).randbytes(1_000_000)
        self.faults: list[str] = []
        self.asked: list[str | None] = []  # the Range header of each request
        self.sent = 0  # bytes of bodies
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/folder/file.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.headers["Range"])
        fault = server.faults.pop(0) if server.faults else ""
        if fault.isdigit():
            return self.send_error(int(fault))
        start = self._start(fault)
        if start >= len(server.content):
            return self._head(416, **{"Content-Range": f"bytes */{len(server.content)}"})
        self._head(206 if start else 200, **self._headers(start, fault))
        self._body(server.content[start:], fault)

    def _start(self, fault: str) -> int:
        asked = self.headers["Range"]
        if asked is None or fault == "ignore range":
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _headers(self, start: int, fault: str) -> dict[str, str]:
        size = len(self.server.content)
        headers = {}
        if fault != "no length":
            headers["Content-Length"] = str(size - start)
        if start:
            first = start + 1 if fault == "shift" else start
            headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
        return headers

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, body: bytes, fault: str) -> None:
        if fault == "wrong bytes":
            body = bytes(len(body))
        if fault in ("truncate", "stall"):
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.server.sent += len(body)
        if fault == "stall":
            self.server.stopped.wait(20)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a server for the block, which no proxy may hide."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.stopped.set()
    server.shutdown()
    thread.join()
    server.server_close()
