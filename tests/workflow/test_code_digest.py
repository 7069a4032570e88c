"""Which modules a job's result depends on, and the digest of their text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers import ROOT
from robustmia.config.registry import METHODS, SIGNALS
from robustmia.workflow import code_digest as module
from robustmia.workflow.code_digest import chosen_modules, code_digest, digest, used_modules

SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))


def chosen(path: str) -> dict:
    return {"class": path, "settings": {"name": "some:thing"}}


def test_modules_are_found_anywhere_in_a_spec():
    spec = {
        "dataset": {"source": chosen("robustmia.data.digits:Digits")},
        "strategies": ["robustmia.inference.attacks.paper_attacks:IB", "robustmia.inference.attacks.lira:LiRAOnline"],
        "columns": [["robustmia.inference.columns:accuracy"]],
        "training": {"optimizer": chosen("robustmia.training.optimizers:SGD"), "epochs": 3, "monitor": None},
    }
    assert chosen_modules(spec) == (
        "robustmia.data.digits",
        "robustmia.inference.attacks.paper_attacks",
        "robustmia.inference.attacks.lira",
        "robustmia.inference.columns",
        "robustmia.training.optimizers",
    )


def test_a_module_that_is_named_twice_is_one():
    spec = ["robustmia.inference.attacks.paper_attacks:IB", {"again": "robustmia.inference.attacks.paper_attacks:IA"}]
    assert chosen_modules(spec) == ("robustmia.inference.attacks.paper_attacks",)


@pytest.mark.parametrize(
    "text",
    ["digits", "their_code:network", "robustmia.data.digits", "robustmia.data: 3 MiB", "a robustmia.x:Y", "", ":"],
)
def test_other_text_names_no_module(text):
    assert chosen_modules({"key": text}) == ()
    assert chosen_modules(None) == ()


def test_the_digest_of_nothing_is_refused():
    with pytest.raises(FileNotFoundError):
        code_digest("nothing")
    with pytest.raises(FileNotFoundError):
        code_digest("train", {"method": chosen("robustmia.methods.nothing:Nothing")})


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_surrounds_a_job_is_in_no_digest(script):
    used = used_modules(script)
    assert used
    assert not [name for name in used if name.startswith("robustmia.workflow")]
    assert not {"robustmia.config.registry", "robustmia.config.schema"} & set(used)  # a new line reruns nothing


def test_a_chosen_module_is_in_the_digest_and_no_other_of_its_kind():
    pgd, ibp = (METHODS[name].partition(":")[0] for name in ("pgd", "ibp"))
    assert pgd in used_modules("train", pgd)
    assert ibp not in used_modules("train", pgd)
    digests = {code_digest("train", {"method": chosen(METHODS[name])}) for name in ("pgd", "ibp")}
    assert len({code_digest("train"), *digests}) == 3
    verified = SIGNALS["verified"].partition(":")[0]
    bounds = [name for name in used_modules("signals", verified) if name.startswith("robustmia.bounds.")]
    assert "robustmia.bounds.verifiers" in bounds  # imported inside a function


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Scripts of one's own; each name is digested once alone, since digests are kept."""
    package = tmp_path / "robustmia" / "files"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("")
    script = "from typing import TYPE_CHECKING\nimport numpy\nif TYPE_CHECKING:\n    from robustmia import typed\n"
    script += "def f():\n    from robustmia.files import direct\nfrom robustmia.workflow import job\n"
    for name in ("first", "second", "third", "fourth"):
        (tmp_path / f"{name}.py").write_text(script)
    (package / "direct.py").write_text("import robustmia.indirect\n")
    (package.parent / "indirect.py").write_text("VALUE = 1\n")
    (package.parent / "typed.py").write_text("VALUE = 1\n")
    (package.parent / "workflow").mkdir()
    (package.parent / "workflow" / "job.py").write_text("VALUE = 1\n")
    monkeypatch.setattr(module, "SCRIPTS", tmp_path)
    return tmp_path


def test_the_digest_changes_with_the_text_of_what_is_imported_and_with_nothing_else(scripts):
    assert used_modules("first") == ("robustmia.files.direct", "robustmia.indirect")
    before = code_digest("first")
    for name in ("typed.py", "workflow/job.py", "__init__.py"):
        (scripts / "robustmia" / name).write_text("VALUE = 2\n")
    assert code_digest("second") == before
    (scripts / "robustmia" / "indirect.py").write_text("VALUE = 2\n")
    third = code_digest("third")
    assert third != before
    (scripts / "fourth.py").write_text((scripts / "fourth.py").read_text() + "x = 1\n")
    assert code_digest("fourth") not in (before, third)


def test_equal_values_have_one_digest():
    assert digest({"a": 1, "b": [2.5, None]}) == digest(json.loads('{"b": [2.5, null], "a": 1}'))
    assert len({digest(1), digest(1.5), digest("1"), digest(1, 1), digest([1]), digest(None)}) == 6
