"""A Slurm cluster of one node on loopback, from Debian's packages slurmctld, slurmd and munge.

To try a profile on it: `python -m tests.workflow.slurm snakemake --workflow-profile ...`.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
"""With the folder of Debian's daemons, which only root's PATH has."""
START_SECONDS = 60
GRACE_SECONDS = 120
"""Time between SIGTERM and SIGKILL of a preempted job."""

# without cgroups, systemd and a database; jobs in `urgent` preempt those in `normal`
CONFIGURATION = """
ClusterName=one
SlurmctldHost=localhost
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
GresTypes=gpu
NodeName=localhost CPUs={cpus} RealMemory=64000 Gres=gpu:2
PartitionName=normal Nodes=localhost Default=YES PriorityTier=1 GraceTime={grace}
PartitionName=urgent Nodes=localhost PriorityTier=10 PreemptMode=OFF
"""
# two devices that every machine has, in place of GPUs
GPUS = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"
# Snakemake's plugin removes all SLURM_* variables in a job before it calls srun
SRUN = '#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {srun} "$@"\n'


def missing_programs() -> list[str]:
    """Return the names of the programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


@contextmanager
def one_node_slurm(cpus: int = 4) -> Iterator[dict[str, str]]:
    """Start the daemons; yields the environment variables that select the cluster."""
    with tempfile.TemporaryDirectory(prefix="slurm") as name, ExitStack() as stack:
        folder = Path(name)
        variables = _write_configuration(folder, cpus)
        environment = os.environ | variables
        for command in _daemons(folder):
            stack.enter_context(_running(command, environment))
        _wait_until_idle(environment)
        try:
            yield variables
        finally:
            subprocess.run(["scancel", "--full", "--user", getpass.getuser()], env=environment)


def _write_configuration(folder: Path, cpus: int) -> dict[str, str]:
    """Write the files of the cluster; returns the variables that select it."""
    values = {"folder": folder, "cpus": cpus, "user": getpass.getuser(), "grace": GRACE_SECONDS}
    text = CONFIGURATION.format(ports=_free_ports(2), **values)
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    folder.chmod(0o755)  # munge refuses a socket that others cannot reach
    (folder / "slurm.conf").write_text(text)
    (folder / "gres.conf").write_text(GPUS)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    srun = folder / "bin/srun"
    srun.write_text(SRUN.format(folder=folder, srun=shutil.which("srun")))
    srun.chmod(0o755)
    return {"SLURM_CONF": f"{folder}/slurm.conf", "PATH": f"{srun.parent}{os.pathsep}{PATH}"}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _daemons(folder: Path) -> list[list[str]]:
    """Return the commands, which stay in the foreground."""
    munge = {
        "socket": "munge.socket",
        "key-file": "munge.key",
        "pid-file": "munged.pid",
        "log-file": "munged.log",
        "seed-file": "munged.seed",
    }
    options = [f"--{option}={folder}/{file}" for option, file in munge.items()]
    logs = {name: f"{folder}/{name}.log" for name in ("slurmctld", "slurmd")}
    return [
        ["munged", "--foreground", *options],
        ["slurmctld", "-D", "-L", logs["slurmctld"]],
        ["slurmd", "-D", "-N", "localhost", "-L", logs["slurmd"]],
    ]


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """Run a daemon until the end of the block."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, **quiet) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_idle(environment: dict[str, str]) -> None:
    """Wait until the node takes jobs; RuntimeError if it does not."""
    command, end = ["sinfo", "--noheader", "--format=%T"], time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        state = subprocess.run(command, env=environment, capture_output=True, text=True)
        if set(state.stdout.split()) == {"idle"}:
            return
        time.sleep(0.5)
    raise RuntimeError(f"sinfo: found {state.stdout or state.stderr!r}, expected an idle node")


if __name__ == "__main__":
    with one_node_slurm() as variables:
        sys.exit(subprocess.run(sys.argv[1:], env=os.environ | variables).returncode)
