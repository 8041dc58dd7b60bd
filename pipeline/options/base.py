"""What every section of the configuration is made of."""

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
"""Of a file or folder of the user's; ~ is the home folder: no shell has replaced it."""
Name = Annotated[str, Field(pattern="^[a-z0-9_]+$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")]
"""A file's name, or that of a folder and of a file in it."""


_NULL = ("", "~", "null")
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""In lower case, as YAML 1.1 reads them."""
_WHOLE = re.compile(r"[-+]?(0|[1-9]\d*)")
_DECIMAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_NOT_TEXT = {"int_type", "float_type", "bool_type"}
"""Kinds of errors of pydantic for a text where something else belongs."""


def read_scalar(value: Any) -> Any:
    """Read a text, or each text in a list, as the null, boolean or number that it stands for.

    Unlike YAML 1.1, takes 1e-3 as a number. Any other value comes back as it is.
    """
    if isinstance(value, list):
        return [read_scalar(item) for item in value]
    if not isinstance(value, str):
        return value
    if value.lower() in _NULL:
        return None
    if _WHOLE.fullmatch(value):
        return int(value)
    return float(value) if _DECIMAL.fullmatch(value) else _BOOLEANS.get(value.lower(), value)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dots between the keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


class Section(BaseModel):
    """A part of the configuration: unknown keys and wrong types are errors.

    Numbers and null may come as text: Snakemake hands over nested values of `--config` so, and
    YAML 1.1 reads 1e-3 so.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _read_text(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        """Validate a text as what it stands for, where the field takes no text."""
        if isinstance(value, str) and value.lower() in _NULL:
            with suppress(ValidationError):
                return validate(None)
        try:
            return validate(value)
        except ValidationError as error:
            found = read_scalar(value)
            if found == value or any(item["type"] not in _NOT_TEXT for item in error.errors()):
                raise
        return validate(found)


def with_suffix(path: str, values: Mapping[str, Any]) -> str:
    """`path`, with a hash of `values` where there are any: other options, another path.

    `values` are the options that differ from their defaults. A hyphen cannot be part of a `Name`.
    """
    if not values:
        return path
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"{path}-{digest[:8]}"
