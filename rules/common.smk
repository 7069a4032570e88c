# Lookups that the rules share: nothing here decides anything.
RESULTS = plan.results
TARGET = "{dataset}/{run}/seed{seed}"


wildcard_constraints:
    dataset=r"[A-Za-z][A-Za-z0-9_.-]*",
    run=r"[A-Za-z][A-Za-z0-9_.-]*",
    seed=r"\d+",


def of_target(lookup):
    """A lookup of the plan by data set, run and seed, as an input or params function."""
    return lambda wildcards: lookup(
        wildcards.dataset, wildcards.run, int(wildcards.seed)
    )


def of_dataset(lookup):
    """A lookup of the plan by data set, as an input or params function."""
    return lambda wildcards: lookup(wildcards.dataset)


def code_of(script):
    """The digest of the code that a script uses, as a params function."""
    return lambda wildcards: plan.code(
        script, wildcards.get("dataset"), wildcards.get("run")
    )


def figure_spec(figure):
    """The spec of a figure, as a params function."""
    return lambda wildcards: plan.figure(wildcards.dataset, figure)
