"""Drive a Chromium without a window over a pipe, by the Chrome DevTools Protocol."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
OPTIONS = (
    *("--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"),
    *("--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage"),
)
KEYS = {"Escape": 27, "Tab": 9, "ArrowRight": 39}
"""Key codes of the keys that write no character."""


class Page:
    """A page in the browser; `problems` are its console's warnings and errors, and exceptions."""

    def __init__(self, commands: IO[bytes], replies: IO[bytes]) -> None:
        self.problems: list[str] = []
        self._commands, self._replies = commands, replies
        self._numbers = itertools.count(1)
        self._session: dict[str, str] = {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters} | self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while (reply := self._read()).get("id") != number:
            self._note(reply)
        assert "error" not in reply, reply["error"]
        result: dict[str, Any] = reply["result"]
        return result

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while not data.endswith(b"\0"):
            byte = self._replies.read(1)
            assert byte, "the browser ended"
            data += byte
        reply: dict[str, Any] = json.loads(data[:-1])
        return reply

    def _note(self, event: dict[str, Any]) -> None:
        """Keep an event that is a problem."""
        method, values = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(str(values["exceptionDetails"]))
        elif method == "Log.entryAdded" and values["entry"]["level"] in ("warning", "error"):
            self.problems.append(str(values["entry"]))
        elif method == "Runtime.consoleAPICalled" and values["type"] in ("warning", "error"):
            self.problems.append(str(values["args"]))

    def open(self, file: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.call("Page.navigate", url=file.absolute().as_uri())
        while self.value("document.readyState + location") != f"complete{file.absolute().as_uri()}":
            pass
        self.settle()

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; waits for a promise."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def settle(self) -> None:
        """Wait until the page is drawn, so that its observers have run."""
        frame = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"
        self.value(f"{frame}.then(() => {frame})")

    def resize(self, width: int, height: int = 900, scheme: str = "light") -> None:
        """Set the window's size in pixels, and the colour scheme light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.settle()

    def click(self, selector: str) -> None:
        """Click the middle of the first element of a CSS selector with the mouse."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.value(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({box})")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settle()

    def press(self, key: str) -> None:
        """Press a key, such as j or Escape."""
        code = KEYS.get(key) or ord(key.upper())
        text = "" if key in KEYS else key
        for kind, written in (("keyDown", text), ("keyUp", "")):
            values = {"type": kind, "key": key, "windowsVirtualKeyCode": code, "text": written}
            self.call("Input.dispatchKeyEvent", **values)
        self.settle()

    def write(self, text: str) -> None:
        """Type a text into the focused element."""
        self.call("Input.insertText", text=text)
        self.settle()

    def screenshot(self, file: Path) -> None:
        """Write what the window shows to a PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))


@contextmanager
def open_browser(profile: Path) -> Iterator[Page]:
    """Start Chromium with an empty profile and yield a page; the browser ends with the block."""
    # the browser reads commands from the file descriptor 3 and writes replies to 4
    (for_browser, commands), (replies, from_browser) = os.pipe(), os.pipe()
    redirected = ("bash", "-c", 'exec "$@" 3<&"$IN" 4>&"$OUT"', "bash")
    process = subprocess.Popen(
        [*redirected, str(CHROMIUM), *OPTIONS, f"--user-data-dir={profile}"],
        env=os.environ | {"IN": str(for_browser), "OUT": str(from_browser)},
        pass_fds=(for_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(for_browser)
    os.close(from_browser)
    try:
        with open(commands, "wb") as writing, open(replies, "rb") as reading:
            page = Page(writing, reading)
            yield page
            page.call("Browser.close")
    finally:
        process.kill()
        process.wait()
