"""Digests of the modules that a job uses, so that editing a module reruns the jobs that use it and no others."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent.parent.parent
SURROUNDINGS = "robustmia.workflow"
"""This package: it decides nothing about a result."""


def digest(*values: Any) -> str:
    """A short digest of plain values, the same for equal values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def code_digest(script: str, spec: Any = None) -> str:
    """A digest of the text of a script and of its `used_modules`."""
    return _text_digest(script, used_modules(script, *chosen_modules(spec)))


def chosen_modules(spec: Any) -> tuple[str, ...]:
    """The modules that a spec names as "module:Class" or "module:function", anywhere in it."""
    if isinstance(spec, str):
        module, colon, name = spec.partition(":")
        return (module,) if colon and module.startswith("robustmia.") and name.isidentifier() else ()
    inner = spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ()
    return tuple(dict.fromkeys(module for part in inner for module in chosen_modules(part)))


@cache
def used_modules(script: str, *chosen: str) -> tuple[str, ...]:
    """The package's modules that a script imports, directly or through others, sorted.

    Read from the import statements, those inside functions too; what stands under `if TYPE_CHECKING` is never imported.
    Left out are `robustmia.workflow` and the packages' own `__init__.py`, which only import.

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
        if module in seen or module.startswith(SURROUNDINGS) or not (module in chosen or _file(module).is_file()):
            continue
        seen.add(module)
        todo += _imports(_file(module))
    return tuple(sorted(seen))


@cache
def _text_digest(script: str, modules: tuple[str, ...]) -> str:
    text = hashlib.sha256(_script(script).read_bytes())
    for module in modules:
        text.update(module.encode() + b"\0" + _file(module).read_bytes() + b"\0")
    return text.hexdigest()[:16]


def _script(name: str) -> Path:
    return SCRIPTS / f"{name}.py"


def _file(module: str) -> Path:
    """Where a dotted name would be a module of the package; elsewhere for other libraries, where no file is."""
    return SCRIPTS.joinpath(*module.split(".")).with_suffix(".py")


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
