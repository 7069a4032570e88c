"""Text that is safe to show."""

from __future__ import annotations

import pytest

from robustmia.errors import escape_control_characters


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("class 'a'\n2026-01-01 00:00:00,000 INFO all is well", r"class 'a'\n2026-01-01 00:00:00,000 INFO all is well"),
        ("\x1b[2Jwiped\r", r"\x1b[2Jwiped\r"),
        ("a\u202ebackwards\u2028line\x85", r"a\u202ebackwards\u2028line\x85"),
        ("Zürich 北京 ± 1", "Zürich 北京 ± 1"),
    ],
)
def test_names_forge_no_lines(text, shown):
    assert escape_control_characters(text) == shown
    assert len(escape_control_characters(text).splitlines()) == 1
