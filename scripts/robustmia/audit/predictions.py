"""Somebody else's predictions: arrays are read without pickle, and checked against what they are said to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robustmia.audit.predictions_settings import PredictionsAudit
from robustmia.audit.signal_files import AuditedSignals
from robustmia.errors import UserError, first_line
from robustmia.files.signals import SignalLogits, SignalProbabilities

OUR_ARRAYS = ("members", "nonmembers", "member_labels", "nonmember_labels")
SUMS_TO_1 = 1e-3
LOOK_AT = 8  # rows, from which on it is no chance that none is negative


def read_predictions(settings: PredictionsAudit) -> AuditedSignals:
    """The signals of a file of predictions, and warnings for the report.

    Raises:
        UserError: the file cannot be read, or lacks arrays, or they do not fit each other or what they are said to be.
    """
    path, values = settings.predictions, settings.values
    arrays = safe_arrays(path)
    if "train_label" in arrays or any(name.startswith("output_") for name in arrays):
        kinds = [kind for kind in ("benign", "adversarial") if f"output_train_{kind}" in arrays] or ["benign"]
        names = {kind: (f"output_train_{kind}", f"output_test_{kind}", "train_label", "test_label") for kind in kinds}
        values = values or "probabilities"
    else:
        names = {settings.signal: OUR_ARRAYS}
    signals = {kind: _signal(path, arrays, four, values) for kind, four in names.items()}
    warnings = []
    if any(isinstance(signal, SignalProbabilities) for signal in signals.values()):
        tied = max(_part_at_1(signal) for signal in signals.values())
        warnings.append(
            "The rows are probabilities. In float32 they saturate, so that scores are tied and true positive rates at low false "
            f"positive rates mean little: up to {100 * tied:.0f} % of the members have a probability of exactly 1. Logits do not "
            "saturate."
        )
    counts = {name: len(arrays[name]) for name in next(iter(names.values()))[:2]}
    rows = [(name, row) for name, count in counts.items() for row in range(count)]
    return AuditedSignals(
        signals, [row for _, row in rows], [f"{name}/{row}" for name, row in rows], warnings, notes=[]
    )


def safe_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.lib.npyio.NpzFile):
                return {name: _safe_array(path, archive, name) for name in archive.files}
    except UserError:
        raise
    except Exception as error:  # numpy, zipfile and zlib have a dozen kinds for a file that is none of theirs
        raise UserError(f"{path}: cannot be read as .npz ({first_line(error)})") from error
    raise UserError(f"{path}: one array alone; an .npz with named arrays is needed")


def _safe_array(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        return archive[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise UserError(
                f"{path}: {name} holds Python objects, which are not unpickled; save an array of numbers"
            ) from None
        raise


def _signal(
    path: Path, arrays: dict[str, np.ndarray], names: tuple[str, str, str, str], values: str | None
) -> SignalLogits:
    if lacking := [name for name in names if name not in arrays]:
        raise UserError(f"{path}: no array {' and no '.join(lacking)}; it has {', '.join(sorted(arrays)) or 'none'}")
    answers = [_checked_answers(path, name, arrays[name]) for name in names[:2]]
    if answers[0].shape[1] != answers[1].shape[1]:
        raise UserError(
            f"{path}: {names[0]} has {answers[0].shape[1]} classes, {names[1]} {answers[1].shape[1]}; they must agree"
        )
    pairs = zip(names[2:], names[:2], answers, strict=True)
    labels = [_checked_labels(path, name, arrays[name], of, rows) for name, of, rows in pairs]
    are = [are_probabilities(rows) for rows in answers]
    if values == "probabilities" and not all(are):
        wrong = names[are.index(False)]
        raise UserError(
            f"{path}: {wrong} is said to be probabilities, but its rows are not in [0, 1] with a sum of 1; if they are logits, "
            "set values: logits"
        )
    if values is None and any(are) and not all(are):
        raise UserError(
            f"{path}: the rows of {names[are.index(True)]} sum to 1, as probabilities do, those of {names[are.index(False)]} do not; give "
            "both as one or the other, or set values: logits"
        )
    for name, side, is_one in zip(names, answers, are, strict=False):
        if values is None and not is_one:
            _require_logits(path, name, side)
    if values == "probabilities" or (values is None and all(are)):
        return SignalProbabilities(answers[0], answers[1], labels[0], labels[1], np.array(True))
    return SignalLogits(answers[0], answers[1], labels[0], labels[1])


def _require_logits(path: Path, name: str, rows: np.ndarray) -> None:
    """Raise `UserError` for rows that look like probabilities of another kind: nobody's logits are like that by chance."""
    if len(rows) < LOOK_AT or (rows < 0).any():
        return
    sums = rows.sum(axis=1, dtype=np.float64)
    if np.ptp(sums) <= SUMS_TO_1 * np.abs(sums).max():
        what = f"sum to {sums.mean():.4g}; divide them by it"
    elif (rows <= 1).all():
        what = "are in [0, 1], but do not sum to 1; give the logits, or probabilities of a softmax"
    else:
        return
    raise UserError(f"{path}: the rows of {name} {what}, or set values: logits if they are")


def _checked_answers(path: Path, name: str, rows: np.ndarray) -> np.ndarray:
    if rows.ndim != 2 or rows.shape[0] < 2 or rows.shape[1] < 2 or rows.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: {name} is {rows.dtype} of shape {list(rows.shape)}; numbers of shape [records, classes] are needed, 2 of each "
            "or more"
        )
    if not np.isfinite(rows).all():
        record = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise UserError(f"{path}: {name} has a value that is not finite, in row {record}; leave such records out")
    return rows.astype(np.float64 if rows.dtype == np.float64 else np.float32)


def _checked_labels(path: Path, name: str, labels: np.ndarray, of: str, rows: np.ndarray) -> np.ndarray:
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iu":
        raise UserError(
            f"{path}: {name} is {labels.dtype} of shape {list(labels.shape)}; whole numbers of shape [{len(rows)}] are needed, "
            f"one for each row of {of}"
        )
    if len(wrong := np.flatnonzero((labels < 0) | (labels >= rows.shape[1]))):
        raise UserError(
            f"{path}: {name} has the label {labels[wrong[0]]} in row {wrong[0]}; with {rows.shape[1]} classes it must be in 0 to "
            f"{rows.shape[1] - 1}"
        )
    return labels.astype(np.int64)


def are_probabilities(rows: np.ndarray) -> bool:
    """Whether every row is in [0, 1] and sums to 1, up to rounding."""
    return bool((rows >= 0).all() and (np.abs(rows.sum(axis=1, dtype=np.float64) - 1.0) <= SUMS_TO_1).all())


def _part_at_1(signal: SignalLogits) -> float:
    return float((signal.members[np.arange(len(signal.members)), signal.member_labels] == 1.0).mean())
