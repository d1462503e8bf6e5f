"""How far trainings under way have got, read from the ``history.csv`` that each one lets grow.

Jobs write to their logs and the terminal is Snakemake's, so a run reads these small files too and
says a line now and then between Snakemake's own.
"""

from __future__ import annotations

import csv
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TextIO

from genreflow.registry.entry import HISTORY, RESUME

INTERVAL = 15.0
"""Least time between two lines about one training [s]."""

_ALL_TRACKS = "release"
"""How `refit` calls its training, in the place of a fold."""

_RECENT = 5
"""Epochs whose times say how long the rest will take."""


@dataclass(frozen=True)
class Training:
    """A training under way.

    Attributes
    ----------
    model, name
        Of the registry; a fold, with the number of a further seed, or ``release``.
    epoch, epochs
        How many are over, of how many.
    loss, val_accuracy
        Of the last epoch; None where nothing is held out.
    seconds_left
        About how long the rest takes [s]; None before two epochs are timed.
    written
        When the last epoch ended [s since 1970].
    """

    model: str
    name: str
    epoch: int
    epochs: int
    loss: float
    val_accuracy: float | None
    seconds_left: float | None
    written: float

    @property
    def where(self) -> str:
        """What it trains on, in words: a fold, or all tracks for the release."""
        return "all tracks" if self.name == _ALL_TRACKS else f"fold {self.name}"

    def __str__(self) -> str:
        told = f"{self.model}, {self.where}: epoch {self.epoch} of {self.epochs}"
        told += f", loss {self.loss:.3f}"
        if self.val_accuracy is not None:
            told += f", validation {100 * self.val_accuracy:.0f} %"
        return told if self.seconds_left is None else f"{told}, {about(self.seconds_left)} left"


def under_way(results: Path) -> list[Training]:
    """Return the trainings that have begun and are not done, killed ones among them.

    Parameters
    ----------
    results
        The folder of the results.
    """
    found = []
    for path in sorted((results / RESUME).glob(f"*/*/{HISTORY}")):
        # A training that ends meanwhile takes its file with it.
        try:
            written = path.stat().st_mtime
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            found.append(_training(path, rows, written))
        except (OSError, ValueError, KeyError, IndexError):
            continue
    return found


def _training(path: Path, rows: list[dict[str, str]], written: float) -> Training:
    last = rows[-1]
    epoch, epochs = int(last["epoch"]), int(last["epochs"])
    # The first epoch after a start compiles and reads, and says nothing of the others.
    times = [float(row["seconds"]) for row in rows if row["seconds"]][1:][-_RECENT:]
    held_out = last.get("val_accuracy")
    return Training(
        model=path.parent.parent.name,
        name=path.parent.name,
        epoch=epoch,
        epochs=epochs,
        loss=float(last["loss"]),
        val_accuracy=float(held_out) if held_out else None,
        seconds_left=median(times) * (epochs - epoch) if times else None,
        written=written,
    )


def about(seconds: float) -> str:
    """Write a time as people say it: ``40 s``, ``12 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Teller:
    """Says in lines how far trainings are, each one not too often.

    Parameters
    ----------
    results
        The folder of the results.
    stream
        Where to.
    """

    def __init__(self, results: Path, stream: TextIO) -> None:
        self._results = results
        self._stream = stream
        self._started = time.time()
        self._told: dict[tuple[str, str], tuple[int, float]] = {}

    def tell(self) -> None:
        """Write a line for each training that has got further since its last one."""
        now = time.time()
        for one in under_way(self._results):
            if one.written < self._started:  # left by a run that was killed
                continue
            epoch, said = self._told.get((one.model, one.name), (0, 0.0))
            if one.epoch != epoch and now - said >= INTERVAL:
                self._told[one.model, one.name] = one.epoch, now
                # One write: Snakemake writes to the same terminal.
                self._stream.write(f"{one}\n")
                self._stream.flush()

    def start(self) -> None:
        """Do so until the process ends, beside whatever else it does."""
        threading.Thread(target=self._go_on, daemon=True).start()

    def _go_on(self) -> None:
        while True:
            time.sleep(1)
            self.tell()
