"""Settings of audits: what is filled in, what a job is given, and a line for what is wrong."""

from __future__ import annotations

import json

import pytest
import yaml
from pydantic import ValidationError

from helpers import ROOT, SMALL, checkpoint
from robustmia.audit.settings import CheckpointAudit
from robustmia.config.reading import check_audits, read_config
from robustmia.config.registry import SIGNALS
from robustmia.errors import UserError

THEIRS = {"model": SMALL, "weights": "w.pth", "dataset": "digits", "threat_model": {"epsilon": 0.1}}


def config(folder, audit: dict):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    return read_config(raw | {"results_dir": str(folder / "results"), "audits": {"a": audit}})


def test_an_audit_has_every_signal_in_the_ball_of_its_threat_model(tmp_path):
    audit = config(tmp_path, THEIRS).audits["a"]
    assert list(audit.signals) == list(SIGNALS)
    perturbed = [signal for name, signal in audit.signals.items() if name != "benign"]
    assert {(signal.norm, signal.epsilon) for signal in perturbed} == {("linf", 0.1)}


def test_a_signal_may_have_a_ball_of_its_own(tmp_path):
    signals = {"benign": {}, "adversarial": {"epsilon": 0.2, "steps": 7}, "targeted": None}
    audit = config(tmp_path, THEIRS | {"threat_model": {"norm": "l2", "epsilon": 0.1}, "signals": signals}).audits["a"]
    assert list(audit.signals) == ["benign", "adversarial"]
    adversarial = audit.signals["adversarial"]
    assert (adversarial.norm, adversarial.epsilon, adversarial.steps) == ("l2", 0.2, 7)


@pytest.mark.parametrize("changes", [{}, {"model": "their_code:network"}, {"split": None}, {"max_records": 60}])
def test_a_job_is_given_plain_values_that_say_the_same(tmp_path, changes):
    audit = checkpoint(tmp_path, **changes)
    given = CheckpointAudit(**json.loads(json.dumps(audit.as_spec())))
    assert given.as_spec() == audit.as_spec()
    assert {name: getattr(given, name) for name in CheckpointAudit.model_fields} == {
        name: getattr(audit, name) for name in CheckpointAudit.model_fields
    }


def test_nothing_is_missing_from_the_settings_of_a_job(tmp_path):
    spec = checkpoint(tmp_path).as_spec()
    for key in ("model", "weights", "threat_model", "signals"):
        with pytest.raises(ValidationError) as caught:
            CheckpointAudit(**{name: value for name, value in spec.items() if name != key})
        where = () if key == "weights" else (key,)  # a function may return a trained network
        assert [problem["loc"] for problem in caught.value.errors()] == [where]


@pytest.mark.parametrize(
    ("audit", "key"),
    [
        ({"predictions": "p.npz", "epsilon": 0.1}, "audits.a.epsilon"),
        ({"predictions": "p.npz", "threat_model": {"epsilon": 0.1}}, "audits.a.threat_model"),
        ({"predictions": "p.npz", "values": "ranks"}, "audits.a.values"),
        (THEIRS | {"model": "nocolon"}, "audits.a.model"),
        (THEIRS | {"dataset": "nothing"}, "audits.a.dataset"),
        ({key: value for key, value in THEIRS.items() if key != "threat_model"}, "audits.a.threat_model"),
        (THEIRS | {"signals": {"adversarial": {"steps": 3}}}, "audits.a.signals"),
        (THEIRS | {"signals": {"benign": {}, "nothing": {}}}, "audits.a.signals.nothing"),
        (THEIRS | {"signals": {"benign": {}, "adversarial": {"steps": 0}}}, "audits.a.signals.adversarial.steps"),
    ],
)
def test_a_bad_audit_is_named(tmp_path, audit, key):
    with pytest.raises(UserError) as caught:
        config(tmp_path, audit)
    assert str(caught.value).startswith("config: ")
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("audit", "key"),
    [
        ({"predictions": "p.npz"}, "audits.a.predictions"),
        (THEIRS, "audits.a.weights"),
        (THEIRS | {"weights": "there", "split": "s.npz"}, "audits.a.split"),
        (
            THEIRS | {"weights": "there", "dataset": {"name": "image_folder", "path": "faces"}},
            "config: audits.a.dataset: data/faces: ",
        ),
    ],
)
def test_a_file_that_is_not_there_is_named_before_any_job_starts(tmp_path, monkeypatch, audit, key):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").touch()
    settings = config(tmp_path, audit)
    with pytest.raises(UserError) as caught:
        check_audits(settings)
    assert key in str(caught.value)
