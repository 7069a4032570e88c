"""The commands of the README and of docs/: each is planned, and those of the tutorial are run at the smoke size."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from helpers import ROOT, Workflow, list_in_registry, put_audited, put_faces

TUTORIAL = [ROOT / "docs" / "tutorial" / f"{name}.md" for name in ("first-run", "own-images", "own-defense")]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *TUTORIAL]
PAGES += sorted(page for page in (ROOT / "docs").rglob("*.md") if page not in TUTORIAL)
SHELL = re.compile(r"(?ms)^```sh\n(.*?)^```$")
INLINE = re.compile(r"`((?:snakemake [^`]*--cores|make [a-z]|(?:PYTHONPATH=\S+ )?python )[^`]*)`")
FILES = re.compile(r"(?ms)^```(?:yaml|py|python) (\S+)\n(.*?)^```$")
UNTESTED = {
    "git": "a clone needs the repository's address",
    "cd": "changes the folder of a terminal",
    "source": "activates the environment in a terminal",
    ".venv/bin/pytest": "the tests do not run themselves",
    "python tests/slurm/cluster.py": "starts SLURM, as root",
    "--sdm conda": "needs conda",
    "configs/mine.yaml": "test_extending.py runs it, with the files and lines of its page",
}
"""Commands with these words, each with the reason."""
HAVE_VALUES = ("--configfile", "--config", "--forcerun", "--quiet", "--profile", "--cores", "--sdm")
SMOKE = "configs/smoke.yaml"


@dataclass(frozen=True)
class Command:
    """A command of a page, in words as a shell splits them."""

    page: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return shlex.join(self.words)

    @property
    def reason(self) -> str | None:
        """Why it is not tested."""
        return next((why for what, why in UNTESTED.items() if f" {what} " in f" {self.text} "), None)


@dataclass
class Arguments:
    """What a command gives to snakemake."""

    targets: list[str] = field(default_factory=list)
    options: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, words: tuple[str, ...]) -> Arguments:
        found, name = cls(), ""
        for word in words:
            if word.startswith("-"):
                name = word
                found.options[name] = []
            elif name in HAVE_VALUES and not (name != "--configfile" and found.options[name]):
                found.options[name].append(word)
            else:
                found.targets.append(word)
        return found

    def words(self, *, without: tuple[str, ...] = ()) -> list[str]:
        kept = {name: values for name, values in self.options.items() if name not in without}
        return [*self.targets, *(word for name, values in kept.items() for word in (name, *values))]


def commands_of(page: Path) -> Iterator[Command]:
    """Those of its blocks of shell, and those within its sentences."""
    text = page.read_text()
    lines = [line for block in SHELL.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    lines += [" ".join(command.split()) for command in INLINE.findall(re.sub(r"(?ms)^```.*?^```$", "", text))]
    for line in lines:
        for command in filter(None, re.sub(r"(^|\s+)#.*", "", line).split("; ")):
            words = shlex.split(command)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            yield Command(str(page.relative_to(ROOT)), tuple(words))


COMMANDS = list(dict.fromkeys(command for page in PAGES for command in commands_of(page)))


def of_program(name: str) -> list[Command]:
    return [one for one in COMMANDS if one.words[0] == name and not one.reason]


def write_files(workflow: Workflow) -> None:
    """The files of the pages, with what they name, and a file that is only looked for."""
    for page in PAGES:
        for name, text in FILES.findall(page.read_text()):
            if name.isupper() and page in TUTORIAL:
                list_in_registry(workflow.folder, name, text)
            elif page in TUTORIAL or not (name.isupper() or "/" in name):
                (workflow.folder / name).write_text(text)
    put_faces(workflow.folder)
    put_audited(workflow.folder)
    (workflow.folder / "data" / "CroppedYale.zip").write_bytes(b"only looked for")
    shutil.copytree(ROOT / "slurm", workflow.folder / "slurm")


def test_every_command_is_tested_or_has_a_reason():
    known = ("snakemake", "make", "python")
    assert {one.text: one.page for one in COMMANDS if one.words[0] not in known and not one.reason} == {}
    assert {what for what in UNTESTED if not any(f" {what} " in f" {one.text} " for one in COMMANDS)} <= {"git", "cd"}


def groups() -> dict[tuple[str, ...], list[tuple[Command, Arguments]]]:
    """Commands for snakemake by their options: one plan has the targets of all of them."""
    found = defaultdict(list)
    for command in of_program("snakemake"):
        arguments = Arguments.of(command.words[1:])
        options = Arguments([], arguments.options).words(without=("--cores", "-n", "--verbose"))
        found[tuple(options)].append((command, arguments))
    return found


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    workflow = Workflow.copy(tmp_path_factory.mktemp("plans") / "workflow")
    write_files(workflow)
    return workflow


@pytest.mark.parametrize("options", groups(), ids=" ".join)
def test_a_command_of_snakemake_makes_a_plan(plans: Workflow, options):
    commands = groups()[options]
    targets = dict.fromkeys(target for _, arguments in commands for target in arguments.targets or ["all"])
    done = plans.run("--dry-run", *targets, *options)
    assert done.returncode == 0, (sorted({command.page for command, _ in commands}), done.stdout)
    assert "Job stats" in done.stdout, done.stdout


def test_every_target_of_make_is_there():
    for command in of_program("make"):
        done = subprocess.run(["make", "-n", *command.words[1:]], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)


def test_everything_that_is_started_by_python_is_there(plans: Workflow):
    for command in of_program("python"):
        module = command.words[2] if command.words[1] == "-m" else None
        assert find_spec(module) if module else (ROOT / command.words[1]).is_file(), command
        files = [word for word in command.words if word.endswith(".yaml")]
        assert all((plans.folder / file).is_file() for file in files), command


def test_the_tutorial_runs(smoke: Workflow, tmp_path: Path):
    """Its commands for snakemake one after the other, after `make run`, with the smoke configuration below their own."""
    shutil.copytree(smoke.folder, tmp_path / "workflow")
    workflow = Workflow(tmp_path / "workflow")
    write_files(workflow)
    for page in TUTORIAL:
        for command in commands_of(page):
            if command.words[0] == "snakemake" and not command.reason:
                arguments = Arguments.of(command.words[1:])
                own = [file for file in arguments.options.get("--configfile", []) if file != SMOKE]
                arguments.options["--configfile"] = [SMOKE, *own]
                done = workflow.run(*arguments.words(without=("--cores",)))
                assert done.returncode == 0, (command, done.stdout)
    results = workflow.folder / "results" / "smoke"
    robustness = pd.read_csv(results / "tables" / "robustness.csv")
    assert "fast" in set(robustness.run)
    assert {"natural", "pgd"} == set(pd.read_csv(results / "tables" / "faces" / "robustness.csv").run)
    named = {file for page in TUTORIAL for file in re.findall(r"`results/([\w./]+\.\w+)`", page.read_text())}
    assert {file for file in named if not (results / file).exists()} == set()
