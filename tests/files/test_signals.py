"""Files of signals."""

from __future__ import annotations

import numpy as np

from robustmia.files.signals import ShadowSignals


def test_the_signals_of_shadow_models_are_put_together_from_the_files_of_all_jobs(tmp_path):
    """Files come job by job, as their paths are expanded; signals differ in shape, jobs in the number of models."""
    random, jobs, paths = np.random.default_rng(0), {"0": [0, 2], "1": [1]}, []
    logits = {"benign": random.normal(size=(3, 6, 4)), "targeted": random.normal(size=(3, 6, 4, 4))}
    in_mask = np.array([random.permutation(6) < 4 for _ in range(3)])
    for job, models in jobs.items():
        for name, of_all in logits.items():
            path = tmp_path / f"{job}_{name}.npz"
            ShadowSignals({name: of_all[models]}, in_mask[models]).save(path)
            paths.append(str(path))
    rows = np.array([4, 0, 3])
    signals = ShadowSignals.load(paths, rows)
    order = [model for models in jobs.values() for model in models]
    assert np.array_equal(signals.in_mask, in_mask[order][:, rows])
    assert signals.members == 4  # of all records, not of the three
    for name, of_all in logits.items():
        assert np.array_equal(signals.logits[name], of_all[order][:, rows])


def test_without_shadow_models_there_are_no_signals_of_them():
    assert ShadowSignals.load([], np.arange(3)) is None
