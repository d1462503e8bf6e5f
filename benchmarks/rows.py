"""What a benchmark leaves: rows with targets, and the machine they were measured on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from genreflow.store.files import write_json

FOLDER = Path("results/benchmarks/bench")

_PACKAGES = (
    *("numpy", "scipy", "librosa", "soundfile", "soxr", "scikit-learn", "xgboost-cpu", "xgboost"),
    *(
        "tensorflow-cpu",
        "tensorflow",
        "keras",
        "snakemake",
        "dvc",
        "essentia",
        "opensmile",
        "audioflux",
        "kaldi-native-fbank",
        "pyAudioAnalysis",
        "nnAudio",
        "torchaudio",
    ),
)
_COLUMNS = ("task", "what", "measured", "ratio", "target")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    task, what
        What was done, and by whom or in which circumstances.
    measured
        With its unit.
    ratio
        To what the task is compared with; None where it is that itself.
    target
        For instance ``>= 5``; empty where there is none.
    """

    task: str
    what: str
    measured: str
    ratio: float | None = None
    target: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the ratio meets the target; None without one."""
        if self.ratio is None or not self.target:
            return None
        sign, limit = self.target.split()
        return self.ratio >= float(limit) if sign == ">=" else self.ratio <= float(limit)

    def cells(self) -> tuple[str, ...]:
        """Return the texts of ``_COLUMNS``."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = {None: "", True: " ✓", False: " missed"}[self.is_met]
        return (self.task, self.what, self.measured, ratio, self.target + verdict)


def write(name: str, rows: Sequence[Row]) -> None:
    """Print the rows, and write them with the machine as ``FOLDER/<name>.json``."""
    show(rows, name)
    report = {
        "machine": machine(),
        "command": " ".join(sys.argv),
        "rows": [asdict(row) for row in rows],
    }
    write_json(report, FOLDER / f"{name}.json")


def show(rows: Sequence[Row], title: str) -> None:
    """Print rows as a table."""
    table = Table(title=title)
    for column in _COLUMNS:
        table.add_column(column, justify="right" if column in ("measured", "ratio") else "left")
    for row in rows:
        table.add_row(*row.cells())
    Console().print(table)


def markdown(rows: Sequence[Row]) -> str:
    """Lay rows out as a Markdown table."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---|---|--:|--:|---|"]
    lines += [f"| {' | '.join(row.cells())} |" for row in rows]
    return "\n".join(lines) + "\n"


def machine() -> dict[str, str]:
    """Describe the processor and the versions that were measured."""
    about = {"python": platform.python_version(), "cores": str(os.cpu_count())}
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    names = [line for line in lines if line.startswith("model name")]
    about["processor"] = names[0].partition(": ")[2] if names else platform.processor()
    for package in _PACKAGES:
        try:
            about[package] = version(package)
        except PackageNotFoundError:
            continue
    return about
