"""Digests of the modules that a stage uses, so that editing a module reruns the stages that use it and no others."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
NAME = PACKAGE.name


@cache
def used_modules(*entries: str) -> tuple[str, ...]:
    """The package's modules that these import, directly or through others, themselves included, sorted.

    Read from the import statements, those inside functions too; what stands under `if TYPE_CHECKING` is never imported.
    Packages' own `__init__.py` are left out: they hold no code.

    Args:
        entries: dotted names, such as `robustmia.training`.
    """
    seen: set[str] = set()
    todo = list(entries)
    while todo:
        module = todo.pop()
        if module not in seen and _file(module).is_file():
            seen.add(module)
            todo += _imports(module)
    return tuple(sorted(seen))


@cache
def code_digest(*entries: str) -> str:
    """A digest of the text of `used_modules`.

    Raises:
        FileNotFoundError: an entry is not a module of the package.
    """
    digest = hashlib.sha256()
    for entry in entries:
        if not _file(entry).is_file():
            raise FileNotFoundError(f"{entry} is not a module of {NAME}")
    for module in used_modules(*entries):
        digest.update(module.encode() + b"\0" + _file(module).read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _file(module: str) -> Path:
    return (
        PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py") if module.startswith(f"{NAME}.") else PACKAGE / ""
    )


@cache
def _imports(module: str) -> tuple[str, ...]:
    return tuple(_imported(ast.parse(_file(module).read_text(encoding="utf-8"))))


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from _imported(child)
