"""Weights in files: as they were written, or refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from robustmia.errors import DamagedError, UserError
from robustmia.files.weights import load_weights, save_weights


def weights() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.arange(30.0).reshape(5, 6), "a.bias": torch.ones(3), "count": torch.tensor(7)}


def test_weights_come_back_as_they_were(tmp_path):
    save_weights(weights(), tmp_path / "m.safetensors")
    read = load_weights(tmp_path / "m.safetensors")
    assert read.keys() == weights().keys()
    assert all(torch.equal(read[name], weight) for name, weight in weights().items())
    again = tmp_path / "again.safetensors"
    save_weights(dict(reversed(weights().items())), again)
    assert again.read_bytes() == (tmp_path / "m.safetensors").read_bytes()


def test_no_flipped_bit_changes_a_weight_unseen(tmp_path):
    path = tmp_path / "m.safetensors"
    save_weights(weights(), path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(DamagedError):
            load_weights(path)


@given(st.floats(0, 1, exclude_max=True))
@settings(max_examples=30, deadline=None)
def test_a_truncated_file_is_refused(tmp_path_factory, part):
    path = tmp_path_factory.mktemp("cut") / "m.safetensors"
    save_weights(weights(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DamagedError) as caught:
        load_weights(path)
    assert caught.value.path == str(path)


def test_a_file_without_a_digest_is_refused(tmp_path):
    save_file(weights(), tmp_path / "m.safetensors")
    with pytest.raises(DamagedError):
        load_weights(tmp_path / "m.safetensors")


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path):
    with pytest.raises(UserError) as caught:
        load_weights(tmp_path / "nothing")
    assert not isinstance(caught.value, DamagedError)
    assert str(tmp_path / "nothing") in str(caught.value)
