"""The JSON schema of config.yaml, for editors: `python -m pipeline.config_schema` prints it."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from itertools import pairwise

from pipeline.config import Config
from pipeline.options.base import Section


def json_schema() -> str:
    """Return the JSON schema of config.yaml, for editors."""
    schema = Config.model_json_schema()
    sections = {section.__name__: section for section in _subclasses(Section)}
    for name, definition in {**schema["$defs"], Config.__name__: schema}.items():
        for parent in sections[name].__mro__:
            for field, text in _field_docstrings(parent):
                definition["properties"][field].setdefault("description", text)
    return json.dumps(schema, indent=2) + "\n"


def _subclasses(section: type[Section]) -> Iterator[type[Section]]:
    for each in section.__subclasses__():
        yield from (each, *_subclasses(each))


def _field_docstrings(section: type) -> Iterator[tuple[str, str]]:
    """Yield fields and their docstrings.

    `use_attribute_docstrings` would read all sources whenever a process starts: a quarter second.
    """
    if not issubclass(section, Section):
        return
    (definition,) = ast.parse(inspect.getsource(section)).body
    for field, text in pairwise(definition.body):  # type: ignore[attr-defined]
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(value))):
                yield name, inspect.cleandoc(value)


if __name__ == "__main__":
    print(json_schema(), end="")
