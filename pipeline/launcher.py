"""Run a stage for a Snakemake rule, or from the command line by its function's name."""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import inspect
import os
import signal
import sys
import threading
import traceback
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, Any, NoReturn

from pydantic import BaseModel, ValidationError

from pipeline.errors import InputError
from pipeline.files import explain_os_error
from pipeline.provenance.bucket import fetch_records, store_record
from pipeline.provenance.record import recorded

Stage = Callable[..., dict[str, Any] | None]
"""A stage may return facts for its job's record, such as the device (see `recorded`)."""


def load_stage(name: str) -> Stage:
    """Import the function `module:function`.

    Garbage is not collected during the import, and imported objects are never searched for it:
    that would take a third of the time of a start.
    """
    module, _, function = name.partition(":")
    gc.disable()
    try:
        stage: Stage = getattr(importlib.import_module(module), function)
    finally:
        gc.freeze()
        gc.enable()
    return stage


def launch(job: Any) -> NoReturn:
    """Run the stage of a rule and end the process; `job` is the `snakemake` object of its script.

    `params.stage` is module:function@hash of the code. The rule's named inputs, outputs, params and
    wildcards become the stage's arguments; `processes` is the rule's threads. Unnamed inputs and
    params are not passed: they only trigger reruns. Output also goes to the rule's log.
    """
    # Snakemake repeats its own folders, and MLflow reads the files of all packages of each
    sys.path[:] = dict.fromkeys(sys.path)
    stage = load_stage(job.params.stage.partition("@")[0])
    inputs, outputs = _paths(job.input), _paths(job.output)
    with _logged(Path(job.log[0])):
        fetch_records(inputs)
        run_stage(stage, bind(stage, job), inputs, outputs)
        store_record(outputs)
    _exit_without_freeing()


def _exit_without_freeing() -> NoReturn:
    """End the process: to free its objects one by one would take 0.2 s of a training.

    Files that a stage has left open are not flushed, and temporary ones not removed.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads and executors
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: closed by the caller
        stream.flush()
    os._exit(0)


def _paths(names: Sequence[str]) -> list[Path]:
    return [Path(name) for name in names]


def bind(stage: Stage, job: Any) -> dict[str, Any]:
    """Return the arguments of `stage` by name; TypeError for a name without a parameter."""
    hints = typing.get_type_hints(stage)
    parameters = inspect.signature(stage).parameters
    named = {**job.params, **job.input, **job.output}
    del named["stage"]
    unknown = named.keys() - parameters.keys()
    if unknown:
        raise TypeError(f"rule {job.rule}: {stage.__name__} has no parameter {', '.join(unknown)}")
    given = {"processes": job.threads, **job.wildcards, **named}
    return {name: _convert(hints[name], given[name]) for name in parameters if name in given}


def _convert(hint: Any, value: Any) -> Any:
    """Convert a rule's value to a parameter's type: options from JSON, a `Run` from its files."""
    if isinstance(hint, types.UnionType):  # `Path | None`
        return _convert(typing.get_args(hint)[0], value) if value else None
    if typing.get_origin(hint) is list:
        return _convert_list(typing.get_args(hint)[0], value)
    if typing.get_origin(hint) is typing.Literal:
        return value
    if issubclass(hint, BaseModel):
        return hint.model_validate_json(value)
    if isinstance(value, str | int | float | Path):
        return hint(value)
    (only,) = _convert_list(hint, value)
    return only


def _convert_list(hint: Any, values: Sequence[Any]) -> list[Any]:
    if hasattr(hint, "from_files"):
        return list(hint.from_files([Path(value) for value in values]))
    return [_convert(hint, value) for value in values]


class _Tee(typing.NamedTuple):
    """A text stream that writes to both terminal and log."""

    terminal: IO[str] | None
    """None: the caller has closed it."""
    log: IO[str]

    def write(self, text: str) -> int:
        self.log.write(text)
        return self.terminal.write(text) if self.terminal else len(text)

    def flush(self) -> None:
        self.log.flush()
        if self.terminal:
            self.terminal.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.terminal or self.log, name)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Copy all output of the block to the file, including an error that ends it."""
    with (
        open(path, "w", encoding="utf-8", buffering=1) as log,
        redirect_stdout(_Tee(sys.stdout, log)),
        redirect_stderr(_Tee(sys.stderr, log)),
    ):
        try:
            yield
        except SystemExit as end:
            if not isinstance(end.code, str):
                raise
            print(end.code, file=sys.stderr)
            sys.exit(1)
        except Exception:
            traceback.print_exc()
            sys.exit(1)


def run_stage(
    stage: Stage,
    values: Mapping[str, Any],
    inputs: Sequence[Path] = (),
    outputs: Sequence[Path] = (),
) -> None:
    """Call `stage` with `values` and write the job's record beside `outputs`.

    Exits with status 1 and a one-line message on `InputError` and on an operating-system error
    that names its file, such as a full disk; with 128 + the signal's number on SIGTERM and Ctrl-C.
    None of these leaves partial output.
    """
    previous_handler = signal.signal(signal.SIGTERM, _exit)
    try:
        with recorded(stage, values, inputs, outputs) as facts:
            facts |= stage(**values) or {}
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        # an OSError without a file comes from a library: show its traceback
        if error.filename is None:
            raise
        sys.exit(f"error: {explain_os_error(error)}")
    except KeyboardInterrupt:
        _exit(signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, previous_handler)


def _exit(number: int, frame: object = None) -> NoReturn:
    """Exit by an exception, so that partial output is removed."""
    sys.exit(128 + number)


def main(arguments: list[str] | None = None) -> None:
    """Run any stage, as module:function, from the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.launcher", description=main.__doc__)
    parser.add_argument("stage", help="module:function")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="see STAGE --help")
    given = parser.parse_args(arguments)
    stage = load_stage(given.stage)
    run_stage(stage, vars(stage_parser(stage).parse_args(given.options)))


def stage_parser(stage: Stage) -> argparse.ArgumentParser:
    """Return a parser with one option per parameter of `stage`; options sections are JSON."""
    parser = argparse.ArgumentParser(description=(stage.__doc__ or "").split("\n")[0])
    hints = typing.get_type_hints(stage)
    for name, parameter in inspect.signature(stage).parameters.items():
        _add_argument(parser, name, hints[name], parameter.default)
    return parser


def _add_argument(parser: argparse.ArgumentParser, name: str, hint: Any, default: Any) -> None:
    options: dict[str, Any] = {"required": default is inspect.Parameter.empty}
    if default is not inspect.Parameter.empty:
        options["default"] = default
    if isinstance(hint, types.UnionType):  # `Path | None`
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) is list:
        hint, options["nargs"] = typing.get_args(hint)[0], "*"
    parser.add_argument(f"--{name.replace('_', '-')}", type=_parse(hint), **options)


def _parse(hint: Any) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return _convert(hint, text)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


if __name__ == "__main__":
    main()
