"""Reports of long loops, to whoever listens."""

from __future__ import annotations

import logging

from robustmia.progress import report_progress


def test_a_report_says_what_is_done_of_what(caplog):
    caplog.set_level(logging.INFO, "robustmia.progress")
    report_progress("training tiny", 3, 8, "steps", lambda: "loss 0.5")
    (record,) = caplog.records
    *numbers, details = record.progress
    assert (record.name, numbers, details()) == ("robustmia.progress", ["training tiny", 3, 8, "steps"], "loss 0.5")


def test_a_report_without_details_has_none(caplog):
    caplog.set_level(logging.INFO, "robustmia.progress")
    report_progress("benign", 1, 1, "images")
    assert caplog.records[0].progress[-1]() == ""


def test_details_wait_until_somebody_writes_them_down(caplog):
    """A device would have to be waited for."""
    asked = []
    for level in (logging.INFO, logging.WARNING):
        caplog.set_level(level, "robustmia.progress")
        report_progress("training", 1, 2, "steps", lambda: asked.append(1) or "")
    assert len(caplog.records) == 1
    assert not asked
