"""What Slurm did to jobs that didn't end by themselves, and what to do about it.

Snakemake's plugin says that a job failed. Why, is in the job's own log of Slurm's, which nobody is
shown: :func:`explain` reads both, and names job, limit and remedy as a run ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROFILE = "profiles/slurm/config.yaml"

Cause = Literal["time", "memory", "cancelled", "node", "killed"]

_SENT = re.compile(r"^Job (\S+) has been submitted with SLURM jobid (\S+) \(log: (.*)\)\.$", re.M)
_FAILED = re.compile(r"SLURM-job '(\S+)' failed.*SLURM status is: '(\w+)'")
_FINISHED = re.compile(r"^Finished jobid: (\S+) ", re.M)

_BY_STATE: dict[str, Cause] = {
    "TIMEOUT": "time",
    "DEADLINE": "time",
    "OUT_OF_MEMORY": "memory",
    "CANCELLED": "cancelled",
    "NODE_FAIL": "node",
    "BOOT_FAIL": "node",
}
# Control groups report an oom_kill event; without them, Slurm looks at the memory itself and then
# calls the job failed or, where it killed what holds the steps, cancelled.
_BY_LOG: tuple[tuple[re.Pattern[str], Cause], ...] = (
    (re.compile(r"exceeded (job )?memory limit|oom[-_ ]kill", re.I), "memory"),
    (re.compile(r"DUE TO TIME LIMIT"), "time"),
    (re.compile(r"error: \*\*\* (JOB|STEP) |task \d+: (Killed|Terminated)"), "killed"),
)


@dataclass(frozen=True)
class Asked:
    """A job as the run knows it, and what it asked for the last time it was sent.

    Attributes
    ----------
    rule
        Its rule, by which the profile knows it.
    what
        Which of the rule's jobs it is; "" where there is one.
    mem_mb, minutes
        What it asked for.
    """

    rule: str
    what: str
    mem_mb: int
    minutes: int

    @property
    def name(self) -> str:
        """The job as a person would call it."""
        return f"{self.rule} ({self.what})" if self.what else self.rule


def explain(log: str, asked: Mapping[str, Asked]) -> list[str]:
    """Say of each job that Slurm stopped what stopped it, and what to do.

    Jobs that failed by themselves are left out: their own logs say why.

    Parameters
    ----------
    log
        What Snakemake logged of the run.
    asked
        Its jobs, by Snakemake's number; jobs of a group, which have none, are left out.

    Returns
    -------
    list of str
        In the order of the first failures, one line for each job.
    """
    sent = {slurm: (number, Path(path)) for number, slurm, path in _SENT.findall(log)}
    finished = set(_FINISHED.findall(log))
    causes: dict[str, list[Cause | None]] = {}
    for slurm, state in _FAILED.findall(log):
        number, path = sent.get(slurm, ("", Path()))
        if number in asked:
            causes.setdefault(number, []).append(_cause(state, path))
    return [
        line
        for number, found in causes.items()
        for line in _lines(asked[number], found, finished=number in finished)
    ]


def _cause(state: str, path: Path) -> Cause | None:
    """Return what stopped a job: what Slurm's log of it says, or else its state."""
    try:
        said = path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # removed, or on a disk of the node's
        said = ""
    by_log = next((cause for pattern, cause in _BY_LOG if pattern.search(said)), None)
    if by_log in ("memory", "time"):
        return by_log
    return _BY_STATE.get(state, by_log)


def _lines(asked: Asked, causes: list[Cause | None], *, finished: bool) -> Iterator[str]:
    """Yield what there is to say of a job; nothing where in the end it failed by itself."""
    cause = causes[-1]
    if finished:
        cause = next(filter(None, reversed(causes)), None)
    if cause in ("time", "memory"):
        resource, unit, last = (
            ("runtime", "minutes", asked.minutes)
            if cause == "time"
            else ("mem_mb", "MB", asked.mem_mb)
        )
        what = f"{asked.name}: stopped by Slurm at its {cause} limit"
        often = f" {times} times" if (times := causes.count(cause)) > 1 else ""
        if finished:
            what += f"{often}, and done when it asked for {last} {unit}. To be spared that"
            enough = last
        else:
            what += f"{often}, {'at last ' * bool(often)}{last} {unit}. Let it ask for more"
            enough = 2 * last
        option = f"--set-resources {asked.rule}:{resource}={enough}"
        yield f"{what}: `{option}`, or the same in {PROFILE}."
    elif cause and not finished:
        why = {
            "cancelled": "cancelled, by scancel or whoever runs the cluster",
            "node": "lost with its node",
            "killed": "killed, and Slurm names no limit: by hand, or by a node short of memory",
        }[cause]
        yield f"{asked.name}: {why}. Start the run again; what it has made stays."
