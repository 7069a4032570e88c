"""Accuracies of both sides while training."""

from __future__ import annotations

from robustmia.data.records import Records
from robustmia.training.loop import Trainer
from training_helpers import CPU, tiny_records, tiny_spec


def test_the_monitor_looks_at_each_side_under_its_own_attack(tmp_path):
    """Non-members with labels of another class: only members can be right; and a wide ball leaves nobody right."""
    records, split = tiny_records()
    labels = records.labels.copy()
    labels[split.nonmembers] = (labels[split.nonmembers] + 1) % 3
    optimizer = {"name": "adam", "learning_rate": 0.01}
    monitor = {"every": 60, "records": 30, "epsilon": 0.4, "steps": 5}
    spec = tiny_spec("natural", epochs=60, augmentation={}, optimizer=optimizer, monitor=monitor)
    wrong = Records(records.images, labels, records.class_names)
    training = Trainer.of_spec(spec, wrong, split, tmp_path / "c.pt", CPU, "tiny")
    last = training.run()[1].iloc[-1]
    assert last.member_clean == 1.0
    assert last.nonmember_clean < 0.3
    assert last.member_adversarial < 0.5
