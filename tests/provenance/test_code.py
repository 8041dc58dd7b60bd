"""The hash of a stage's code changes if and only if its result may change."""

import ast
import hashlib
import json
import re

import pytest

from pipeline import ROOT
from pipeline.provenance import code
from pipeline.provenance.canonical import canonical_form
from pipeline.provenance.code import code_hash, is_ignored, required_modules

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

WITHOUT_EFFECT = {
    "a comment": ("    total = 0\n", "    total = 0  # none yet\n\n"),
    "layout": ("total = total + value(name)", "total = (\n            total + value(name)\n    )"),
    "a module's docstring": ('"""A stage."""', '"""Another stage."""'),
    "no docstring": ('    """Add up."""\n', ""),
    "an attribute's docstring": ('"""How wide."""', '"""How high."""'),
    "an error message": ('f"{name}: empty"', 'f"{names}: no {name} " "at all"'),
    "another string of an error": ('"with "', '"such as "'),
    "a variable in an error": ('f"give {value(total)}"', 'f"{value(total)} is better"'),
    "a printed message": ('print(f"{total} in all")', 'print(total, "of", len(names), end="")'),
    "another warning": (
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
WITH_EFFECT = {
    "an operator": ("total + value", "total - value"),
    "a number": ("total = 0\n", "total = 1\n"),
    "a default": ("width: int = 3", "width: int = 4"),
    "a name in a result": ('{"total"', '{"sum"'),
    "a compared string": ('name == ""', 'name == " "'),
    "the class of an error": ("raise InputError(", "raise KeyError("),
    "the condition of an error": ("if name ==", "if name !="),
    "a call in an error message": ('"give {value(total)}"', '"give {total}"'),
    "the iterable of a progress bar": ("tqdm(names,", "tqdm(names[1:],"),
    "an assert": ("total >= 0", "total > 0"),
    "a print to a file": ('print("sum"', 'print("total"'),
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
    """A small package in place of ours, in which a stage imports modules two levels deep."""
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
    clear_caches()
    yield folder
    clear_caches()


def clear_caches():
    """Forget the sources, as a new process does."""
    for function in (code_hash, code._source, code._stored, code._summarise):
        function.cache_clear()


def hash_with(package, name, text):
    (package / f"{name}.py").write_text(text)
    clear_caches()
    return code_hash("pipeline.stage")


def edited(old, new):
    assert STAGE.count(old) == 1
    return STAGE.replace(old, new)


def test_later_processes_read_stored_summaries(package, monkeypatch):
    before = code_hash("pipeline.stage")
    clear_caches()
    monkeypatch.setattr(code, "canonical_form", lambda _: pytest.fail("made again"))
    assert code_hash("pipeline.stage") == before


def test_damaged_summaries_are_made_again(package):
    before = code_hash("pipeline.stage")
    (package.parent / code.STORED).write_text("{")
    clear_caches()
    assert code_hash("pipeline.stage") == before
    json.loads((package.parent / code.STORED).read_text())


def test_summaries_cannot_be_stored(package):
    (package / "__pycache__").touch()
    assert code_hash("pipeline.stage")


@pytest.mark.parametrize("edit", WITHOUT_EFFECT.values(), ids=WITHOUT_EFFECT)
def test_edit_without_effect_keeps_the_hash(package, edit):
    before = code_hash("pipeline.stage")
    assert hash_with(package, "stage", edited(*edit)) == before


@pytest.mark.parametrize("edit", WITH_EFFECT.values(), ids=WITH_EFFECT)
def test_edit_with_effect_changes_the_hash(package, edit):
    before = code_hash("pipeline.stage")
    assert hash_with(package, "stage", edited(*edit)) != before


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
def test_string_used_outside_messages_changes_the_hash(source):
    found, other = (
        canonical_form(ast.parse(text)) for text in (source, source.replace("'a'", "'b'"))
    )
    assert found != other


def test_only_imported_modules_change_the_hash(package):
    before = code_hash("pipeline.stage")
    assert hash_with(package, "other", "x = 2\n") == before
    assert hash_with(package, "errors", "class InputError(ValueError): ...\n") == before
    assert hash_with(package, "deep", "x = 2\n") != before


def test_modules_imported_for_type_checkers_do_not_change_the_hash(package):
    block = "if TYPE_CHECKING:\n    from pipeline.other import x\n"
    before = hash_with(package, "stage", STAGE + block)
    assert hash_with(package, "other", "x = 2\n") == before


def test_hash_does_not_depend_on_the_python_version():
    """Python 3.12 and 3.13 have fields of syntax trees that 3.11 lacks."""
    found = hashlib.sha256(canonical_form(ast.parse(SYNTAX)).encode()).hexdigest()
    assert found == "cf9f4dd05ad34c031cace8e13910cee7aa7568adc127de3b1f4fbc95dd5246ed"


def test_only_stages_that_run_the_network_depend_on_the_model():
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    stages = set(re.findall(r'stage\("([\w.]+):\w+"\)', rules))
    running = {stage for stage in stages if "pipeline.model.dpsm" in required_modules(stage)}
    reports = {"pipeline.figures.attention", "pipeline.figures.patches"}
    reports |= {"pipeline.pretraining.vit_report"}
    use = {f"pipeline.use.{name}" for name in ("embed", "export", "search")}
    assert running == {"pipeline.training.train", "pipeline.evaluation.embed"} | reports | use
    imported = {name for stage in stages for name in required_modules(stage) if name != stage}
    assert not any(map(is_ignored, imported))


def test_training_does_not_depend_on_checks_dataset_names_and_tracking():
    trained = required_modules("pipeline.training.train")
    assert not [name for name in trained if name.startswith("pipeline.options.data")]
    assert not [name for name in trained if "tracking" in name]
    assert "pipeline.data.checks" not in required_modules("pipeline.data.ingest")


def test_unknown_module_is_named():
    with pytest.raises(ModuleNotFoundError, match=r"pipeline\.nothing"):
        code_hash("pipeline.nothing")
