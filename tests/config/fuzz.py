"""Random mistakes in the configuration: `make fuzz SECONDS=600` looks for one that is neither accepted and planned, nor refused in clear lines.

A mutated configuration is either read, and then every job's settings survive their way into the job, or it is refused with lines
that begin with a key. Anything else (a traceback, a hang, words of a library) is a fault of ours.
"""

from __future__ import annotations

import copy
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from helpers import ROOT
from robustmia.audit.settings import CheckpointAudit
from robustmia.config.reading import read_config
from robustmia.config.schema import Config
from robustmia.config.studies import Point, read_points
from robustmia.errors import UserError
from robustmia.settings import chosen, instantiate
from robustmia.training.settings import TrainingSettings
from robustmia.workflow.paths import Paths
from robustmia.workflow.specs import Specs
from robustmia.workflow.study_jobs import StudyJobs
from robustmia.workflow.targets import Targets

LIMIT = 10  # seconds for one configuration
FOREIGN = (
    "pydantic",
    "validation",
    "Validation",
    "discriminator",
    "Input",
    "Traceback",
    "object at 0x",
    "NoneType",
    "typing",
)
SCALARS: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        3,
        7,
        0.5,
        -0.5,
        1e-40,
        1e40,
        10**30,
        2**63,
        -(2**70),
        float("nan"),
        float("inf"),
    ),
    *(
        "",
        " ",
        "no",
        "8/255",
        "1/0",
        "~/x",
        "~nobody/x",
        "$HOME/x",
        "$NOWHERE_AT_ALL",
        "a\x00b",
        "a\nb",
        "é",
        "x" * 5000,
        "{x}",
        "../..",
        ".",
    ),
    *(
        [],
        {},
        [1],
        [1, 2, 3],
        ["a"],
        [None],
        {"a": 1},
        {"name": "adam"},
        {"name": None},
        {"name": ["x"]},
        {1: 2},
        [[]],
        {"": {}},
    ),
    *(
        "natural",
        "digits",
        "linf",
        "l2",
        "interval",
        "colorblind",
        "crown",
        "one_cycle",
        "image_folder",
        "wide_resnet",
    ),
]
KEYS: list[Any] = [
    "name",
    "epsilon",
    "nonsense",
    "epoch",
    "",
    "a b",
    "a/b",
    1,
    True,
    None,
    "method",
    "training",
    "x" * 200,
    "$$",
    "norm",
]
AUDITS = {
    "theirs": {"predictions": "p.npz"},
    "model": {
        "model": "theirs:network",
        "weights": "w.pth",
        "dataset": "digits",
        "threat_model": {"epsilon": 0.1},
        "signals": {"benign": {}, "verified": {}},
    },
}


STUDIES = {
    "sweep": {
        "dataset": "digits",
        "runs": ["natural", "pgd"],
        "change": {"signals.targeted": None, "method.epsilon": 0.2},
        "vary": {"threat_model.epsilon": [0.05, "8/255"], "split.max_members": [100, 200]},
        "zip": True,
        "seeds": [0, 1],
    },
    "points": {
        "dataset": "digits",
        "points": {"none": {}, "decay": {"training.optimizer.weight_decay": 0.1, "runs.pgd.method.steps": 3}},
        "max_points": 9,
    },
    "transfer": {
        "kind": "transfer",
        "dataset": "mine",
        "change": {"split.max_members": 50, "split.classes": ["a", 1]},
        "other_records": True,
        "shadow_models": 8,
    },
    "outputs": {"kind": "outputs", "dataset": "digits", "temperatures": [2.0], "decimals": [3], "farthest": 2.0},
    "sensitivity": {"kind": "sensitivity", "dataset": "digits", "random": 3, "most_at_risk": 1, "retrainings": 4},
}


def base() -> dict[str, Any]:
    """The configuration that is changed: the default with audits, studies, and a data set of one's own."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"audits": AUDITS}
    mine = {
        "source": {"name": "image_folder", "path": "faces", "size": [64, 64]},
        "threat_model": {"norm": "l2", "epsilon": "128/255"},
        "split": {"members_per_class": 10},
        "architecture": {"name": "wide_resnet", "depth": 16, "width": 2, "input_mean": [0.5], "input_std": [0.25]},
        "training": {
            "epochs": 9,
            "optimizer": {"name": "adam", "learning_rate": 0.001},
            "schedule": {"name": "piecewise", "epochs": [3, 6], "factors": [0.1, 0.01]},
        },
        "signals": {"benign": {}, "adversarial": {}},
        "runs": {
            "natural": {"method": {"name": "natural"}},
            "pgd": {"method": {"name": "pgd"}, "training": {"epochs": 5}},
        },
    }
    return raw | {"studies": STUDIES, "shadow_models": 6, "datasets": raw["datasets"] | {"mine": mine}}


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in a configuration but its root."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutated(raw: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """A copy with one to three random changes."""
    raw = copy.deepcopy(raw)
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        *above, key = dice.choice(list(places(raw)))
        group: Any = raw
        for part in above:
            group = group[part]
        match dice.choice(["replace", "replace", "replace", "delete", "rename", "add", "move", "wrap"]):
            case "replace":
                group[key] = copy.deepcopy(dice.choice(SCALARS))
            case "delete":
                del group[key]
            case "rename" if isinstance(group, dict):
                group[dice.choice(KEYS)] = group.pop(key)
            case "add" if isinstance(group, dict):
                group[dice.choice(KEYS)] = copy.deepcopy(dice.choice(SCALARS))
            case "move" if isinstance(group, dict):
                raw[key] = group[key]
            case _:
                group[key] = [group[key]]
        if not raw:
            return raw
    return raw


def plan(config: Config, points: dict[str, list[Point]]) -> None:
    """Every job's settings, and that they are the same in the job."""
    paths = Paths(str(config.results_dir))
    targets = Targets(config, paths, points)
    specs = Specs(targets)
    for dataset, settings in config.datasets.items():
        targets.expand(paths.signals, dataset=dataset)
        targets.expand(paths.figure, dataset=dataset, form="pdf")
        assert instantiate(specs.fetch(dataset)["source"]) == settings.source
        specs.split(dataset, "0"), specs.conclusions(dataset), specs.paper_table(dataset)
        for figure in targets.figures(dataset):
            specs.figure(dataset, figure)
        for run, of_run in settings.runs.items():
            spec = specs.train(dataset, run, "0")
            assert instantiate(spec["method"]) == of_run.method
            assert instantiate(spec["architecture"]) == (of_run.architecture or settings.architecture)
            TrainingSettings(**spec["training"])
            specs.infer(dataset, run, "0"), specs.checkpoint(dataset, run, "0")
            if config.shadow_models:
                specs.shadow_train(dataset, run, "0", "0"), specs.shadow_checkpoint(dataset, run, "0", "0")
        for names in targets.variants.find(dataset).signal_jobs:
            for name, spec in specs.signals(dataset, next(iter(settings.runs)), "0", names)["signals"].items():
                assert instantiate(spec) == settings.signals[name]
    plan_studies(config, targets, specs)
    for audit in config.audits:
        specs.audit_infer(audit)
        if audit in targets.checkpoint_audits:
            read = CheckpointAudit(**specs.audit(audit)["settings"])
            assert {name: chosen(kind) for name, kind in read.signals.items()} == specs.audit(audit)["settings"][
                "signals"
            ]


def plan_studies(config: Config, targets: Targets, specs: Specs) -> None:
    """Every study's settings, and those of the jobs at its points."""
    jobs = StudyJobs(targets)
    for study, settings in config.studies.items():
        getattr(jobs, settings.kind)(study)
        jobs.files(study)
        of_points = targets.variants.of_studies[study]
        assert len(of_points) == len(targets.points[study])
        for variant in (variant for of_point in of_points for variant in of_point):
            run = targets.variants.names("train", variant)["run"]
            found = specs.train(variant.dataset, run, "0")
            assert instantiate(found["method"]) == variant.method
            assert len(targets.files(targets.paths.record_results, variant)) == len(variant.seeds)
        if settings.kind == "sensitivity":
            jobs.sensitivity_records(study), jobs.retrained(study)


def run_jobs(config: Config, dice: random.Random) -> None:
    """Train one of the runs on digits and compute its signals, both at the smallest size; a `UserError` is a fault here, too."""
    import math

    import torch

    from robustmia.data.digits import Digits
    from robustmia.data.split import Split
    from robustmia.signals.target_model import TargetModel
    from robustmia.training.loop import Trainer

    dataset = config.datasets.get("digits")
    if dataset is None or dataset.architecture.input_mean:  # of a number of channels that digits may not have
        return
    run = dice.choice(list(dataset.runs))
    specs, rows = Specs(Targets(config, Paths("results"))), torch.arange(64).numpy()
    spec, records = specs.train("digits", run, "0"), Digits(name="digits").load(Path("nowhere"))
    architecture, training = spec["architecture"]["settings"], spec["training"]
    architecture |= {
        key: min(architecture[key], most) for key, most in {"width": 2, "depth": 10}.items() if key in architecture
    }
    training["epochs"] = min(training["epochs"], math.ceil(dataset.runs[run].method.warmup_ends) + 1, 4)
    training["batch_size"] = min(training["batch_size"], 32)
    split = Split(rows[:32], rows[32:], rows[:0])
    with tempfile.TemporaryDirectory() as folder:
        model, _ = Trainer.of_spec(spec, records, split, Path(folder) / "c.pt", torch.device("cpu"), "fuzz").run()
    target = TargetModel(model, records, Split(rows[:4], rows[32:36], rows[:0]), torch.device("cpu"), 0)
    for settings in dataset.signals.values():
        target.logits(settings)


def fault_of(raw: dict[str, Any], dice: random.Random | None = None) -> str | None:
    """What is wrong with how a configuration is met; None: nothing.

    Args:
        raw: the configuration.
        dice: where it is given, jobs of an accepted configuration are run, too.
    """
    signal.alarm(LIMIT)
    try:
        config = read_config(raw)
        points = read_points(raw, config)
    except UserError as error:
        lines = str(error).splitlines() or [""]
        if wrong := [
            line for line in lines if not line.startswith("config: ") or any(word in line for word in FOREIGN)
        ]:
            return f"unclear: {wrong[0]}"
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    signal.alarm(6 * LIMIT)
    try:
        plan(config, points)
        if dice is not None:
            run_jobs(config, dice)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    return None


def faults(
    seed: int, seconds: float, most: int | None = None, jobs_every: int = 40
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Configurations that are met badly, with what is wrong, until the time is over; every so often jobs are run, too."""

    def too_slow(*_: object) -> None:
        raise TimeoutError(f"more than {LIMIT} s")

    signal.signal(signal.SIGALRM, too_slow)
    raw = base()
    dice, ends, count = random.Random(seed), time.monotonic() + seconds, 0
    while time.monotonic() < ends and (most is None or count < most):
        count += 1
        changed = mutated(raw, dice)
        if problem := fault_of(changed, dice if count % jobs_every == 0 else None):
            yield problem, changed


def difference(raw: Any, changed: Any, key: str = "") -> list[str]:
    """What was changed, a line each."""
    if isinstance(raw, dict) and isinstance(changed, dict):
        keys = list(dict.fromkeys([*raw, *changed]))
        return [line for name in keys for line in difference(raw.get(name), changed.get(name), f"{key}.{name}")]
    return [] if raw == changed else [f"{key[1:]}: {str(changed)[:200]!r}"]


def main() -> None:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    seen: set[str] = set()
    for problem, changed in faults(seed, seconds):
        if problem[:60] not in seen:
            seen.add(problem[:60])
            print(problem, *difference(base(), changed), sep="\n    ")
    print(f"{len(seen)} kinds of faults in {seconds:g} s, seed {seed}")
    sys.exit(bool(seen))


if __name__ == "__main__":
    main()
