"""How signals, strategies and runs are written in tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

PAPER_STRATEGIES = ("I_B", "I_A", "I_V")
"""Those of the paper's own tables; the others are in the long table and in the figure of AUCs."""
SIGNAL_TITLES = {"benign": "clean inputs", "adversarial": "adversarial inputs", "verified": "verified worst case"}


SIGNALS_IN_WORDS = {
    "benign": "clean inputs",
    "adversarial": "adversarial inputs",
    "targeted": "targeted inputs",
    "verified": "the verified worst case",
    "own_verified": "the bounds of its training",
}


def symbol(strategy: str) -> str:
    """A strategy of the paper in mathematical notation, for matplotlib."""
    name, _, rest = strategy.removeprefix("I_").partition("_")
    return rf"$\mathcal{{I}}_\mathrm{{{name}}}$ {rest}".rstrip()


def spaced(name: str) -> str:
    """A name of the configuration as words; I_A and the other names of the paper stay as they are."""
    return name if name.startswith("I_") else name.replace("_", " ")


def listed(names: Sequence[str]) -> str:
    """One or more names as "a", "a and b" or "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def attack_in_words(name: str) -> str:
    """An attack `signal/strategy` or `signal/strategy/rule` as words, such as `I_A on adversarial inputs, split`."""
    signal, strategy, *rule = name.split("/")
    strategy = strategy.removesuffix("_own")  # which the signal says
    return ", ".join([f"{spaced(strategy)} on {SIGNALS_IN_WORDS.get(signal, spaced(signal))}", *map(spaced, rule)])


def p_value(p: float) -> str:
    """A p-value as text; empty where there is none."""
    return "" if isnan(p) else f"{p:.3f}" if p >= 0.001 else "< 0.001"
