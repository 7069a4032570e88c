"""The conda environments: what each rule's script imports is named in its file, at the version of the lock."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from helpers import ROOT
from robustmia.config.registry import (
    COLUMNS,
    FIGURES,
    METHODS,
    NETWORKS,
    OPTIMIZERS,
    SCHEDULES,
    SIGNALS,
    SOURCES,
    STRATEGIES,
)
from robustmia.workflow.code_digest import used_modules

CONDA_NAMES = {
    "torch": "pytorch",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "matplotlib": "matplotlib-base",
}
LOCK_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
INDIRECT = {"jinja2", "tabulate", "snakemake"}  # pandas renders LaTeX and Markdown with two; the report starts one
TRAINING = (METHODS, NETWORKS, OPTIMIZERS, SCHEDULES)
CHOSEN = {
    "fetch": (SOURCES,),
    **dict.fromkeys(("train", "shadow_train"), TRAINING),
    **dict.fromkeys(("signals", "shadow_signals", "audit_checkpoint"), (NETWORKS, SIGNALS)),
    **dict.fromkeys(("infer", "audit_infer"), (STRATEGIES, COLUMNS)),
    **dict.fromkeys(("figure", "audit_page"), (FIGURES,)),
}
"""What a spec may choose of, by script: every entry counts."""
SURROUNDINGS = "robustmia.workflow"


def rules() -> list[tuple[str, str]]:
    """Script and environment file of every rule that has a script."""
    found = []
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for rule in re.split(r"(?m)^ *rule\b", path.read_text())[1:]:
            script = re.search(r'"\.\./scripts/(\w+)\.py"', rule)
            if script:
                environment = re.search(r'"\.\./envs/(\w+)\.yaml"', rule)
                assert environment, f"{path.name}: rule {rule.split(':')[0]} has a script and no environment"
                found.append((script.group(1), environment.group(1)))
    return found


def packages(environment: str) -> dict[str, str]:
    content = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())
    return dict(re.fullmatch(r"([\w-]+) =([\d.]+)", line).groups() for line in content["dependencies"])


def imported(path: Path) -> set[str]:
    """Top-level names of other libraries that a file imports, not counting imports for type checking alone."""
    tree = ast.parse(path.read_text())
    typing = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    skipped = {id(inner) for node in typing for inner in ast.walk(node)}
    names = set()
    for node in ast.walk(tree):
        if id(node) not in skipped:
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"robustmia"}


def job_modules() -> list[str]:
    """`robustmia.workflow.job`, and the modules of its package that it imports, also through others."""
    todo, seen = [f"{SURROUNDINGS}.job"], []
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.append(module)
            todo += re.findall(rf"(?m)^ *from ({SURROUNDINGS}\.\w+) import", source(module).read_text())
    return seen


def source(module: str) -> Path:
    return (ROOT / "scripts").joinpath(*module.split(".")).with_suffix(".py")


def needed(script: str) -> set[str]:
    chosen = [path.partition(":")[0] for registry in CHOSEN.get(script, ()) for path in registry.values()]
    modules = [*used_modules(script, *chosen), *job_modules()]
    names = set().union(*(imported(source(module)) for module in [script, *modules]))
    if script == "provenance":  # it has Snakemake read the Snakefile
        names |= imported_by_the_snakefile()
    return {CONDA_NAMES.get(name, name) for name in names}


def imported_by_the_snakefile() -> set[str]:
    """Other libraries that are imported as the Snakefile is read, at the top of the package's modules; what is called then may need more."""
    todo = re.findall(r"(?m)^from (\S+) import", (ROOT / "Snakefile").read_text())
    seen: set[str] = set()
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            if source(module).is_file():
                todo += re.findall(r"(?m)^(?:from|import) (\S+)", source(module).read_text())
    names = {module.partition(".")[0] for module in seen} - set(sys.stdlib_module_names) - {"robustmia"}
    return {name for name in names if not name.startswith("snakemake_")}  # they come with it


@pytest.mark.parametrize(("script", "environment"), sorted(set(rules())))
def test_a_script_imports_nothing_that_its_environment_does_not_name(script, environment):
    assert needed(script) <= set(packages(environment))


@pytest.mark.parametrize("environment", ["training", "analysis", "report"])
def test_an_environment_names_nothing_that_no_script_needs(environment):
    used = set().union(*(needed(script) for script, theirs in rules() if theirs == environment))
    assert set(packages(environment)) - used - INDIRECT == {"python"}


@pytest.mark.parametrize("environment", ["training", "analysis", "report"])
def test_an_environment_has_the_versions_of_the_lock(environment):
    first = {}
    for name, version in re.findall(r"(?m)^([\w-]+)==([\d.]+)", (ROOT / "requirements.lock").read_text()):
        first.setdefault(name, version)  # a package with two versions has the one for current Pythons first
    for name, version in packages(environment).items():
        if name != "python":
            assert first[LOCK_NAMES.get(name, name)] == version, name


def test_what_surrounds_a_job_is_found():
    assert set(job_modules()) == {f"{SURROUNDINGS}.{name}" for name in ("job", "gpu_lock", "logs")}


def test_the_lock_pins_the_pair_that_loads_together():
    import torch
    import torchvision

    assert (torch.__version__.split("+")[0], torchvision.__version__.split("+")[0]) == ("2.11.0", "0.26.0")
    lock = (ROOT / "requirements.lock").read_text()
    assert "torch==2.11.0" in lock
    assert "torchvision==0.26.0" in lock
