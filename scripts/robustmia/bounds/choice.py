"""Which verifiers are run for a network, and what they are estimated to cost. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

IN_WORDS = {
    "interval": "intervals",
    "crown_interval": "CROWN-IBP",
    "dual": "dual bounds",
    "crown": "CROWN",
    "alpha_crown": "alpha-CROWN",
}
"""What the field calls each verifier."""


@dataclass(frozen=True)
class Choice:
    """Verifiers, and what they cost."""

    seconds: dict[str, float]
    """For 1,000 records, by verifier, in the order in which they are run."""
    tighter: str | None = None
    """The next tighter verifier that is not among them."""
    tighter_seconds: float = 0.0

    def in_words(self) -> str:
        """Sentences for logs and reports."""
        costs = ", ".join(f"{IN_WORDS[name]} ({duration(cost)})" for name, cost in self.seconds.items())
        sentence = f"Verifiers, and the time that each is estimated to take for 1,000 records: {costs}."
        if self.tighter is None:
            return f"{sentence} None is tighter."
        return f"{sentence} {IN_WORDS[self.tighter]} would be tighter, in {duration(self.tighter_seconds)}."


def duration(seconds: float) -> str:
    """An estimate in words, such as `about 3 min`; never less than a second."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:,.0f} {unit}"
    return f"about {max(seconds, 1):.0f} s"
