# Lookups that the rules share: nothing here decides anything.
RESULTS = plan.results
TARGET = "{dataset}/{run}/seed{seed}"


wildcard_constraints:
    dataset=r"[A-Za-z][A-Za-z0-9_.-]*",
    run=r"[A-Za-z][A-Za-z0-9_.-]*",
    seed=r"\d+",
    batch=r"\d+",


def of_target(lookup, *more):
    """A lookup of the plan by data set, run, seed and more wildcards, as an input or params function."""
    return lambda wildcards: lookup(
        wildcards.dataset,
        wildcards.run,
        int(wildcards.seed),
        *(wildcards[name] for name in more),
    )


def of_shadows(lookup, *more):
    """A lookup of the plan by data set, run, number of a job of shadow models and more wildcards, as a params function."""
    return lambda wildcards: lookup(
        wildcards.dataset,
        wildcards.run,
        int(wildcards.batch),
        *(wildcards[name] for name in more),
    )


def of_dataset(lookup):
    """A lookup of the plan by data set, as an input or params function."""
    return lambda wildcards: lookup(wildcards.dataset)


def code_of(script):
    """The digest of the code that a script uses, as a params function."""
    return lambda wildcards: plan.code(
        script, *map(wildcards.get, ("dataset", "run", "signal", "audit"))
    )


def figure_spec(figure):
    """The spec of a figure, as a params function."""
    return lambda wildcards: plan.figure(wildcards.dataset, figure)


def at_stage(lookup, stage):
    """A lookup of the plan by data set and stage of results, as an input or params function."""
    return lambda wildcards: lookup(wildcards.dataset, stage)


def of_audit(lookup):
    """A lookup of the plan by audit, as an input or params function."""
    return lambda wildcards: lookup(wildcards.audit)
