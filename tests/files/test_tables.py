"""Tables in files: as they were written, or refused."""

from __future__ import annotations

import pandas as pd
import pytest

from robustmia.errors import DamagedError, UserError
from robustmia.files.tables import read_table, write_table


def test_a_table_comes_back_as_it_was(tmp_path):
    table = pd.DataFrame({"run": ["NA", "null", "pgd"], "accuracy": [0.1 + 0.2, 1 / 3, None], "seed": [0, 1, 2]})
    write_table(table, tmp_path / "t.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), table, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("name", ["0.05", "inf", "true", "007"])
@pytest.mark.parametrize("column", ["run", "point"])
def test_names_that_look_like_something_else_stay_as_they_are(tmp_path, column, name):
    write_table(pd.DataFrame({column: [name, name], "accuracy": [0.5, 0.6]}), tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv")[column].tolist() == [name, name]


@pytest.mark.parametrize("content", ["", "a,b\n1,2,3\n4\n5,6,7,8\n"])
def test_a_damaged_table_is_refused(tmp_path, content):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DamagedError) as caught:
        read_table(tmp_path / "t.csv")
    assert caught.value.path == str(tmp_path / "t.csv")


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(UserError) as caught:
        read_table(tmp_path / "nothing")
    assert not isinstance(caught.value, DamagedError)
    assert str(tmp_path / "nothing") in str(caught.value)
