"""Sound upper bounds on logit margins over a ball, by several verifiers (`verifiers.py` lists them; docs/bounds.md has the equations).

`from robustmia.bounds import bound_margins` is for other projects. It is imported when it is asked for, so that a job that needs intervals
alone imports, and depends on, nothing else.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "bound_margins":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from robustmia.bounds.margins import bound_margins

    return bound_margins
