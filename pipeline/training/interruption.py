"""Graceful stop: on SIGTERM or Ctrl-C a training finishes its step, saves and exits."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Record the first stop signal while open; a second one ends the process at once.

    Not so with `repeated`: a rank gets the signal from the terminal or the cluster, and again from
    the process that started it.
    """

    def __init__(self, repeated: bool = False) -> None:
        self._repeated = repeated
        self.signal: signal.Signals | None = None
        """The signal received; None so far."""
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        self._previous = {number: signal.signal(number, self._record) for number in SIGNALS}
        return self

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        if self._repeated:
            return
        for stop_signal in SIGNALS:
            signal.signal(stop_signal, signal.SIG_DFL)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
