"""Reduce source code to what can change a result: no comments, layout, docstrings or messages."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

_LOGGER = "_log"
"""Name of each module's logger."""
_BAR_METHODS = ("set_description", "set_postfix")
_MESSAGE_MODULES = ("logging", "pipeline.errors", "tqdm")
"""Modules that are used for messages only; their imports are omitted."""
_IGNORED_FIELDS = frozenset({"ctx", "kind", "msg", "type_comment"})
"""Fields of syntax trees; `msg` is the message of an assert."""


def canonical_form(tree: ast.AST) -> str:
    """Serialise a syntax tree without anything that cannot change a result.

    Omits comments, layout, docstrings (also of attributes), calls of print, warn and a logger, the
    arguments of tqdm except the iterable, messages of asserts, strings in a raise, and strings
    assigned to local names that only these read. Also omits empty fields, which depend on the
    Python version.
    """
    return json.dumps(_to_json(tree), sort_keys=True)


def _to_json(node: Any, in_raise: bool = False, messages: frozenset[str] = frozenset()) -> Any:
    """Convert a node, a list of nodes or a constant; `messages` are local names of messages."""
    if isinstance(node, list):
        return [_to_json(item, in_raise, messages) for item in node if not _is_message(item)]
    if not isinstance(node, ast.AST):
        return repr(node)
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr() if in_raise:
            return "text"
        case ast.Call(func=ast.Name(id="tqdm"), args=arguments):
            return ["tqdm", *(_to_json(each, in_raise, messages) for each in arguments[:1])]
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in messages:
            return ["message", name, *_message_code(value)]
        case ast.FunctionDef():
            messages |= _message_names(node)
    in_raise = in_raise or isinstance(node, ast.Raise)
    fields = ((name, value) for name, value in ast.iter_fields(node) if _is_relevant(name, value))
    return [
        type(node).__name__,
        {name: _to_json(value, in_raise, messages) for name, value in fields},
    ]


def _message_code(value: ast.expr) -> list[Any]:
    """Return the code in a message, which may have side effects."""
    match value:
        case ast.Constant(value=str()):
            return []
        case ast.JoinedStr(values=parts):
            return [_to_json(part.value) for part in parts if isinstance(part, ast.FormattedValue)]
        case ast.IfExp(test=test, body=body, orelse=other):
            return [_to_json(test), _message_code(body), _message_code(other)]
    return [_to_json(value)]


def _message_names(function: ast.FunctionDef) -> frozenset[str]:
    """Return local names that a function only assigns and uses in messages."""
    stored, assigned, used = Counter[str](), Counter[str](), set[str]()
    for node in _outside_messages(function):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                stored[name] += 1
            case ast.Assign(targets=[ast.Name(id=name)]):
                assigned[name] += 1
            case ast.Name(id=name):
                used.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                used.update(names)
            case ast.ClassDef():  # its names are attributes
                used.update(each.id for each in ast.walk(node) if isinstance(each, ast.Name))
    return frozenset(name for name in assigned if assigned[name] == stored[name]) - used


def _outside_messages(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.Raise) and not _is_message(child):
            yield child
            yield from _outside_messages(child)


def _is_relevant(field: str, value: Any) -> bool:
    return value is not None and value != [] and field not in _IGNORED_FIELDS


def _is_message(node: Any) -> bool:
    """Return whether a node is a docstring, or a statement that only prints messages."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="print" | "warn"), keywords=keywords)):
            # a print to another file may be a result
            files = (word.value for word in keywords if word.arg == "file")
            return all(ast.unparse(file) == "sys.stderr" for file in files)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method))):
            return owner == _LOGGER or method in _BAR_METHODS
        case ast.ImportFrom(module=module):
            return module in _MESSAGE_MODULES
        case ast.Import(names=names):
            return all(alias.name in _MESSAGE_MODULES for alias in names)
    return False
