"""Explain the errors of pydantic to the author of a configuration."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.options.datasets import MANY, ONE


def explain(error: ValidationError, model: type[BaseModel], prefix: str) -> str:
    """Return a line per invalid key of `model`; `prefix` comes before each key."""
    lines = []
    for item in error.errors():
        location = [part for part in item["loc"] if part not in (ONE, MANY)]
        key = prefix + ".".join(map(str, location))
        if item["type"] == "extra_forbidden":
            allowed = ", ".join(_allowed_keys(model, location))
            lines.append(f"{key}: no such key: use one of {allowed}")
        else:
            lines.append(f"{key}: found {item['input']!r}: {item['msg'].lower()}")
    return "\n".join(lines)


def _allowed_keys(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Return the keys of the section that contains the last part of `path`."""
    for part in path[:-1]:
        if isinstance(part, int):  # of a list
            continue
        field = model.model_fields.get(part)
        section = _section(field.annotation) if field else None
        if section is None:
            return []
        model = section
    return list(model.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the class of a section, also in a union or a list; None for other fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section, typing.get_args(annotation))), None)
