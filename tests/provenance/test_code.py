"""A stage's hash changes with what its code does, and with nothing else."""

import ast
import hashlib
import re

import pytest

from pipeline import ROOT
from pipeline.provenance import code
from pipeline.provenance.code import code_hash, deciding_modules, is_plumbing
from pipeline.provenance.meaning import meaning

STAGE = '''
"""A stage."""
import warnings

from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.inner import value


class Options:
    width: int = 3
    """How wide."""


def stage(names, log):
    """Add up."""
    total = 0
    hint = f"give {value(total)}" if names else "give a name"
    for name in tqdm(names, desc="adding", mininterval=5):
        if name == "":
            raise InputError(f"{name}: empty", "with " + hint)
        total = total + value(name)
    print(f"{total} in all")
    assert total >= 0, "too small"
    print("sum", file=log)
    return {"total": total}
'''

SILENT = {
    "a comment": ("    total = 0\n", "    total = 0  # none yet\n\n"),
    "layout": ("total = total + value(name)", "total = (\n            total + value(name)\n    )"),
    "a module's docstring": ('"""A stage."""', '"""Another stage."""'),
    "no docstring": ('    """Add up."""\n', ""),
    "an attribute's docstring": ('"""How wide."""', '"""How high."""'),
    "the text of an error": ('f"{name}: empty"', 'f"{names}: no {name} " "at all"'),
    "all of an error's texts": ('"with "', '"such as "'),
    "a text that is put into an error": ('f"give {value(total)}"', 'f"{value(total)} is better"'),
    "what is printed": ('print(f"{total} in all")', 'print(total, "of", len(names), end="")'),
    "a warning more": (
        "from pipeline.errors import InputError\n",
        "from pipeline.errors import InputError, warn\nwarn('slow')\n",
    ),
    "a log": (
        "    total = 0\n",
        "    total = 0\n    _log.info('%s', names)\n",
    ),
    "an import of logging": ("import warnings\n", "import logging\nimport warnings\n"),
    "a progress bar": ('desc="adding", mininterval=5', "total=9"),
    "the message of an assert": ('"too small"', 'f"{total} is too small"'),
}
DECISIVE = {
    "an operator": ("total + value", "total - value"),
    "a number": ("total = 0\n", "total = 1\n"),
    "a default": ("width: int = 3", "width: int = 4"),
    "a name in a result": ('{"total"', '{"sum"'),
    "a text that is compared": ('name == ""', 'name == " "'),
    "the kind of an error": ("raise InputError(", "raise KeyError("),
    "when an error is raised": ("if name ==", "if name !="),
    "a call in the text of an error": ('"give {value(total)}"', '"give {total}"'),
    "what is iterated": ("tqdm(names,", "tqdm(names[1:],"),
    "an assert": ("total >= 0", "total > 0"),
    "what is printed into a file": ('print("sum"', 'print("total"'),
}

SYNTAX = """
from __future__ import annotations
import a.b as c
@decorated(1, *arguments, key=2.50, **words)
async def f(p, /, q: int = 0x10, *, r=1j, **s) -> list[tuple[int, ...]]:
    global g
    async with x as y, z: await y
    return [i async for i in y if (n := i)], u'text' 'more'[0:1, ::2]
def h(*t):
    try:
        yield from t
    except* (OSError, ValueError) as error:
        raise RuntimeError from error
    else:
        del t[0]
    finally:
        pass
match f"a{b!r:>{w}.2f}" "c" f'{d=} {e}', {**m, 'k': {1, 2}}, lambda v=...: -v ** 2:
    case {"k": [1 | 2, *_], **rest} if not rest: x @= y // 3
    case Point(x=0) | None | "s": nonlocal_ = (yield_ := a if b else c) < d <= e
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in which a stage imports two modules deep; its root replaces ours."""
    folder = tmp_path / "pipeline"
    folder.mkdir()
    sources = {
        "stage": STAGE,
        "inner": "def value(name):\n    from pipeline import deep\n    return deep.x\n",
        "deep": "x = 1\n",
        "errors": "class InputError(Exception): ...\n",
        "other": "x = 1\n",
    }
    for name, text in sources.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "__init__.py").touch()
    monkeypatch.setattr(code, "ROOT", tmp_path)
    forget()
    yield folder
    forget()


def forget():
    """Another process knows nothing of the sources that were read here."""
    for function in (code_hash, code._module_hash, code._imports, code._parse):
        function.cache_clear()


def hash_with(package, name, text):
    (package / f"{name}.py").write_text(text)
    forget()
    return code_hash("pipeline.stage")


def edited(edits, what):
    old, new = edits[what]
    assert STAGE.count(old) == 1
    return STAGE.replace(old, new)


@pytest.mark.parametrize("what", SILENT)
def test_what_cannot_change_a_result_does_not_change_the_hash(package, what):
    before = code_hash("pipeline.stage")
    assert hash_with(package, "stage", edited(SILENT, what)) == before


@pytest.mark.parametrize("what", DECISIVE)
def test_what_can_change_a_result_changes_the_hash(package, what):
    before = code_hash("pipeline.stage")
    assert hash_with(package, "stage", edited(DECISIVE, what)) != before


@pytest.mark.parametrize(
    "source",
    [
        "text = 'a'\nprint(text)",
        "def f():\n    text = 'a'\n    return text",
        "def f():\n    text = 'a'\n    if text:\n        raise ValueError(text)",
        "def f():\n    text = g('a')\n    print(text)",
        "def f():\n    text = h or g('a')\n    print(text)",
        "def f():\n    text = 'a'\n    text += g()\n    print(text)",
        "def f():\n    text, other = 'a', 0\n    print(text)",
        "def f():\n    global text\n    text = 'a'\n    print(text)",
        "def f():\n    text = 'a'\n    return lambda: text",
        "def f():\n    class C:\n        text = 'a'\n    return C",
    ],
)
def test_a_text_that_may_be_more_than_a_message_counts(source):
    found, other = (meaning(ast.parse(text)) for text in (source, source.replace("'a'", "'b'")))
    assert found != other


def test_imported_modules_count_and_others_do_not(package):
    before = code_hash("pipeline.stage")
    assert hash_with(package, "other", "x = 2\n") == before
    assert hash_with(package, "errors", "class InputError(ValueError): ...\n") == before
    assert hash_with(package, "deep", "x = 2\n") != before


def test_the_hash_is_the_same_in_every_python_version():
    """The syntax tree itself is not: 3.12 and 3.13 have fields that 3.11 has not."""
    found = hashlib.sha256(meaning(ast.parse(SYNTAX)).encode()).hexdigest()
    assert found == "cf9f4dd05ad34c031cace8e13910cee7aa7568adc127de3b1f4fbc95dd5246ed"


def test_a_module_of_the_model_decides_training_and_what_runs_the_network():
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    stages = set(re.findall(r'stage\("([\w.]+):\w+"\)', rules))
    running = {stage for stage in stages if "pipeline.model.dpsm" in deciding_modules(stage)}
    figures = {"pipeline.figures.attention", "pipeline.figures.patches"}
    assert running == {"pipeline.training.train", "pipeline.evaluation.embed"} | figures
    imported = {name for stage in stages for name in deciding_modules(stage) if name != stage}
    assert not any(map(is_plumbing, imported))


def test_checks_and_the_names_of_datasets_decide_no_training():
    trained = deciding_modules("pipeline.training.train")
    assert not [name for name in trained if name.startswith("pipeline.options.data")]
    assert "pipeline.data.checks" not in deciding_modules("pipeline.data.ingest")


def test_an_unknown_module_is_named():
    with pytest.raises(ModuleNotFoundError, match=r"pipeline\.nothing"):
        code_hash("pipeline.nothing")
