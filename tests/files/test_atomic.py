"""Files are there as a whole or not at all, whoever writes them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import ROOT
from robustmia.files.arrays import save_arrays
from robustmia.files.atomic import atomic_path, write_text
from robustmia.files.tables import write_table
from robustmia.files.weights import save_weights

WRITERS: dict[str, Callable[[Path, int], None]] = {
    "a.npz": lambda path, value: save_arrays(path, {"a": np.full(9, value)}),
    "m.safetensors": lambda path, value: save_weights({"a": torch.full((9,), value)}, path),
    "t.csv": lambda path, value: write_table(pd.DataFrame({"a": [value] * 9}), path),
    "s.json": lambda path, value: write_text(path, f"{value}\n"),
}


def test_a_file_takes_its_place_when_the_block_ends(tmp_path):
    path = tmp_path / "m.bin"
    path.write_text("old")
    with atomic_path(path) as place:
        place.write_text("new")
        assert place.parent == path.parent  # on the same disk
        assert place.suffix == path.suffix  # some libraries go by it
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_nothing_has_changed(tmp_path):
    path = tmp_path / "m.bin"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as place:
            place.write_text("new")
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_by_the_next_of_its_kind_alone(tmp_path):
    code = "import sys, time; from robustmia.files.atomic import atomic_path\n"
    code += "with atomic_path(sys.argv[1]) as place: place.touch(); print(place, flush=True); time.sleep(60)"
    killed = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "m.bin")],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.PIPE,
        text=True,
    )
    leftover = Path(killed.stdout.readline().strip())
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert leftover.exists()
    with atomic_path(tmp_path / "h.csv") as theirs:
        theirs.touch()
        assert leftover.exists()
        write_text(tmp_path / "m.bin", "whole")
        assert not leftover.exists()
        assert theirs.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.csv", "m.bin"]


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_keeps_the_old_file_until_the_new_one_is_on_the_disk(tmp_path, monkeypatch, name):
    path, write = tmp_path / name, WRITERS[name]
    write(path, 1)
    old = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError) as caught:
            write(path, 2)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
    write(path, 2)
    assert path.read_bytes() != old
    assert list(tmp_path.iterdir()) == [path]
