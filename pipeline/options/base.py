"""Base class and field types of the configuration's sections."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
LocalPath = Annotated[str, AfterValidator(os.path.expanduser)]
"""Path of a file or folder; ~ is expanded to the home folder."""
Name = Annotated[str, Field(pattern="^[a-z0-9_]+$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
"""Name of a file, or folder/file."""


_NULL = ("", "~", "null")
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""YAML 1.1's booleans, in lower case."""
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d*)")
_DECIMAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_TYPE_ERRORS = {"int_type", "float_type", "bool_type"}
"""Pydantic's error types for a string in the place of another scalar."""


def read_scalar(value: Any) -> Any:
    """Convert a string, or each string in a list, to the null, boolean or number that it denotes.

    Unlike YAML 1.1, reads 1e-3 as a number. Other values are returned unchanged.
    """
    if isinstance(value, list):
        return [read_scalar(item) for item in value]
    if not isinstance(value, str):
        return value
    if value.lower() in _NULL:
        return None
    if _INTEGER.fullmatch(value):
        return int(value)
    return float(value) if _DECIMAL.fullmatch(value) else _BOOLEANS.get(value.lower(), value)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings; joins the keys with dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


class Section(BaseModel):
    """A section of the configuration: unknown keys and wrong types are errors.

    Accepts numbers and null as strings: Snakemake passes nested values of `--config` as strings,
    and YAML 1.1 reads 1e-3 as a string.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _read_string(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        """Validate a string as the scalar that it denotes, if the field takes no strings."""
        if isinstance(value, str) and value.lower() in _NULL:
            with suppress(ValidationError):
                return validate(None)
        try:
            return validate(value)
        except ValidationError as error:
            found = read_scalar(value)
            if found == value or any(item["type"] not in _TYPE_ERRORS for item in error.errors()):
                raise
        return validate(found)


def with_suffix(path: str, values: Mapping[str, Any]) -> str:
    """Append a hash of `values`, the options that differ from their defaults, if there are any.

    Different options thus have different paths. The hyphen never occurs in a `Name`.
    """
    if not values:
        return path
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"{path}-{digest[:8]}"
