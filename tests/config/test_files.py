"""Mistakes that only the text of a configuration file shows: each is a line with the file and its line."""

from __future__ import annotations

import pytest

from helpers import ROOT, refused
from robustmia.config.files import check_files

BAD: dict[str, tuple[bytes, str]] = {
    "a key twice": (b"seeds: [0]\nresults_dir: a\nseeds: [1]\n", "3: seeds: "),
    "a key twice, inside": (b"a:\n  b: {x: 1, y: 2,\n   x: 3}\n", "3: a.b.x: "),
    "a key twice in a list": (b"a:\n- {x: 1}\n- {x: 1, x: 2}\n", "3: a.1.x: "),
    "a key twice, quoted once": (b"a: 1\n'a': 2\n", "2: a: "),
    "in JSON": (b'{"a": 1,\n "a": 2}\n', "2: a: "),
    "no": (b"runs:\n  no: {}\n", "2: runs.no: "),
    "on": (b"runs:\n  pgd: {}\n  on: {}\n", "3: runs.on: "),
    "an open bracket": (b"seeds: [0\n", "2: not YAML"),
    "a tab": (b"a:\n\tb: 1\n", "2: not YAML"),
    "two colons": (b"a: b: c\n", "1: not YAML"),
    "an unknown alias": (b"a: *nothing\n", "1: not YAML"),
    "two documents": (b"a: 1\n---\nb: 2\n", "2: not YAML"),
    "a group in itself": (b"a: &a\n  b: *a\n", "1: a.b: "),
    "a list in itself": (b"a: &a [1, *a]\n", "1: a.1: "),
    "not UTF-8": (b"a: 1\nb: \xff\n", " not a text in UTF-8"),
    "NUL": (b"a: \x00\n", " not YAML"),
    "very deep": (b"[" * 20_000, " too many groups"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_has_a_line_with_file_and_line(tmp_path, case):
    text, where = BAD[case]
    path = tmp_path / "mine.yaml"
    path.write_bytes(text)
    with refused(f"config: {path}:{where}"):
        check_files([path])


def test_every_mistake_of_every_file_is_told(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text("x: 1\ny: 2\nx: 3\ny: 4\n")
    with refused("a.yaml:3: x", "a.yaml:4: y", "b.yaml:3: x", "b.yaml:4: y"):
        check_files([tmp_path / "a.yaml", tmp_path / "b.yaml"])


def test_what_is_good_passes(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text("base: &base {x: 1, y: [2]}\nmine: {<<: *base, x: 3}\n'no': {a: no}\nempty:\nagain: *base\n")
    (tmp_path / "empty.yaml").write_text("")
    check_files([path, tmp_path / "empty.yaml", ROOT / "config.yaml", *(ROOT / "configs").rglob("*.yaml")])
