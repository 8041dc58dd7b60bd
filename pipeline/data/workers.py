"""Loader processes: share their tensors, and explain their deaths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor
from torch.utils.data import get_worker_info

from pipeline.errors import InputError

_WORKER_DIED = re.compile("DataLoader worker.*(killed by signal|exited unexpectedly)")
_CONNECTION_ERRORS = (ConnectionResetError, ConnectionRefusedError, EOFError)
"""Raised by the socket to a worker that dies while it sends a batch."""
_OUT_OF_MEMORY = re.compile("DataLoader worker(.|\n)*(MemoryError|allocate memory)")


def share_in_worker(tensors: Iterable[Tensor]) -> None:
    """Move tensors to shared memory if this process is a worker.

    torch does that in a thread and swallows its errors; the loader would hang.
    """
    if get_worker_info() is not None:
        for tensor in tensors:
            tensor.share_memory_()


@contextmanager
def explain_worker_errors(workers: int) -> Iterator[None]:
    """Raise InputError if one of the `workers` dies or runs out of memory.

    torch raises as soon as a worker dies, whatever this process is doing. InputErrors of a worker
    keep their message.
    """
    try:
        yield
    except InputError as error:  # torch puts the worker's traceback in front
        raise InputError(str(error).rpartition("InputError: ")[2].rstrip()) from None
    except (RuntimeError, MemoryError, *_CONNECTION_ERRORS) as error:
        text = str(error).strip() or "end of file"
        known = _WORKER_DIED.search(text) or _OUT_OF_MEMORY.search(text)
        if not (known or isinstance(error, _CONNECTION_ERRORS)):
            raise
        found = text.splitlines()[-1].rstrip(". ")
        raise InputError(
            f"config: compute.workers: expected {workers} loader processes, found: {found}: "
            "memory may be full: lower compute.workers (changes no result) and run the same "
            "command again; a training resumes from its last checkpoint"
        ) from None
