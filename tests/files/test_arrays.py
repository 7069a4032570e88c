"""Arrays in files: as they were written, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustmia.errors import DamagedError, UserError
from robustmia.files.arrays import load_arrays, save_arrays


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    logits = random.normal(size=(20, 10)).astype(np.float32)
    return {"members": logits, "labels": random.integers(10, size=20), "verifiers": np.array(["dual", "interval"])}


def test_arrays_come_back_as_they_were(tmp_path):
    for compressed in (True, False):
        save_arrays(tmp_path / "a.npz", arrays(), compressed)
        read = load_arrays(tmp_path / "a.npz")
        assert list(read) == list(arrays())
        assert all(np.array_equal(read[name], array) for name, array in arrays().items())


@pytest.mark.parametrize("compressed", [True, False])
def test_no_flipped_bit_changes_an_array_unseen(tmp_path, compressed):
    path = tmp_path / "a.npz"
    save_arrays(path, arrays(), compressed)
    whole, refused = path.read_bytes(), 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            read = load_arrays(path)
        except DamagedError:
            refused += 1
        else:  # a bit of the zip that says nothing about the arrays, such as a time
            assert list(read) == list(arrays())
            assert all(np.array_equal(read[name], array) for name, array in arrays().items())
    assert refused > 0.7 * len(whole)  # the arrays themselves; the rest is headers of the zip


@given(st.floats(0, 1, exclude_max=True))
@settings(max_examples=30, deadline=None)
def test_a_truncated_file_is_refused(tmp_path_factory, part):
    path = tmp_path_factory.mktemp("cut") / "a.npz"
    save_arrays(path, arrays())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DamagedError) as caught:
        load_arrays(path)
    assert caught.value.path == str(path)


def test_a_file_without_the_list_of_its_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays())
    with pytest.raises(DamagedError):
        load_arrays(tmp_path / "a.npz")


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(UserError) as caught:
        load_arrays(tmp_path / "nothing")
    assert not isinstance(caught.value, DamagedError)
    assert str(tmp_path / "nothing") in str(caught.value)


def test_a_want_of_memory_is_not_called_damage(tmp_path, monkeypatch):
    save_arrays(tmp_path / "a.npz", arrays())

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "load", full)
    with pytest.raises(MemoryError):
        load_arrays(tmp_path / "a.npz")
