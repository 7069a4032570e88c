"""The lock on a folder of results."""

from __future__ import annotations

import subprocess
import sys

import pytest
from filelock import FileLock

from helpers import ROOT
from robustmia.workflow.results_lock import hold_results

HOLD = """
import sys
from filelock import FileLock
from robustmia.workflow.results_lock import hold_results
lock = FileLock(sys.argv[1])
hold_results(lock)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_is_held_until_its_holder_ends_however_it_does(tmp_path):
    path = tmp_path / "results" / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        env={"PYTHONPATH": str(ROOT / "scripts")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SystemExit) as refused:
            hold_results(FileLock(path))
        assert f"process {holder.pid} on " in str(refused.value)
        assert str(path.parent) in str(refused.value)
        holder.kill()
    lock = FileLock(path)
    hold_results(lock)
    assert lock.is_locked


@pytest.mark.parametrize(
    ("folder", "reason"), [("file/results", "Not a directory"), ("/proc/results", "No such file or directory")]
)
def test_a_folder_that_cannot_be_written_is_named(tmp_path, folder, reason):
    (tmp_path / "file").write_text("")
    path = tmp_path / folder
    with pytest.raises(SystemExit) as refused:
        hold_results(FileLock(path / ".lock"))
    assert str(refused.value).startswith(f"robustmia: results_dir: {path} ")
    assert reason in str(refused.value)
