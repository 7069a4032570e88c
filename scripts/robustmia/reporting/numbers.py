"""Numbers as text: percent, with their confidence intervals; what is not a number is empty."""

from __future__ import annotations

import pandas as pd


def interval(low: float, high: float, sign: str = "") -> str:
    """Two fractions as percent; with sign "+" both have one."""
    return "" if pd.isna(low) else f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"


def percent(value: float, low: float = float("nan"), high: float = float("nan"), sign: str = "") -> str:
    """A fraction as percent, with its interval in brackets if it has one."""
    return "" if pd.isna(value) else f"{100 * value:{sign}.1f}{_in_brackets(interval(low, high, sign))}"


def correlation(value: float, low: float, high: float) -> str:
    """A correlation, with its interval in brackets if it has one."""
    ends = "" if pd.isna(low) else f"{low:+.2f} to {high:+.2f}"
    return "" if pd.isna(value) else f"{value:+.2f}{_in_brackets(ends)}"


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
