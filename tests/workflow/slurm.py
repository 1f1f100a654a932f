"""A Slurm of two nodes on this machine: Debian's daemons on loopback, in their own folder, with GPUs that are none."""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workflow.conftest import bare_environment
from tests.workflow.processes import kill_all

# What a machine that must run these tests sets; elsewhere they are skipped where there is no Slurm.
REQUIRED = "CLIP_AE_SLURM_REQUIRED"
NODES = ("n1", "n2")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Starts a process that stays above what its children leave behind (PR_SET_CHILD_SUBREAPER), as slurmd does jobs, and
# that ends when the tests do, however they end (PR_SET_PDEATHSIG).
HELD = """
import ctypes, os, signal, sys
prctl = ctypes.CDLL(None).prctl
prctl(36, 1)
prctl(1, signal.SIGKILL)
os.execvp(sys.argv[1], sys.argv[1:])
"""
# Nodes say that they have what jobs ask for, whatever this machine has. As no cgroup holds a job to the memory that it
# was granted, Slurm looks every second.
CONF = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
StateSaveLocation={folder}/state
SlurmUser=root
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/%n
SlurmdParameters=config_overrides
SlurmdTimeout=5
AuthInfo=socket={folder}/munge.sock
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog={folder}/prolog
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
KillWait=1
SchedulerParameters=sched_interval=1,batch_sched_delay=0
GresTypes=gpu
MailProg=/bin/true
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=500000 Gres=gpu:1\n"
GPU = "NodeName={name} Name=gpu Flags=nvidia_gpu_env File={file}\n"
# Every task leaves a line: its job, and which GPU it sees.
PROLOG = '#!/bin/sh\necho "$SLURM_JOB_ID ${{CUDA_VISIBLE_DEVICES:--}}" >> {folder}/seen\n'
# The plugin starts job steps without SLURM_CONF, which is lost on a cluster that is not in /etc/slurm.
SRUN = '#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {srun} "$@"\n'


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What makes a client ask this cluster."""
        path = f"{self.folder}/bin:{PATH}"
        return bare_environment() | {"SLURM_CONF": f"{self.folder}/slurm.conf", "PATH": path}

    def ask(self, *words: str) -> str:
        """What a client command prints."""
        done = subprocess.run(words, check=True, env=self.environment, capture_output=True, text=True, timeout=60)
        return done.stdout

    def start(self, name: str, *words: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        """A process that lasts as long as the cluster does, at most."""
        with self.said(name).open("wb") as out:
            self.started[name] = subprocess.Popen(
                [sys.executable, "-c", HELD, *words],
                cwd=cwd,
                env=self.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return self.started[name]

    def said(self, name: str) -> Path:
        """All that it has printed."""
        return self.folder / f"{name}.out"

    def end(self, name: str) -> None:
        """As a power cut would: a node goes with its jobs and all that they started."""
        process = self.started.pop(name)
        if process.poll() is None:
            kill_all(process.pid)
            process.wait()


@contextlib.contextmanager
def slurm() -> Iterator[Cluster]:
    """The cluster, up; nothing of it is left afterwards."""
    if any(shutil.which(name, path=PATH) is None for name in ("munged", "slurmctld", "slurmd")) or os.geteuid() != 0:
        reason = "needs Debian's slurm-wlm and munge, and root, who alone may start a Slurm"
        pytest.fail(reason) if os.environ.get(REQUIRED) else pytest.skip(reason)
    # A short path: sockets lie in it.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = Cluster(Path(folder))
        try:
            write(cluster.folder)
            bring_up(cluster)
            yield cluster
        finally:
            for name in reversed(list(cluster.started)):
                cluster.end(name)


def write(folder: Path) -> None:
    """All that the daemons read."""
    folder.chmod(0o755)
    (folder / "munge.key").write_bytes(os.urandom(64))
    (folder / "munge.key").chmod(0o400)
    host, (port, *ports) = socket.gethostname(), free_ports(1 + len(NODES))
    nodes = [NODE.format(name=name, host=host, port=own) for name, own in zip(NODES, ports, strict=True)]
    (folder / "slurm.conf").write_text(CONF.format(folder=folder, host=host, port=port) + "".join(nodes))
    (folder / "gres.conf").write_text("".join(GPU.format(name=n, file=null_device(folder / n)) for n in NODES))
    (folder / "cgroup.conf").touch()
    (folder / "seen").touch()
    script(folder / "prolog", PROLOG.format(folder=folder))
    script(folder / "bin/srun", SRUN.format(folder=folder, srun=shutil.which("srun", path=PATH)))


def bring_up(cluster: Cluster) -> None:
    folder = cluster.folder
    files = [f"--{what}-file={folder}/munge.{what}" for what in ("key", "pid", "seed")]
    cluster.start("munged", "munged", "--foreground", "--force", f"--socket={folder}/munge.sock", *files)
    wait_for((folder / "munge.sock").exists)
    cluster.start("slurmctld", "slurmctld", "-D")
    for name in NODES:
        cluster.start(name, "slurmd", "-D", "-N", name)
    wait_for(lambda: cluster.ask("sinfo", "--noheader", "--Node", "--format=%T").split() == ["idle"] * len(NODES))


def wait_for(there: Callable[[], bool], patience: float = 20) -> None:
    """Clients may fail as long as the daemon that they ask is not there."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        with contextlib.suppress(subprocess.CalledProcessError):
            if there():
                return
        time.sleep(0.1)
    raise TimeoutError(f"still not so after {patience} s")


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def null_device(folder: Path) -> Path:
    """What Slurm takes for a GPU. Its name ends in a number, which becomes CUDA_VISIBLE_DEVICES."""
    folder.mkdir()
    os.mknod(folder / "nvidia0", stat.S_IFCHR | 0o600, os.stat(os.devnull).st_rdev)
    return folder / "nvidia0"


def script(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
