"""Records in their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helpers import refused
from robustmia.data.records import Records
from robustmia.errors import DamagedError
from robustmia.files.arrays import load_arrays


def test_records_come_back_as_they_were(digits, tmp_path):
    digits.save(tmp_path / "digits.npz")
    again = Records.load(tmp_path / "digits.npz")
    assert np.array_equal(again.images, digits.images)
    assert np.array_equal(again.labels, digits.labels)
    assert again.class_names == digits.class_names
    assert again.in_training_set is None
    own = Records(digits.images, digits.labels, digits.class_names, digits.labels > 4)
    own.save(tmp_path / "own.npz")
    assert np.array_equal(Records.load(tmp_path / "own.npz").in_training_set, own.in_training_set)


def test_a_damaged_file_is_named(tmp_path, digits):
    digits.save(tmp_path / "digits.npz")
    whole = (tmp_path / "digits.npz").read_bytes()
    (tmp_path / "digits.npz").write_bytes(whole[: len(whole) // 2])
    with refused(str(tmp_path / "digits.npz"), error=DamagedError):
        Records.load(tmp_path / "digits.npz")


def test_a_file_that_would_be_unpickled_is_refused(tmp_path):
    """Unpickling runs whatever code the file asks for."""
    ran = tmp_path / "ran"

    class Harmful:
        def __reduce__(self):
            return Path.touch, (ran,)

    np.savez(tmp_path / "digits.npz", images=np.array([Harmful()], dtype=object))
    with refused(str(tmp_path / "digits.npz"), "Object arrays", error=DamagedError):
        load_arrays(tmp_path / "digits.npz")
    assert not ran.exists()


def test_records_say_what_they_are():
    records = Records(np.zeros((3, 3, 4, 5), np.uint8), np.array([0, 1, 1]), ("ann", "bob"))
    assert records.in_words() == "3 images of 4 x 5 pixels and 3 channels, 2 classes: ann (1), bob (2)"
