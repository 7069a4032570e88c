"""The lists that a newcomer extends: a method, a data set or a signal is one new module and one line here.

Jobs do not import this module, so that a new line reruns nothing that was there before.
"""

from __future__ import annotations

from pkgutil import resolve_name

METHODS = {
    "natural": "robustmia.methods.natural:Natural",
    "pgd": "robustmia.methods.pgd:PGD",
    "distributional": "robustmia.methods.distributional:Distributional",
    "trades": "robustmia.methods.trades:TRADES",
    "duality": "robustmia.methods.duality:Duality",
    "abstract_interpretation": "robustmia.methods.abstract_interpretation:AbstractInterpretation",
    "ibp": "robustmia.methods.ibp:IBP",
}

SOURCES = {
    "digits": "robustmia.data.digits:Digits",
    "fashion_mnist": "robustmia.data.fashion_mnist:FashionMNIST",
    "cifar10": "robustmia.data.cifar10:CIFAR10",
    "yale": "robustmia.data.yale:Yale",
    "image_folder": "robustmia.data.image_folder:ImageFolder",
}

SIGNALS = {
    "benign": "robustmia.signals.benign:Benign",
    "adversarial": "robustmia.signals.adversarial:Adversarial",
    "targeted": "robustmia.signals.targeted:Targeted",
    "verified": "robustmia.signals.verified:Verified",
}


def classes(registry: dict[str, str]) -> tuple[type, ...]:
    """The classes that a registry lists, in its order."""
    return tuple(resolve_name(path) for path in registry.values())
