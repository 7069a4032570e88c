"""Which records each shadow model is trained on."""

from __future__ import annotations

import logging
import math

import numpy as np

from robustmia.data.records import Records
from robustmia.data.split import Split, draw_split, held_out_pool
from robustmia.errors import UserError
from robustmia.inference.settings import LEAST_OF_A_KIND
from robustmia.settings import SplitSettings

logger = logging.getLogger(__name__)


def shadow_splits(spec: dict, records: Records) -> dict[int, Split]:
    """The members and non-members of the shadow models that a spec names: as many members as a target has, if possible.

    They are drawn from the target's members and non-members, and from the other records of its classes: from so many of these that each record can
    still be a member of two shadow models.

    Args:
        spec: the numbers of the `models`, the target's `split` and `seed`; `shadow_models`, how many there are in all, where so few may not be
            able to have so many each; `other_records`, if they are drawn from the records that are neither members nor non-members of the target;
            `held_out`, how many of those are held out for early stopping, of the target and of its shadow models alike.
        records: of the data set.

    Raises:
        UserError: there are fewer than 4 records to draw from.
    """
    settings = SplitSettings(**spec["split"])
    target = draw_split(records, settings, spec["seed"])
    wanted, models = len(target.members), spec.get("shadow_models")
    held_out, others = np.split(held_out_pool(records, target, settings.classes), [spec.get("held_out", 0)])
    if spec.get("other_records"):
        rows = np.setdiff1d(target.shadow_pool, held_out)
    else:
        own = np.concatenate([target.members, target.nonmembers])
        enough = None if models is None else max(0, wanted * models // LEAST_OF_A_KIND - len(own))
        rows = np.sort(np.concatenate([own, others[:enough]]))
    if len(rows) < 2 * LEAST_OF_A_KIND:
        raise UserError(
            f"shadow models: the split leaves {len(rows)} records to train them on; lower split.max_members and split.max_nonmembers"
        )
    members = wanted if models is None else possible_members(len(rows), wanted, models)
    if members != wanted:
        logger.warning(
            "shadow models are trained on %d records each, target models on %d: of %d shadow models, two have to be trained on each "
            "record, and two not; a higher number of shadow_models allows %s",
            *(members, wanted, models, "more" if members < wanted else "fewer"),
        )
    labels, seed = records.labels[rows], spec["seed"]
    drawn = {model: shadow_split(labels, members, seed, model) for model in spec["models"]}
    return {model: Split(rows[split.members], rows[split.nonmembers], held_out) for model, split in drawn.items()}


def possible_members(records: int, target_members: int, models: int) -> int:
    """The number of members nearest to the target's with which so many models train and leave out each record twice or more."""
    least = math.ceil(LEAST_OF_A_KIND * records / models)
    return min(max(target_members, least), records - least)


def shadow_split(labels: np.ndarray, members: int, seed: int, model: int) -> Split:
    """Members and non-members of a shadow model.

    Random orders of the records, in which classes alternate, are put one after the other; model k leaves out the k-th block of N - M
    records. Where a block crosses into the next order, that order's records which the block has already come last. So of R models every
    record is left out by R (N - M) / N, or the next whole number, and models stay as they are when more are asked for.

    Args:
        labels: [N], of the records to draw from.
        members: M.
        seed: of the target model, which has shadow models of its own.
        model: the number of the shadow model, from 0.
    """
    size = len(labels) - members
    block, rest, orders = np.zeros(0, np.int64), np.zeros(0, np.int64), 0
    for _ in range(model + 1):
        block, rest = rest[:size], rest[size:]
        if len(block) < size:
            order = _alternating_order(labels, seed, orders)
            begun, fresh = np.isin(order, block), size - len(block)
            order = np.concatenate([order[~begun], order[begun]])
            block, rest, orders = np.concatenate([block, order[:fresh]]), order[fresh:], orders + 1
    left_out = np.sort(block)
    return Split(np.setdiff1d(np.arange(len(labels)), left_out), left_out, np.zeros(0, np.int64))


def _alternating_order(labels: np.ndarray, seed: int, number: int) -> np.ndarray:
    """A random order of all records, in which every block of consecutive ones has about the same classes."""
    random = np.random.default_rng([2019, seed, number])
    order, place = random.permutation(len(labels)), np.empty(len(labels))
    for label in np.unique(labels):
        theirs = order[labels[order] == label]
        place[theirs] = (np.arange(len(theirs)) + random.random()) / len(theirs)
    return np.argsort(place, kind="stable")
