"""What strangers send is read in time that grows with its length: 60 kB in no more than some 50 ms.

The bound is no time by a clock on the wall, but a number of steps (tests.steps).
"""

from __future__ import annotations

import ast
import gc
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import probe.codecs
from tests.parsers import LONG, PARSERS, Parser
from tests.source import modules
from tests.steps import is_bounded

RUNS = (
    *(bytes([byte]) for byte in b" \t\r\n\0\x7f\xffa01.:;,-_=%&/\\\"'<>()[]{}#"),
    *(b"\r\n", b"\r\n ", b" \r\n", b"a:", b"a: ", b"a;", b"a,", b"a.", b"a-", b"a=b;", b"a=b,", b"a b "),
    *(b"1.", b"1:", b"1 ", b"0x", b"12:34:", b"1.2.3.", b"abcd:", b"abcd.", b"::"),
    *(b'\\"', b'""', b"<a", b"<a>", b"<title", b"<title>", b"</title", b"&amp;"),
    *(b"[1,", b'{"a":', b"{a,", b"- ", b"? ", b"&a ", b"\xc0\x0c", b"\xef\xbb\xbf", b"\x00\x01", b"\x80", b"xn--"),
)


def long_one(parser: Parser, frame: tuple[bytes, bytes], run: bytes) -> bytes:
    before, behind = frame
    return before + run * max(0, (parser.length - len(before) - len(behind)) // len(run)) + behind


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    """What other tests left behind is not collected at a parser's cost."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_long_run_of_anything_is_read_in_bounded_time(parser: Parser) -> None:
    slow = [
        (frame, run)
        for frame in parser.frames
        for run in (*RUNS, *parser.more)
        if not is_bounded(partial(parser, long_one(parser, frame, run)), parser.allowance)
    ]
    assert slow == []


RUN = st.tuples(st.sampled_from(RUNS) | st.binary(min_size=1, max_size=4), st.integers(1, 9_000))


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
@given(parts=st.lists(RUN, min_size=1, max_size=12), chosen=st.integers(0, 99))
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
def test_runs_of_several_things_are_read_in_bounded_time(
    parser: Parser, parts: list[tuple[bytes, int]], chosen: int
) -> None:
    before, behind = parser.frames[chosen % len(parser.frames)]
    runs = [*(run * count for run, count in parts), *(more * 9 for more in parser.more)]
    data = before + b"".join(runs)[: parser.length - len(before) - len(behind)] + behind
    assert is_bounded(lambda: parser(data), parser.allowance)


ONLY_WRITES = {"authority", "dns_query", "merkle", "said_once"}  # of what is known already; they read nothing


def test_every_codec_is_among_them() -> None:
    tried = {parser.module for parser in PARSERS}
    names = [each.name for each in pkgutil.iter_modules(probe.codecs.__path__) if each.name not in ONLY_WRITES]
    assert [name for name in names if importlib.import_module(f"probe.codecs.{name}") not in tried] == []


# --- Patterns, wherever they stand --------------------------------------------------------------------------------

SEARCHING = frozenset(["search", "sub", "subn", "split", "findall", "finditer"])
FROM_THE_START = frozenset(["match", "fullmatch"])
Pattern = re.Pattern[Any]  # of text or of bytes


def used_patterns(tree: ast.Module, module: ModuleType) -> Iterator[tuple[Pattern, str]]:
    """Each pattern that is called by a method of its own, or written into a call of `re`, with the method's name."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, method = node.func.value, node.func.attr
        if not isinstance(owner, ast.Name) or method not in SEARCHING | FROM_THE_START:
            continue
        given = getattr(module, owner.id, None)
        if isinstance(given, re.Pattern):
            yield given, method
        elif given is re and isinstance(node.args[0], ast.Constant):
            yield re.compile(str(node.args[0].value)), method


def reading(pattern: Pattern, method: str, run: bytes, length: int = LONG) -> Callable[[], object]:
    """A search at every place, or one from the start, over a long run."""
    data = run * (length // len(run))
    given = data if isinstance(pattern.pattern, bytes) else data.decode("utf-8", "replace")
    if method in FROM_THE_START:
        return partial(getattr(pattern, method), given)
    return lambda: list(pattern.finditer(given))


def test_no_pattern_takes_the_square_of_what_it_reads() -> None:
    found = {
        (module.name, pattern.pattern, method): pattern
        for module in modules()
        if module.name.split(".")[0] in ("probe", "collector")
        for pattern, method in used_patterns(module.tree, importlib.import_module(module.name))
    }
    slow = [key for key, pattern in found.items() for run in RUNS if not is_bounded(reading(pattern, key[2], run))]
    assert len(found) >= 10
    assert slow == []


def test_the_bound_can_fail() -> None:
    """By patterns that this product once had."""
    assert not is_bounded(reading(re.compile(rb"[ \t]*\r\n[ \t]+"), "sub", b" ", LONG // 2))
    assert not is_bounded(
        reading(re.compile(rb"<title[^>]*>(.*?)</title>", re.DOTALL), "search", b"<title>", LONG // 2)
    )
