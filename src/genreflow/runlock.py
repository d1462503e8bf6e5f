"""One run at a time in a folder, and no killed run in the way of the next.

Snakemake's own locks are files that a killed run leaves behind, to be removed by hand; the profile
switches them off. The lock here is the kernel's: it ends with the process that holds it, however
that ends. DVC, which deletes outputs before it makes them anew, is told by a lock of its own.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import logging
import os
import platform
import shlex
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from genreflow.errors import GenreflowError

LOCK = Path(".cache/run.lock")

log = logging.getLogger(__name__)


class AnotherRunError(GenreflowError):
    """Another run is at work in the folder; the message says which, and what to do."""


def hold(folder: Path) -> int:
    """Keep other runs out of `folder` until this process ends, or closes what is returned.

    A process that holds it already, for an earlier run, keeps it.

    Parameters
    ----------
    folder
        The project's, in which runs make their outputs.

    Returns
    -------
    int
        The descriptor of the locked file; nobody else has it, so it is open until the end.

    Raises
    ------
    AnotherRunError
        Another process holds it.
    """
    path = folder / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 1 << 16, 0).decode(errors="replace")
        if _is_ours(holder):  # of an earlier run in this very process
            return descriptor
        os.close(descriptor)
        raise AnotherRunError(_message(folder, holder)) from None
    except OSError as error:  # some network drives know no locks
        log.warning("%s: can't be locked (%s); start no second run here.", path, error.strerror)
        return descriptor
    facts = {
        "pid": os.getpid(),
        "host": platform.node(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(facts).encode(), 0)
    return descriptor


def keep_dvc_out(folder: Path) -> None:
    """Let DVC commands that write or compare outputs refuse until this process ends.

    Without it, a ``dvc repro`` beside a run deletes what that run has just made, and only then
    finds the folder taken. DVC tells live processes from killed ones. A stage of DVC holds its
    lock already.

    Raises
    ------
    AnotherRunError
        DVC is at work in the folder.
    """
    if "DVC_STAGE" in os.environ or not (folder / ".dvc").is_dir():
        return
    from dvc.fs import localfs
    from dvc.lock import LockError
    from dvc.rwlock import rwlock

    tmp = folder / ".dvc/tmp"
    tmp.mkdir(exist_ok=True)
    stack = ExitStack()
    try:
        # The same words each time: another run with the number of a killed one is no other.
        held = rwlock(str(tmp), localfs, "snakemake", [], [str(folder.resolve())], hardlink=False)
        stack.enter_context(held)
    except LockError as error:
        raise AnotherRunError(
            f"{folder.resolve()}: DVC is at work in this folder. {error}"
        ) from None
    atexit.register(stack.close)


def _is_ours(holder: str) -> bool:
    try:
        facts = json.loads(holder)
        return (facts["pid"], facts["host"]) == (os.getpid(), platform.node())
    except (ValueError, KeyError, TypeError):
        return False


def _message(folder: Path, holder: str) -> str:
    try:
        facts = json.loads(holder)
        process = f"process {facts['pid']} on {facts['host']}, since {facts['since']}"
        who = f"`{facts['command']}` ({process})"
        end = f"end it with `kill {facts['pid']}` there"
    except (ValueError, KeyError, TypeError):  # it has only just begun
        who, end = "one that has just begun", "end it"
    return (
        f"{folder.resolve()}: another run is at work in this folder: {who}. Wait for its end, or "
        f"{end}, and start again; what it has made stays. Two runs at once would make the same "
        "files twice"
    )
