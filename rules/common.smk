# Lookups that the rules share: nothing here decides anything.
NONE = "(?!)"  # matches nothing


wildcard_constraints:
    dataset=r"[A-Za-z][A-Za-z0-9_.-]*(@[0-9a-f]{8})?",
    run=r"[A-Za-z][A-Za-z0-9_.-]*(@[0-9a-f]{8})?",
    seed=r"\d+",
    batch=r"\d+",
    signals=rf"({'|'.join(SIGNALS)})(\+({'|'.join(SIGNALS)}))*",


def by_wildcards(lookup, **given):
    """A lookup by the wildcards of a job, as an input or params function."""
    return lambda wildcards: lookup(**dict(wildcards.items()) | given)


def code_of(script, spec=None, **given):
    """The digest of the code that a script uses with a spec, as a params function."""
    return lambda wildcards: code_digest(
        script, spec and spec(**dict(wildcards.items()) | given)
    )


def located(pattern):
    """The file of an earlier stage that a job reads: under a study its names may be others there, see workflow/variants.py."""
    return lambda wildcards: targets.located(pattern, **wildcards)


def expanded(pattern, **names):
    """Every file of a pattern that belongs to the wildcards of a job, as an input function."""
    return lambda wildcards: targets.expand(pattern, **dict(wildcards.items()) | names)


def asked_for(files, missing):
    """All files of a target, as an input function; where the configuration has none, who asks for them is told what is missing."""
    return lambda wildcards: files or or_end(refuse, missing)


def texts_in(folder, *patterns):
    """A digest of the texts that a job reads beside its code: if one changes, it runs again."""
    files = (
        path
        for pattern in patterns
        for path in (Path(workflow.basedir) / folder).glob(pattern)
    )
    return digest(*(path.read_text() for path in sorted(files)))


def page_outputs(pattern, caption, shows, **place):
    """A table that people read, as Markdown and as HTML, which goes into Snakemake's report with a caption, at a category."""
    html = report(
        filled(pattern, form="html"),
        caption=f"../report/{caption}.rst",
        labels={"shows": shows},
        **place,
    )
    return {"markdown": filled(pattern, form="md"), "html": html}


def figure_outputs(pattern, caption, shows, **place):
    """A figure as PDF, SVG and PNG; arguments as above."""
    png = report(
        filled(pattern, form="png"),
        caption=f"../report/{caption}.rst",
        labels={"shows": shows},
        **place,
    )
    return {
        "pdf": filled(pattern, form="pdf"),
        "svg": filled(pattern, form="svg"),
        "png": png,
    }


CAPTIONS = texts_in("report", "*.rst")
TEMPLATES = texts_in("scripts/robustmia/reporting/page", "*.j2", "*.css", "*.js")


# What tables and figures are made from, step by step. They ask for all of it, not for the last step alone: what a failed job
# removed is then made again, whichever target it failed under, and nothing older passes as up to date.
STEPS = [
    file
    for pattern in (
        paths.records,
        paths.split,
        paths.model,
        paths.signals,
        paths.shadow_models,
        paths.shadow_signals,
        paths.record_results,
    )
    for file in targets.expand(pattern)
]


def figure_inputs(kind):
    """The files that a kind of figure is drawn from."""
    inputs = {}
    if kind.table:
        inputs["table"] = filled(paths.table, table=kind.table)
    if kind.is_sorted_by_leakage:
        inputs["conclusions"] = filled(paths.table, table="conclusions")
    if kind.shows_images:
        inputs["records"] = paths.records
    if kind.shows_examples:
        inputs["examples"] = lambda wildcards: targets.expand(
            paths.signals,
            dataset=wildcards.dataset,
            seed=str(settings.seeds[0]),
            signals=targets.adversarial_job(wildcards.dataset),
        )
    return inputs
