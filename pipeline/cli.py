"""Run a stage from the command line: its signature is its interface."""

from __future__ import annotations

import argparse
import inspect
import signal
import sys
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError

from pipeline.errors import InputError
from pipeline.files import WRITE_ERRORS
from pipeline.origin import recorded


def _converter(hint: Any) -> Callable[[str], Any]:
    if not (isinstance(hint, type) and issubclass(hint, BaseModel)):
        return hint

    def parse(text: str) -> BaseModel:
        try:
            return hint.model_validate_json(text)
        except ValidationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def _add_argument(parser: argparse.ArgumentParser, name: str, hint: Any, default: Any) -> None:
    options: dict[str, Any] = {"required": default is inspect.Parameter.empty}
    if default is not inspect.Parameter.empty:
        options["default"] = default
    if isinstance(hint, types.UnionType):  # `Path | None`
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is list:
        hint, options["nargs"] = typing.get_args(hint)[0], "*"
    parser.add_argument(f"--{name.replace('_', '-')}", type=_converter(hint), **options)


Stage = Callable[..., dict[str, Any] | None]
"""It may return facts for the record of its job, such as the device (see `recorded`)."""


def stage_parser(stage: Stage) -> argparse.ArgumentParser:
    """A parser with one option per parameter of `stage`; a pydantic section is given as JSON.

    `--made-of` and `--makes` are there for every stage: what the origin is recorded of.
    """
    parser = argparse.ArgumentParser(description=(stage.__doc__ or "").split("\n")[0])
    hints = typing.get_type_hints(stage)
    for name, parameter in inspect.signature(stage).parameters.items():
        _add_argument(parser, name, hints[name], parameter.default)
    for name in ("made_of", "makes"):
        _add_argument(parser, name, list[Path], [])
    return parser


def run_stage(stage: Stage, arguments: list[str] | None = None) -> None:
    """Call `stage` with the command line's values; bad input ends in one line, not a traceback.

    With `--made-of` and `--makes` a record of the job is left beside each path that it makes.
    Exits with status 1 on `InputError` and on an operating-system error that names its file, such
    as a full disk, with status 2 on arguments that do not fit, and with 128 + its number on SIGTERM
    and Ctrl-C, which leave nothing half-written either.
    """
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        values = vars(stage_parser(stage).parse_args(arguments))
        made_of, makes = values.pop("made_of"), values.pop("makes")
        with recorded(stage, values, made_of, makes) as facts:
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
