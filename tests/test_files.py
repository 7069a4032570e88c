"""Files of the pipeline: whole or not there, and not believed once they are damaged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from snakemake.iocontainers import OutputFiles

from conftest import ROOT
from robustmia.array_files import load_arrays, save_arrays
from robustmia.errors import DamagedError, UserError, visible
from robustmia.locks import lock
from robustmia.outputs import whole_outputs
from robustmia.table_files import read_table
from robustmia.weight_files import load_weights, save_weights

# ---------------------------------------------------------------- damage


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    logits = random.normal(size=(20, 10)).astype(np.float32)
    return {"members": logits, "labels": random.integers(10, size=20), "verifiers": np.array(["dual", "interval"])}


def weights() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.arange(30.0).reshape(5, 6), "a.bias": torch.ones(3), "count": torch.tensor(7)}


def test_arrays_come_back_as_they_were(tmp_path):
    for compressed in (True, False):
        save_arrays(tmp_path / "a.npz", arrays(), compressed)
        read = load_arrays(tmp_path / "a.npz")
        assert list(read) == list(arrays())
        assert all(np.array_equal(read[name], array) for name, array in arrays().items())


def test_weights_come_back_as_they_were(tmp_path):
    save_weights(weights(), tmp_path / "m.safetensors")
    read = load_weights(tmp_path / "m.safetensors")
    assert read.keys() == weights().keys()
    assert all(torch.equal(read[name], weight) for name, weight in weights().items())
    again = tmp_path / "again.safetensors"
    save_weights(dict(reversed(weights().items())), again)
    assert again.read_bytes() == (tmp_path / "m.safetensors").read_bytes()


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
    folder = tmp_path_factory.mktemp("cut")
    save_arrays(folder / "a.npz", arrays())
    save_weights(weights(), folder / "m.safetensors")
    for path, load in ((folder / "a.npz", load_arrays), (folder / "m.safetensors", load_weights)):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(DamagedError, match="damaged"):
            load(path)


def test_a_file_without_a_digest_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file(weights(), tmp_path / "m.safetensors")
    with pytest.raises(DamagedError, match="its digest is wrong"):
        load_weights(tmp_path / "m.safetensors")
    np.savez(tmp_path / "a.npz", **arrays())
    with pytest.raises(DamagedError, match="arrays are missing"):
        load_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("load", [load_arrays, load_weights, read_table])
def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path, load):
    with pytest.raises(UserError, match="cannot be read") as caught:
        load(tmp_path / "nothing")
    assert not isinstance(caught.value, DamagedError)


def test_a_want_of_memory_is_not_called_damage(tmp_path, monkeypatch):
    save_arrays(tmp_path / "a.npz", arrays())

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "load", full)
    with pytest.raises(MemoryError):
        load_arrays(tmp_path / "a.npz")


# ---------------------------------------------------------------- outputs


def outputs(folder: Path, **names: str) -> OutputFiles:
    return OutputFiles(fromdict={name: str(folder / path) for name, path in names.items()})


def test_outputs_take_their_places_together_at_the_end(tmp_path):
    output = outputs(tmp_path, model="m.bin", spec="s.json")
    with whole_outputs(output):
        Path(output.model).write_text("weights")
        Path(output[1]).write_text("spec")
        assert output["spec"] == output[1] == output.spec
        assert Path(output.model).name == "m.bin"
        assert Path(output.model).parent.stat().st_mode & 0o777 == 0o700  # nobody else reads what is not finished
        assert not list(tmp_path.glob("*.bin"))
    assert (tmp_path / "m.bin").read_text() == "weights"
    assert (tmp_path / "s.json").read_text() == "spec"
    assert output.model == str(tmp_path / "m.bin")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.bin", "s.json"]


def test_after_an_error_nothing_has_changed(tmp_path):
    (tmp_path / "m.bin").write_text("old")
    output = outputs(tmp_path, model="m.bin")

    def fail() -> None:
        with whole_outputs(output):
            Path(output.model).write_text("new")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert (tmp_path / "m.bin").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["m.bin"]


def test_a_folder_is_an_output_too(tmp_path):
    output = outputs(tmp_path, signals="signals")
    (tmp_path / "signals").mkdir()
    (tmp_path / "signals" / "old.npz").touch()
    with whole_outputs(output):
        Path(output.signals).mkdir()
        (Path(output.signals) / "benign.npz").write_text("logits")
    assert [path.name for path in (tmp_path / "signals").iterdir()] == ["benign.npz"]


def test_what_a_killed_job_left_is_removed_by_the_next_of_its_kind_alone(tmp_path):
    output, other = outputs(tmp_path, model="m.bin"), outputs(tmp_path, history="h.csv")
    with whole_outputs(other):
        theirs = Path(other.history).parent
        with whole_outputs(output):
            (Path(output.model).parent.with_name(Path(output.model).parent.name[:-8] + "leftover")).mkdir()
        with whole_outputs(output):
            assert not list(tmp_path.glob("*leftover"))
            assert theirs.is_dir()


# ---------------------------------------------------------------- locks and words


def test_a_lock_dies_with_its_holder(tmp_path):
    path = tmp_path / "lock"
    code = "import sys, time; from pathlib import Path; from robustmia.locks import lock\n"
    code += "held = lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"held\n"
    assert lock(path) is None
    holder.send_signal(signal.SIGKILL)
    started = time.monotonic()
    with lock(path, wait=True):
        assert time.monotonic() - started < 30
    holder.wait()
    holder.stdout.close()


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
    assert visible(text) == shown
    assert len(visible(text).splitlines()) == 1
