"""The shape of the product's code: small functions, and names that say what a thing is."""

from __future__ import annotations

import ast
import re
from statistics import median

from tests.source import classes, functions, length, modules

LONGEST = 60
MEDIAN = 8
EMPTY_WORDS = re.compile(r"utils?|managers?|handlers?|engines?|helpers?", re.IGNORECASE)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def is_empty_name(name: str) -> bool:
    return any(EMPTY_WORDS.fullmatch(word) for word in WORD.findall(name))


def test_functions_are_short() -> None:
    lengths = {
        f"{module.name}:{one.lineno} {one.name}": length(one) for module in modules() for one in functions(module.tree)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}
    assert median(lengths.values()) <= MEDIAN


def test_no_file_or_class_has_a_name_that_says_nothing() -> None:
    files = [module.name for module in modules() if is_empty_name(module.name.rpartition(".")[2])]
    named = [f"{module.name}.{one.name}" for module in modules() for one in classes(module.tree)]
    assert files == []
    assert [name for name in named if is_empty_name(name.rpartition(".")[2])] == []


def test_every_module_says_what_it_is_for() -> None:
    assert [module.name for module in modules() if module.tree.body and not ast.get_docstring(module.tree)] == []


def test_length_leaves_the_docstring_out() -> None:
    text = 'def f():\n    """One\n\n    two.\n    """\n    return 1\n'
    assert length(functions(ast.parse(text))[0]) == 2
    assert length(functions(ast.parse("@cache\ndef f(\n    a,\n):\n    return 1\n"))[0]) == 4


def test_empty_names_are_known() -> None:
    empty = ["RequestHandler", "url_utils", "engine", "DNSManager", "Helper"]
    assert [name for name in empty if not is_empty_name(name)] == []
    assert not any(map(is_empty_name, ["handshakes", "Trace", "EngineeredBatch"]))
