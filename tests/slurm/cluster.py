"""A Slurm in a folder, from Debian's packages; it ends with the block that started it."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue", "scontrol")
PACKAGES = "slurmctld slurmd slurm-client munge"
BOOKKEEPING = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacct", "sacctmgr")
BOOKKEEPING_PACKAGES = "slurmdbd mariadb-server"
NODE = "node-{number}"

CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={controller}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/spool/%n
StateSaveLocation={folder}/state
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
{accounting}
# Without control groups, memory is looked at every second, and what takes too much is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
# Jobs that have ended are remembered for as long as anybody may ask.
MinJobAge=86400
KillWait=5
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
ReturnToService=2
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
ONE_NODE = (
    "NodeName={name} NodeAddr=127.0.0.1 NodeHostname={host} Port={port} CPUs={cpus} "
    "RealMemory={memory_mb}"
)
NO_BOOKS = "AccountingStorageType=accounting_storage/none"
BOOKS = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge.socket"""
BOOKKEEPER = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoInAddrAny
DbdAddr=127.0.0.1
DbdHost={host}
DbdPort={port}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass={password}
StorageLoc=books
"""


class SlurmError(RuntimeError):
    """Slurm isn't there, or doesn't start; the message says what to do."""


def missing(*, books: bool = False) -> str:
    """Say which of Slurm's programs this machine lacks, and how to get them; "" if it has all.

    Parameters
    ----------
    books
        Whether those are asked for, too, that keep books of jobs.
    """
    lacking = [name for name in PROGRAMS + BOOKKEEPING * books if _program(name) is None]
    if not lacking:
        return ""
    packages = f"{PACKAGES} {BOOKKEEPING_PACKAGES}" if books else PACKAGES
    return f"{', '.join(lacking)}: not installed; on Debian and Ubuntu: apt-get install {packages}"


def _program(name: str) -> str | None:
    """Return where a program lies; the daemons' folder is in few users' PATH."""
    return shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


@dataclass(frozen=True)
class Cluster:
    """A Slurm that is running."""

    folder: Path

    def environment(self, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return what a user of it, who has these variables, has in the environment."""
        return {
            **variables,
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{variables['PATH']}",
        }

    def ask(self, *command: str) -> str:
        """Return what one of Slurm's commands says."""
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True)
        return done.stdout

    def jobs(self, *states: str) -> list[dict[str, str]]:
        """Return the jobs in the order they were sent; the comment names rule and wildcards."""
        which = ",".join(states) or "all"
        fields = {"id": "%i", "state": "%T", "comment": "%k", "memory": "%m", "limit": "%l"}
        said = self.ask(
            *("squeue", "--noheader", "--states", which, "--sort", "i"),
            *("--format", "|".join(fields.values())),
        )
        return [dict(zip(fields, line.split("|"), strict=True)) for line in said.splitlines()]


@contextlib.contextmanager
def cluster(
    folder: Path, *, cpus: int, memory_mb: int, nodes: int = 1, books: bool = False
) -> Iterator[Cluster]:
    """Run a Slurm, of everything in `folder` and for this user, within the block.

    Nothing outside `folder` is written, and a Slurm that the machine belongs to isn't spoken to.

    Parameters
    ----------
    folder
        Empty; its path is short (that of a socket has at most 107 bytes).
    cpus, memory_mb
        What each node has to give, whatever the machine has.
    nodes
        How many, all of them this machine.
    books
        Whether a database keeps books of the jobs, as most clusters have one: ``sacct`` asks it.

    Raises
    ------
    SlurmError
        A program is missing, or a daemon doesn't start.
    """
    if why := missing(books=books):
        raise SlurmError(why)
    for name in ("spool", "state", "bin"):
        (folder / name).mkdir()
    ours = Cluster(folder)
    controller, bookkeeper, database, *ports = _free_ports(3 + nodes)
    host, user = socket.gethostname().partition(".")[0], getpass.getuser()
    names = [NODE.format(number=number) for number in range(1, nodes + 1)]
    text = CONFIGURATION.format(
        folder=folder,
        host=host,
        user=user,
        controller=controller,
        accounting=BOOKS.format(port=bookkeeper, folder=folder) if books else NO_BOOKS,
        nodes="\n".join(
            ONE_NODE.format(name=name, host=host, port=port, cpus=cpus, memory_mb=memory_mb)
            for name, port in zip(names, ports, strict=True)
        ),
    )
    configuration = folder / "slurm.conf"
    configuration.write_text(text, encoding="utf-8")
    # Snakemake's job step drops SLURM_CONF from the environment that it calls srun in.
    srun = folder / "bin/srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={configuration} exec {_program("srun")} "$@"\n')
    srun.chmod(0o755)
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    with contextlib.ExitStack() as stack:
        paths = [f"--{of}-file={folder / f'munge.{of}'}" for of in ("key", "pid", "log", "seed")]
        # By force: it would rather have a socket in a folder that all users may enter.
        munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *paths]
        stack.enter_context(_daemon(ours, munged))
        _until(lambda: (folder / "munge.socket").exists(), "munged", folder)
        if books:
            stack.enter_context(_books(ours, host, user, bookkeeper, database))
        stack.enter_context(_daemon(ours, ["slurmctld", "-D", "-c", "-f", str(configuration)]))
        for name in names:
            slurmd = ["slurmd", "-D", "-N", name, "-f", str(configuration)]
            stack.enter_context(_daemon(ours, slurmd, called=name))
        for name in names:
            asked = ("sinfo", "-h", "-n", name, "-o", "%T")
            _until(lambda asked=asked: "idle" in ours.ask(*asked), name, folder)
        try:
            yield ours
        finally:
            ours.ask("scancel", "--user", user)
            with contextlib.suppress(SlurmError):
                _until(lambda: not ours.jobs("running", "completing"), names[0], folder)


@contextlib.contextmanager
def _books(ours: Cluster, host: str, user: str, port: int, database: int) -> Iterator[None]:
    """Keep a database and Slurm's bookkeeper for as long as the block lasts."""
    folder, password = ours.folder, secrets.token_hex()
    data, mysql = folder / "database", folder / "mysql.socket"
    begun = subprocess.run(
        [
            *(_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}"),
            *(f"--user={user}", "--skip-test-db"),
        ],
        capture_output=True,
        text=True,
    )
    if begun.returncode:
        raise SlurmError(f"mariadb-install-db: {begun.stdout[-1000:]}{begun.stderr[-1000:]}")
    first = folder / "first.sql"
    first.write_text(
        "CREATE DATABASE books;\n"
        f"CREATE USER slurm@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON books.* TO slurm@'127.0.0.1';\n"
    )
    mariadbd = [
        *("mariadbd", "--no-defaults", f"--datadir={data}", f"--user={user}"),
        *("--bind-address=127.0.0.1", f"--port={database}", f"--socket={mysql}"),
        *("--skip-name-resolve", f"--init-file={first}", f"--pid-file={folder}/mariadbd.pid"),
    ]
    bookkeeper = folder / "slurmdbd.conf"
    bookkeeper.touch(mode=0o600)
    bookkeeper.write_text(
        BOOKKEEPER.format(
            folder=folder, host=host, user=user, port=port, database=database, password=password
        )
    )
    with _daemon(ours, mariadbd):
        _until(lambda: _listens(database), "mariadbd", folder)
        with _daemon(ours, ["slurmdbd", "-D"]):
            _until(lambda: _listens(port), "slurmdbd", folder)
            # A controller that isn't in the books isn't listened to.
            ours.ask("sacctmgr", "--immediate", "add", "cluster", "one")
            yield


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


@contextlib.contextmanager
def _daemon(ours: Cluster, command: list[str], called: str = "") -> Iterator[None]:
    """Keep a daemon for as long as the block lasts."""
    name, *arguments = command
    program = _program(name) or name
    with (ours.folder / f"{called or name}.said").open("wb") as said:
        process = subprocess.Popen(
            [program, *arguments], env=ours.environment(), stdout=said, stderr=said
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until(condition: Callable[[], object], name: str, folder: Path, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            logs = [folder / f"{name}.said", folder / f"{name}.log"]
            said = "".join(log.read_text(errors="replace") for log in logs if log.exists())
            raise SlurmError(f"{name}: not ready after {seconds:.0f} s. It said: {said[-2000:]}")
        time.sleep(0.1)
