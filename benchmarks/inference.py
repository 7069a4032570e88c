"""Time and memory of inference with many records and shadow models: `python benchmarks/inference.py [RECORDS] [MODELS]`, one core.

Every attack that is run on logits, on one signal, under every threshold rule, with all columns, intervals and risks. What is attacked is
drawn at random: scores have a difficulty of each record, and members are ahead by as much again as the noise. The peak is of the
process, the logits that it is given included.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import numpy as np
import pandas as pd
from measure import keep

from robustmia.config.registry import COLUMNS, STRATEGIES
from robustmia.files.signals import ShadowSignals, SignalLogits
from robustmia.inference.attacks.base import load_attacks
from robustmia.inference.evaluate import evaluate, load_columns
from robustmia.inference.settings import AttackSettings

RECORDS, MODELS, CLASSES = 100_000, 256, 10


def drawn(records: int, models: int) -> tuple[SignalLogits, ShadowSignals]:
    """Logits of a target and of shadow models, float32, whose true class is ahead for members."""
    random = np.random.default_rng(0)
    labels, difficulty = random.integers(CLASSES, size=records), 3.0 * random.normal(size=records)
    in_mask = np.array([random.permutation(records) < records // 2 for _ in range(models + 1)])
    in_mask[0] = np.arange(records) < records // 2
    logits = random.standard_normal((models + 1, records, CLASSES), dtype=np.float32)
    for own, is_member in zip(logits, in_mask, strict=True):
        own[np.arange(records), labels] += difficulty + is_member
    half = records // 2
    target = SignalLogits(logits[0, :half], logits[0, half:], labels[:half], labels[half:])
    return target, ShadowSignals({"benign": logits[1:]}, in_mask[1:])


@contextmanager
def timed(what: str, rows: list[dict]) -> Iterator[None]:
    """Keep the seconds that a block takes, and the highest memory of the process so far."""
    started = perf_counter()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows.append({"what": what, "seconds": perf_counter() - started, "GiB at the highest": peak})


def main(records: int = RECORDS, models: int = MODELS) -> None:
    """Print and keep a table."""
    rows: list[dict] = []
    with timed(f"drawing {records} records and {models} models", rows):
        target, shadows = drawn(records, models)
    attacks, columns = load_attacks(STRATEGIES.values(), AttackSettings()), load_columns(COLUMNS.values())
    identity = {"dataset": "drawn", "run": "drawn", "method": "natural", "seed": 0}
    with timed("every attack under every rule", rows):
        _, results = evaluate(identity, {"benign": target}, np.arange(records), attacks, columns, shadows=shadows)
    assert results is not None
    keep("inference", pd.DataFrame(rows))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
