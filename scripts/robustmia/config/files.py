"""The files of a configuration before they are merged: mistakes that are lost once a file has become a dictionary.

Snakemake reads files named with `--configfile` before the workflow starts, and says of one that is no YAML only that it is none.
`PYTHONPATH=scripts python -m robustmia.config.files FILE` says where.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from robustmia.errors import UserError, escape_control_characters, first_line

BOOLEANS = "tag:yaml.org,2002:bool"
MERGE = "tag:yaml.org,2002:merge"


def check_files(paths: Iterable[str | Path]) -> None:
    """Check YAML files by themselves.

    Raises:
        UserError: a line for each mistake, with file and line: no YAML, a key given twice, an alias within its own anchor, or a
            name that YAML takes for true or false.
    """
    if found := [f"config: {path}:{problem}" for path in paths for problem in _problems(Path(path))]:
        raise UserError("\n".join(escape_control_characters(line) for line in found))


def _problems(path: Path) -> list[str]:
    """Each as "line: what"."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        return [f" not a text in UTF-8 (byte {error.start}); save it as UTF-8"]
    except OSError as error:
        return [f" cannot be read ({error.strerror})"]
    except RecursionError:
        return [" too many groups inside each other"]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return [f"{line}: not YAML ({error.problem}); check quotes, brackets and indentation there"]
    except yaml.YAMLError as error:
        return [f" not YAML ({first_line(error)})"]
    return list(_in_node(root, "", ())) if root else []


def _in_node(node: yaml.Node, key: str, above: tuple[yaml.Node, ...]) -> Iterator[str]:
    line = node.start_mark.line + 1
    if node in above:
        yield f"{line}: {key}: contains itself by an alias; write it out"
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _in_node(value, f"{key}.{index}", (*above, node))
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for name_node, value in node.value:
            name, here = str(name_node.value), name_node.start_mark.line + 1
            inner = f"{key}.{name}" if key else name
            if name_node.tag == BOOLEANS:
                yield f'{here}: {inner}: YAML takes this name for true or false; write "{name}" in quotes, or choose another name'
            elif name in first and name_node.tag != MERGE:
                yield f"{here}: {inner}: given twice, first in line {first[name]}; remove one of them"
            first.setdefault(name, here)
            yield from _in_node(value, inner, (*above, node))


if __name__ == "__main__":
    try:
        check_files(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
