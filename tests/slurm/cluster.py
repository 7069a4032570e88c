"""A throw-away SLURM cluster on one machine: a controller, two nodes with made-up GPUs, accounting, all in one folder.

    python tests/slurm/cluster.py snakemake --cores 2 --profile slurm --configfile configs/smoke.yaml

starts one, runs the command on it and takes it down again. It needs root and Debian's packages slurm-wlm, slurmdbd, munge and
mariadb-server; nothing outside the folder is written and no service of the machine is touched.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

NODES = ("node1", "node2")
PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sacct", "sbatch")
PATIENCE = 30  # seconds to wait for a daemon

SLURM_CONF = """
ClusterName=throwaway
SlurmctldHost=localhost
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=15
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
KillWait=15
MessageTimeout=60
SlurmdTimeout=20
InactiveLimit=0
SchedulerParameters=sched_interval=1,batch_sched_delay=1,defer
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={accounting}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
GresTypes=gpu
SlurmdParameters=config_overrides
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=60 State=UP PriorityTier=2
"""
NODE = (
    "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=64000 Gres=gpu:made_up:2"
)
GRES_CONF = "NodeName={nodes} Name=gpu Type=made_up File={folder}/gpu[0-1]\n"
SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdPort={accounting}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm
"""


def missing() -> str | None:
    """Why no cluster can be made here; None if one can."""
    if os.getuid() != 0:
        return "a throw-away SLURM needs root"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    return (
        f"not installed: {', '.join(absent)} (apt-get install slurm-wlm slurmdbd munge mariadb-server)"
        if absent
        else None
    )


class Cluster:
    """A running cluster, taken down when the `with` block ends.

    Args:
        folder: an empty folder, for its configuration, state and logs.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}
        self._stack = ExitStack()
        self._daemons: dict[str, subprocess.Popen] = {}
        self._said = ""  # by the last command that was asked whether a daemon is ready

    def __enter__(self) -> Cluster:
        with self._stack as starting:
            ports = dict(zip(("controller", "accounting", "database", *NODES), _free_ports(), strict=False))
            self._configure(ports)
            self._start_munge()
            self._start_database(ports["database"])
            self._start("slurmdbd", "slurmdbd", "-D")
            self._until("accounting", lambda: self._succeeds("sacctmgr", "-n", "show", "cluster"))
            self._start("slurmctld", "slurmctld", "-D", "-i", "-f", str(self.folder / "slurm.conf"))
            for node in NODES:
                self.start_node(node)
            self._until("nodes", lambda: self.run("sinfo", "-h", "-N", "-t", "idle").count("main") == len(NODES))
            self._stack = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, *command: str) -> str:
        """The output of a command of SLURM's; a failure is an error with what it said."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start_node(self, name: str) -> None:
        """Start the daemon of a node, again if it was stopped."""
        self._start(name, "slurmd", "-D", "-N", name, "-f", str(self.folder / "slurm.conf"))

    def kill_node(self, name: str) -> None:
        """What a power cut does to a node: its daemon, and every job on it, are gone at once."""
        jobs = "|".join(self.run("squeue", "-h", "-w", name, "-o", "%A").split())
        daemon = self._daemons.pop(name)
        daemon.kill()
        daemon.wait()
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess):
                if jobs and re.match(rf"slurmstepd: \[({jobs})\.", " ".join(process.cmdline())):
                    for victim in (*process.children(recursive=True), process):
                        victim.kill()

    def _succeeds(self, *command: str) -> bool:
        done = subprocess.run(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._said = done.stdout.strip()
        return done.returncode == 0

    # ------------------------------------------------------------ parts

    def _configure(self, ports: dict[str, int]) -> None:
        nodes = "\n".join(NODE.format(name=name, port=ports[name]) for name in NODES)
        known = {"folder": self.folder, "nodes": nodes, "password": os.urandom(16).hex(), **ports}
        (self.folder / "slurm.conf").write_text(SLURM_CONF.format(**known))
        (self.folder / "gres.conf").write_text(GRES_CONF.format(nodes=",".join(NODES), folder=self.folder))
        for number in range(2):
            (self.folder / f"gpu{number}").touch()
        secret = self.folder / "slurmdbd.conf"
        secret.touch(0o600)
        secret.write_text(SLURMDBD_CONF.format(**known))
        self.password = known["password"]
        # Snakemake's job steps drop SLURM_CONF from the environment of srun, which only a cluster outside /etc needs.
        (self.folder / "bin").mkdir()
        srun = self.folder / "bin" / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        for name in ("state", "database", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(1024))
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={self.folder / f'munge.{name}'}" for option, name in names.items()]
        # forced, since munge wants its socket where everybody may go
        self._start("munged", "munged", "--foreground", "--force", *options)
        self._until("munge", (self.folder / "munge.socket").exists)

    def _start_database(self, port: int) -> None:
        where = [f"--datadir={self.folder / 'database'}", "--user=root"]
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", *where, "--auth-root-authentication-method=normal"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        socket_path = self.folder / "database.socket"
        listen = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={socket_path}"]
        self._start(
            "mariadbd", "mariadbd", "--no-defaults", *where, *listen, f"--pid-file={self.folder / 'database.pid'}"
        )
        client = ["mariadb", "--no-defaults", f"--socket={socket_path}", "--user=root"]
        self._until("database", lambda: self._succeeds(*client, "-e", "select 1"))
        grant = f"create database slurm; grant all on slurm.* to slurm@'127.0.0.1' identified by '{self.password}';"
        subprocess.run([*client, "-e", grant], check=True)

    def _start(self, name: str, *command: str) -> None:
        log = (self.folder / f"{name}.out").open("a")
        daemon = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)
        log.close()
        self._daemons[name] = daemon
        self._stack.callback(self._stop, daemon)

    @staticmethod
    def _stop(daemon: subprocess.Popen) -> None:
        daemon.terminate()
        try:
            daemon.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _until(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} not ready after {PATIENCE} s ({self._said}); the logs are in {self.folder}")
            time.sleep(0.2)


def _free_ports() -> list[int]:
    """Five ports of this machine that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3 + len(NODES))]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def main() -> None:
    """Run a command on a cluster of its own."""
    if reason := missing():
        sys.exit(f"cluster.py: {reason}")
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, Cluster(Path(folder)) as cluster:
        done = subprocess.run(sys.argv[1:] or ["sinfo"], env=cluster.environment)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
