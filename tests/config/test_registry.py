"""The lists that a newcomer extends."""

from __future__ import annotations

import pytest

from robustmia.config.registry import METHODS, classes
from robustmia.errors import UserError


def test_a_line_names_a_class():
    assert [kind.__name__ for kind in classes(METHODS)][:2] == ["Natural", "PGD"]


@pytest.mark.parametrize("path", ["robustmia.methods.pgd:Fast", "robustmia.methods.fast:Fast"])
def test_a_line_that_names_nothing_is_named(path):
    with pytest.raises(UserError) as caught:
        classes({"fast": path})
    assert str(caught.value).startswith(f'config/registry.py: "fast": "{path}" is not there (')
