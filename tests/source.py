"""The product's own source, parsed: for the tests of its layers and its style."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("probe", "collector", "grafana")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    name: str  # dotted; a package is named without __init__
    path: Path
    tree: ast.Module


@dataclass(frozen=True)
class Import:
    module: str  # who imports
    target: str  # what, dotted, as far down as it is a module
    line: int
    in_function: bool


@cache
def modules(root: Path = ROOT) -> tuple[Module, ...]:
    paths = sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))
    return tuple(Module(_dotted(path, root), path, ast.parse(path.read_text(), str(path))) for path in paths)


def _dotted(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(module: Module, known: frozenset[str]) -> Iterator[Import]:
    """Every import; `from probe import model` counts as one of `probe.model` where that is a module."""
    inside = {id(inner) for outer in functions(module.tree) for inner in ast.walk(outer)}
    for node in ast.walk(module.tree):
        for target in _targets(node, module, known):
            yield Import(module.name, target, getattr(node, "lineno", 0), id(node) in inside)


def _targets(node: ast.AST, module: Module, known: frozenset[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = _base(node, module)
    deeper = [f"{base}.{alias.name}" for alias in node.names]
    return [name if name in known else base for name in deeper]


def _base(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".")
    if module.path.name != "__init__.py":
        package.pop()
    parents = package[: len(package) - node.level + 1]
    return ".".join([*parents, node.module] if node.module else parents)


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def classes(tree: ast.AST) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def length(function: Function) -> int:
    """Lines from `def` to the end, without the docstring (and without decorators)."""
    end = function.end_lineno or function.lineno
    whole = end - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return whole
    first = function.body[0]
    return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)
