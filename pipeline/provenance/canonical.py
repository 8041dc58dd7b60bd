"""Source code without what cannot change a result: comments, layout, docstrings, messages."""

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
"""Their imports are left out: they are used for messages only."""
_UNUSED_FIELDS = frozenset({"ctx", "kind", "msg", "type_comment"})
"""`msg` is the message of an assert."""


def meaning(tree: ast.AST) -> str:
    """Write a syntax tree as text; two sources with the same text differ in their messages at most.

    Left out: comments, layout, docstrings (also of attributes), calls of print, warn and a logger,
    all but the iterable of tqdm, messages of asserts, the texts in a raise, and those that are
    assigned to a local name which nothing but these reads. Empty fields are left out as well,
    because they differ between Python versions.
    """
    return json.dumps(_plain(tree), sort_keys=True)


def _plain(node: Any, in_raise: bool = False, messages: frozenset[str] = frozenset()) -> Any:
    """A node, a list of nodes or a constant as JSON values; `messages` are names of texts."""
    if isinstance(node, list):
        return [_plain(item, in_raise, messages) for item in node if not _is_silent(item)]
    if not isinstance(node, ast.AST):
        return repr(node)
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr() if in_raise:
            return "text"
        case ast.Call(func=ast.Name(id="tqdm"), args=arguments):
            return ["tqdm", *(_plain(each, in_raise, messages) for each in arguments[:1])]
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in messages:
            return ["message", name, *_computed(value)]
        case ast.FunctionDef():
            messages |= _message_names(node)
    in_raise = in_raise or isinstance(node, ast.Raise)
    fields = ((name, value) for name, value in ast.iter_fields(node) if _counts(name, value))
    return [
        type(node).__name__,
        {name: _plain(value, in_raise, messages) for name, value in fields},
    ]


def _computed(value: ast.expr) -> list[Any]:
    """Code that a message contains: it may have side effects, so it counts."""
    match value:
        case ast.Constant(value=str()):
            return []
        case ast.JoinedStr(values=parts):
            return [_plain(part.value) for part in parts if isinstance(part, ast.FormattedValue)]
        case ast.IfExp(test=test, body=body, orelse=other):
            return [_plain(test), _computed(body), _computed(other)]
    return [_plain(value)]


def _message_names(function: ast.FunctionDef) -> frozenset[str]:
    """Local names that a function only assigns and puts into messages."""
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
        if not isinstance(child, ast.Raise) and not _is_silent(child):
            yield child
            yield from _outside_messages(child)


def _counts(field: str, value: Any) -> bool:
    return value is not None and value != [] and field not in _UNUSED_FIELDS


def _is_silent(node: Any) -> bool:
    """Whether a node is a statement without effect on a result."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="print" | "warn"), keywords=keywords)):
            # a print into another file may be a result
            files = (word.value for word in keywords if word.arg == "file")
            return all(ast.unparse(file) == "sys.stderr" for file in files)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=method))):
            return owner == _LOGGER or method in _BAR_METHODS
        case ast.ImportFrom(module=module):
            return module in _MESSAGE_MODULES
        case ast.Import(names=names):
            return all(alias.name in _MESSAGE_MODULES for alias in names)
    return False
