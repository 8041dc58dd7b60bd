"""Run a stage: for a Snakemake rule by its names, or from the command line by its signature."""

from __future__ import annotations

import argparse
import importlib
import inspect
import signal
import sys
import traceback
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, Any, NoReturn

from pydantic import BaseModel, ValidationError

from pipeline.errors import InputError
from pipeline.files import WRITE_ERRORS
from pipeline.provenance.record import recorded

Stage = Callable[..., dict[str, Any] | None]
"""It may return facts for the record of its job, such as the device (see `recorded`)."""

COMMANDS = {
    "trace": "pipeline.provenance.trace:trace",
    "agree": "pipeline.tables.agree:agree",
    "relocate": "pipeline.tracking.relocate:relocate",
}
"""Stages that no rule runs, by the name that the command line has for them."""


def load_stage(name: str) -> Stage:
    """The function named `module:function`."""
    module, _, function = name.partition(":")
    stage: Stage = getattr(importlib.import_module(module), function)
    return stage


def launch(job: Any) -> None:
    """Run the stage of a rule; `job` is the object `snakemake` of its script.

    The rule names the stage in `params.stage`, as module:function@hash of its code. Parameters of
    the stage get the rule's inputs, outputs, params and wildcards of the same name, and `processes`
    its threads. What has no name in the rule is not passed: an input that must only be there, a
    param that is only tracked. What is printed goes to the rule's log as well.
    """
    stage = load_stage(job.params.stage.partition("@")[0])
    with _logged(Path(job.log[0])):
        run_stage(stage, bind(stage, job), _paths(job.input), _paths(job.output))


def _paths(names: Sequence[str]) -> list[Path]:
    return [Path(name) for name in names]


def bind(stage: Stage, job: Any) -> dict[str, Any]:
    """The arguments of `stage` by name; TypeError for a name that it has no parameter for."""
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
    """A value of a rule as the type that a parameter has.

    A section of options is given as JSON, a `Run` as files of it.
    """
    if isinstance(hint, types.UnionType):  # `Path | None`
        return _convert(typing.get_args(hint)[0], value) if value else None
    if typing.get_origin(hint) is list:
        return _convert_list(typing.get_args(hint)[0], value)
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
    """A text stream that writes to the terminal and to the log."""

    terminal: IO[str]
    log: IO[str]

    def write(self, text: str) -> int:
        self.log.write(text)
        return self.terminal.write(text)

    def flush(self) -> None:
        self.log.flush()
        self.terminal.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.terminal, name)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Print to the file as well, an error that ends the block too."""
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
    """Call `stage` with `values`; bad input ends in one line, not a traceback.

    A record of the job is left beside each path of `outputs`, as made of `inputs`.
    Exits with status 1 on `InputError` and on an operating-system error that names its file, such
    as a full disk, and with 128 + its number on SIGTERM and Ctrl-C, which leave nothing
    half-written either.
    """
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        with recorded(stage, values, inputs, outputs) as facts:
            facts |= stage(**values) or {}
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        # without a file it is a library's own error: its traceback says more
        if error.filename is None:
            raise
        sys.exit(f"error: {_describe(error)}")
    except KeyboardInterrupt:
        _exit(signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, before)


def _describe(error: OSError) -> str:
    """Which file the system could not open, read or write, and why."""
    if error.errno in WRITE_ERRORS:
        return (
            f"{error.filename}: cannot be written ({error.strerror}); partial output removed: "
            "make room and run it again"
        )
    return f"{error.filename}: {error.strerror}: check that it is there and its permissions"


def _exit(number: int, frame: object = None) -> NoReturn:
    """End as by the signal, but by an exception: whoever has a file half-written deletes it."""
    sys.exit(128 + number)


def main(arguments: list[str] | None = None) -> None:
    """Run a command of `COMMANDS`, or any stage as module:function, from the command line."""
    parser = argparse.ArgumentParser(prog="dpeformer", description=main.__doc__)
    parser.add_argument("command", help=f"{', '.join(COMMANDS)}, or module:function of a stage")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="--help lists those of a command")
    given = parser.parse_args(arguments)
    stage = load_stage(COMMANDS.get(given.command, given.command))
    run_stage(stage, vars(stage_parser(stage).parse_args(given.options)))


def stage_parser(stage: Stage) -> argparse.ArgumentParser:
    """A parser with one option per parameter of `stage`; a pydantic section is given as JSON."""
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
