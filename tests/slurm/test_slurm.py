"""The pipeline on a real SLURM: through the profile as it is, and through what happens on clusters."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml
from cluster import Cluster, missing

from helpers import ROOT, Workflow
from robustmia.workflow.logs import TO_STDERR

PROFILE = ("--profile", "slurm", "--configfile", "configs/smoke.yaml")
FEW = {
    "seeds": [0],
    "datasets": {
        "digits": {
            "training": {"epochs": 300, "monitor": None},  # long enough to be hit
            "signals": {"verified": None},
            "runs": dict.fromkeys(("distributional", "trades", "duality", "abstract_interpretation", "ibp")),
        }
    },
}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := missing():
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def copy(folder: Path, overlay: dict | None = None) -> Workflow:
    workflow = Workflow.copy(folder / "workflow")
    shutil.copytree(ROOT / "slurm", workflow.folder / "slurm")
    (workflow.folder / "few.yaml").write_text(yaml.safe_dump(overlay or {}))
    return workflow


def start(workflow: Workflow, cluster: Cluster, *arguments: str) -> subprocess.Popen[str]:
    """The command of the README, and more arguments."""
    return workflow.start("--cores", "8", *arguments, **cluster.environment)


def finish(running: subprocess.Popen[str]) -> str:
    said, _ = running.communicate(timeout=600)
    assert running.returncode == 0, said
    return said


def tables(workflow: Workflow) -> dict[str, bytes]:
    folder = workflow.folder / "results" / "smoke"
    paths = [*(folder / "tables").rglob("*.*"), *folder.rglob("history.csv"), *folder.rglob("model.safetensors")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def accounted(cluster: Cluster, since: str) -> pd.DataFrame:
    """What accounting knows of the jobs since a time: a row for each attempt."""
    said = cluster.run("sacct", "-X", "-n", "-P", "-D", "-S", since, "-o", "JobID,State,Comment,ReqTRES,NodeList")
    rows = [line.split("|") for line in said.splitlines()]
    return pd.DataFrame(rows, columns=["job", "state", "comment", "asked", "node"])


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")


def until(condition: Callable[[], object], running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def jobs(cluster: Cluster, rule: str, state: str = "R") -> list[str]:
    """SLURM's numbers of the jobs of a rule that are in a state."""
    lines = cluster.run("squeue", "-h", "-t", state, "-o", "%A %k").splitlines()
    return [line.split()[0] for line in lines if f"rule_{rule}" in line]


# ---------------------------------------------------------------- the profile


def test_the_smoke_configuration_gives_the_tables_of_a_local_run(cluster, tmp_path):
    since, workflow, local = now(), copy(tmp_path / "cluster"), copy(tmp_path / "local")
    said = finish(start(workflow, cluster, *PROFILE))
    assert said.count("robustmia: ") == said.count("robustmia: to be read in a browser: results/smoke/report.html") == 1
    finish(local.start("--configfile", "configs/smoke.yaml"))
    assert tables(workflow) == tables(local)
    assert len(tables(local)) > 30
    assert (workflow.folder / "results" / "smoke" / "report.html").exists()
    assert list((workflow.folder / ".snakemake" / "slurm_logs").rglob("*.log"))  # those of jobs that succeeded too
    seen = accounted(cluster, since)
    assert set(seen.state) == {"COMPLETED"}
    rules = seen.comment.str.extract(r"rule_(\w+?)(?:_wildcards|$)", expand=False)
    print(seen.to_string())
    with_gpu = set(rules[seen.asked.str.contains("gres/gpu")])
    print(f"{len(seen)} SLURM jobs: {rules.value_counts().to_dict()}")
    assert "train" in with_gpu
    assert not {"conclusions", "infer"} & with_gpu
    assert not {"fetch", "split", "collect", "figure_roc", "report"} & set(rules)  # short: at home
    assert not seen.asked.str.contains(r"gres/gpu=[2-9]").any()


# ---------------------------------------------------------------- faults


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of a local run of few jobs."""
    workflow = copy(tmp_path_factory.mktemp("undisturbed"), FEW)
    finish(workflow.start("tables", "--configfile", "configs/smoke.yaml", "few.yaml"))
    return tables(workflow)


TABLES = ("tables", *PROFILE, "few.yaml")


def test_scancel_and_a_killed_workflow_cost_one_more_command(cluster, tmp_path, undisturbed):
    workflow = copy(tmp_path, FEW)
    running = start(workflow, cluster, *TABLES, "--retries", "0")
    until(lambda: jobs(cluster, "train"), running)
    time.sleep(4)
    cluster.run("scancel", jobs(cluster, "train")[0])
    said, _ = running.communicate(timeout=300)
    assert running.returncode
    assert "robustmia: 1 job failed\n  train digits " in said
    assert "SLURM says CANCELLED" in said
    assert ".snakemake/slurm_logs/" in said[said.index("1 job failed") :]
    running = start(workflow, cluster, *TABLES)
    until(lambda: jobs(cluster, "train") or jobs(cluster, "signals"), running)
    psutil.Process(running.pid).kill()
    running.communicate()
    finish(start(workflow, cluster, *TABLES))
    assert tables(workflow) == undisturbed


SLOW_DISK = """
import os, time
fsync = os.fsync
def slow(file):
    time.sleep(0.045)
    fsync(file)
os.fsync = slow
"""


def test_out_of_memory_and_time_are_mended_by_the_next_attempt(cluster, tmp_path):
    """Training goes on from its checkpoint when it has had too little time. SLURM counts in minutes, so it must take longer than one."""
    few = FEW["datasets"]["digits"]
    overlay = FEW | {"datasets": {"digits": few | {"training": {"epochs": 2000, "monitor": None}}}}
    workflow, local = copy(tmp_path / "cluster", overlay), copy(tmp_path / "local", overlay)
    (tmp_path / "sitecustomize.py").write_text(SLOW_DISK)
    cluster.environment |= {
        "PYTHONPATH": str(tmp_path),
        TO_STDERR: "1",
    }  # so that SLURM's logs keep what each attempt said
    since, memory = now(), "60 if wildcards.run == 'pgd' and attempt == 1 else 4000"
    limits = ("--set-resources", f"train:mem_mb={memory}", "train:runtime=1 if attempt == 1 else 30")
    running = start(workflow, cluster, *TABLES, *limits)
    for name in ("PYTHONPATH", TO_STDERR):
        del cluster.environment[name]
    finish(local.start("tables", "--configfile", "configs/smoke.yaml", "few.yaml"))
    finish(running)
    seen = accounted(cluster, since)
    print(seen.to_string())
    trainings = seen[seen.comment.str.startswith("rule_train")]
    states = trainings.groupby("comment").state.apply(list).to_dict()
    assert states["rule_train_wildcards_digits_natural_0"] == ["TIMEOUT", "COMPLETED"]
    assert len(states["rule_train_wildcards_digits_pgd_0"]) >= 2
    slurm = "".join(path.read_text() for path in (workflow.folder / ".snakemake" / "slurm_logs").rglob("*.log"))
    assert "exceeded memory limit" in slurm
    assert "stopped by SIGTERM after epoch" in slurm
    assert "resuming after epoch" in (workflow.folder / "results/smoke/logs/train/digits/natural/seed0.log").read_text()
    assert tables(workflow) == tables(local)


def test_a_drained_a_dead_and_a_preempted_node_lose_nothing(cluster, tmp_path, undisturbed):
    workflow = copy(tmp_path, FEW)
    since = now()
    cluster.run("scontrol", "update", "nodename=node1", "state=drain", "reason=maintenance")
    running = start(workflow, cluster, *TABLES)
    until(lambda: jobs(cluster, "train"), running)
    assert set(cluster.run("squeue", "-h", "-t", "R", "-o", "%N").split()) == {"node2"}
    time.sleep(4)
    cluster.kill_node("node2")
    cluster.run("scontrol", "update", "nodename=node1", "state=resume")
    until(lambda: "node1" in cluster.run("squeue", "-h", "-t", "R", "-o", "%N"), running)
    urgent = cluster.run(
        "sbatch", "--parsable", "-p", "urgent", "-w", "node1", "--exclusive", "--output", "/dev/null", "--wrap", "true"
    ).strip()
    finish(running)
    cluster.start_node("node2")
    seen = accounted(cluster, since)
    print(seen.to_string())
    assert "NODE_FAIL" in set(seen.state)
    assert "PREEMPTED" in set(seen.state)
    assert set(seen.state[seen.job == urgent]) == {"COMPLETED"}
    assert tables(workflow) == undisturbed
