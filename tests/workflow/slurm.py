"""A Slurm cluster of two nodes on this machine: Debian's daemons on loopback, in a temporary folder, with fake GPUs."""

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
from tests.workflow.processes import kill_process_tree

# Where this variable is set, tests fail without Slurm; elsewhere they are skipped.
REQUIRED = "CLIP_AE_SLURM_REQUIRED"
NODES = ("n1", "n2")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Starts a process that adopts orphans of its children, such as slurmd's jobs (PR_SET_CHILD_SUBREAPER), and that is
# killed when the tests end, in whatever way (PR_SET_PDEATHSIG).
RUN_AS_SUBREAPER = """
import ctypes, os, signal, sys
prctl = ctypes.CDLL(None).prctl
prctl(36, 1)
prctl(1, signal.SIGKILL)
os.execvp(sys.argv[1], sys.argv[1:])
"""
# Nodes claim the resources that jobs request, whatever this machine has. No cgroup limits the memory of a job, so Slurm
# checks it every second.
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
# Every task writes a line: the id of its job, and the GPU that it sees.
PROLOG = '#!/bin/sh\necho "$SLURM_JOB_ID ${{CUDA_VISIBLE_DEVICES:--}}" >> {folder}/seen\n'
# The plugin starts job steps without SLURM_CONF, which is lost on a cluster that is not in /etc/slurm.
SRUN = '#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {srun} "$@"\n'


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which a client uses this cluster."""
        path = f"{self.folder}/bin:{PATH}"
        return bare_environment() | {"SLURM_CONF": f"{self.folder}/slurm.conf", "PATH": path}

    def run_client(self, *words: str) -> str:
        """The output of a client command."""
        done = subprocess.run(words, check=True, env=self.environment, capture_output=True, text=True, timeout=60)
        return done.stdout

    def start(self, name: str, *words: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a process. It ends with the cluster at the latest."""
        with self.output_path(name).open("wb") as out:
            self.started[name] = subprocess.Popen(
                [sys.executable, "-c", RUN_AS_SUBREAPER, *words],
                cwd=cwd,
                env=self.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return self.started[name]

    def output_path(self, name: str) -> Path:
        """The file with the output of a process."""
        return self.folder / f"{name}.out"

    def kill(self, name: str) -> None:
        """Kill a process with its jobs and all their descendants, as a power cut of a node does."""
        process = self.started.pop(name)
        if process.poll() is None:
            kill_process_tree(process.pid)
            process.wait()


@contextlib.contextmanager
def slurm() -> Iterator[Cluster]:
    """The running cluster. Afterwards no process and no file of it is left."""
    if any(shutil.which(name, path=PATH) is None for name in ("munged", "slurmctld", "slurmd")) or os.geteuid() != 0:
        reason = "needs Debian's slurm-wlm and munge, and root, who alone may start a Slurm"
        pytest.fail(reason) if os.environ.get(REQUIRED) else pytest.skip(reason)
    # A short path, as paths of sockets are limited to about 100 characters.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = Cluster(Path(folder))
        try:
            write_config(cluster.folder)
            start_daemons(cluster)
            yield cluster
        finally:
            for name in reversed(list(cluster.started)):
                cluster.kill(name)


def write_config(folder: Path) -> None:
    """Write the files that the daemons read."""
    folder.chmod(0o755)
    (folder / "munge.key").write_bytes(os.urandom(64))
    (folder / "munge.key").chmod(0o400)
    host, (port, *ports) = socket.gethostname(), free_ports(1 + len(NODES))
    nodes = [NODE.format(name=name, host=host, port=own) for name, own in zip(NODES, ports, strict=True)]
    (folder / "slurm.conf").write_text(CONF.format(folder=folder, host=host, port=port) + "".join(nodes))
    (folder / "gres.conf").write_text("".join(GPU.format(name=n, file=null_device(folder / n)) for n in NODES))
    (folder / "cgroup.conf").touch()
    (folder / "seen").touch()
    write_script(folder / "prolog", PROLOG.format(folder=folder))
    write_script(folder / "bin/srun", SRUN.format(folder=folder, srun=shutil.which("srun", path=PATH)))


def start_daemons(cluster: Cluster) -> None:
    folder = cluster.folder
    files = [f"--{kind}-file={folder}/munge.{kind}" for kind in ("key", "pid", "seed")]
    cluster.start("munged", "munged", "--foreground", "--force", f"--socket={folder}/munge.sock", *files)
    wait_for((folder / "munge.sock").exists)
    cluster.start("slurmctld", "slurmctld", "-D")
    for name in NODES:
        cluster.start(name, "slurmd", "-D", "-N", name)
    wait_for(
        lambda: cluster.run_client("sinfo", "--noheader", "--Node", "--format=%T").split() == ["idle"] * len(NODES)
    )


def wait_for(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    """Wait until a condition holds. Clients may fail until their daemon is ready."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        with contextlib.suppress(subprocess.CalledProcessError):
            if condition():
                return
        time.sleep(0.1)
    raise TimeoutError(f"the condition does not hold after {timeout_s} s")


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]


def null_device(folder: Path) -> Path:
    """A device file that Slurm accepts as a GPU. The number in its name becomes CUDA_VISIBLE_DEVICES."""
    folder.mkdir()
    os.mknod(folder / "nvidia0", stat.S_IFCHR | 0o600, os.stat(os.devnull).st_rdev)
    return folder / "nvidia0"


def write_script(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
