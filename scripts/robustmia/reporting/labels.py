"""How signals, strategies and runs are written in tables and figures."""

from __future__ import annotations

PAPER_STRATEGIES = ("I_B", "I_A", "I_V")
"""Those of the paper's own tables; the others are in the long table and in the figure of AUCs."""
SIGNAL_TITLES = {"benign": "clean inputs", "adversarial": "adversarial inputs", "verified": "verified worst case"}


def symbol(strategy: str) -> str:
    """A strategy of the paper in mathematical notation, for matplotlib."""
    name, _, rest = strategy.removeprefix("I_").partition("_")
    return rf"$\mathcal{{I}}_\mathrm{{{name}}}$ {rest}".rstrip()


def spaced(name: str) -> str:
    """A name of the configuration as words."""
    return name.replace("_", " ")


def attack_in_words(name: str) -> str:
    """An attack `signal/strategy` or `signal/strategy/rule` as words, such as `I A on adversarial, split`."""
    signal, strategy, *rule = name.split("/")
    return ", ".join([f"{spaced(strategy)} on {spaced(signal)}", *map(spaced, rule)])
