"""Digests of the modules that a job uses, so that editing a module reruns the jobs that use it and no others."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
SURROUNDINGS = "robustmia.jobs"  # logs and records what a job does, and decides nothing about its result


@cache
def used_modules(script: str, *chosen: str) -> tuple[str, ...]:
    """The package's modules that a script imports, directly or through others, sorted.

    Read from the import statements, those inside functions too; what stands under `if TYPE_CHECKING` is never imported.
    Left out are `robustmia.jobs` and the packages' own `__init__.py`, which hold no code.

    Args:
        script: its name in `scripts/`, without `.py`.
        chosen: dotted names of modules that the spec chooses and the script imports by name.

    Raises:
        FileNotFoundError: there is no such script or module.
    """
    todo = [*chosen, *_imports(_script(script))]
    seen: set[str] = set()
    while todo:
        module = todo.pop()
        path = _file(module)
        if module in seen or module == SURROUNDINGS or (module not in chosen and not path.is_file()):
            continue
        seen.add(module)
        todo += _imports(path)
    return tuple(sorted(seen))


@cache
def code_digest(script: str, *chosen: str) -> str:
    """A digest of the text of a script and of its `used_modules`."""
    digest = hashlib.sha256(_script(script).read_bytes())
    for module in used_modules(script, *chosen):
        digest.update(module.encode() + b"\0" + _file(module).read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _script(name: str) -> Path:
    return PACKAGE.parent / f"{name}.py"


def _file(module: str) -> Path:
    """Where a dotted name would be a module of the package; elsewhere for other libraries, where no file is."""
    return PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")


@cache
def _imports(path: Path) -> tuple[str, ...]:
    return tuple(_imported(ast.parse(path.read_text(encoding="utf-8"))))


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
