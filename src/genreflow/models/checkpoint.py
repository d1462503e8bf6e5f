"""The state of a training under way, so that one that is killed goes on where it was.

A state is no artifact. It lies apart from what a job declares as its outputs, which Snakemake and
DVC delete before a job starts and after it failed, it is there while its training is not finished,
and whoever finds one made with anything else starts anew.
"""

from __future__ import annotations

import logging
import shutil
import time
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genreflow.store.archive import member, new_archive
from genreflow.store.files import file_sha256, remove_unfinished
from genreflow.store.stamp import StaleArtifactError, Stamp

log = logging.getLogger(__name__)

Array = np.ndarray[Any, np.dtype[Any]]

SHARE = 0.02
"""Most of a training's time that writing may take; the first state is always written."""

_FILE = "state.npz"
_STAMP = "stamp"


class Checkpoint:
    """Where one training keeps its state.

    Parameters
    ----------
    folder
        For this training alone; made when there is something to keep.
    params
        What the training is made with, JSON-like, its code included.
    inputs
        Files that it reads; a state is known by their content.

    Attributes
    ----------
    folder
        The same.
    seconds_before
        What the training had taken when the state was written that it goes on from [s].
    """

    def __init__(self, folder: Path, params: Mapping[str, Any], inputs: Sequence[Path]) -> None:
        self.folder = folder
        self.seconds_before = 0.0
        self._path = folder / _FILE
        self._params = params
        self._inputs = inputs
        self._stamp: Stamp | None = None
        self._started = self._next = time.monotonic()

    def load(self, libraries: Mapping[str, str]) -> tuple[dict[str, Array], dict[str, Any]] | None:
        """Return the arrays and the facts of the last state; None if there is none to go on from.

        Parameters
        ----------
        libraries
            What the numbers depend on beside parameters, code and inputs: versions, devices.
        """
        digests = {path.as_posix(): file_sha256(path) for path in self._inputs}
        made_with = {**self._params, "inputs": digests, "libraries": dict(libraries)}
        self._stamp = Stamp(kind="training state", params=made_with)
        self._started = self._next = time.monotonic()
        remove_unfinished(self.folder)
        if not self._path.exists():
            return None
        try:
            with np.load(self._path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            found = Stamp.from_json(str(arrays.pop(_STAMP)), self._path)
            facts = dict(found.facts)
            seconds = float(facts.pop("seconds"))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, StaleArtifactError):
            log.info("%s: can't be read; starting anew", self._path)
            return None
        if difference := found.difference(self._stamp):
            log.info("%s: made with %s; starting anew", self._path, difference)
            return None
        self.seconds_before = seconds
        return arrays, facts

    def due(self) -> bool:
        """Tell whether it is time to write: not so often that a training would notice."""
        return time.monotonic() >= self._next

    def save(self, arrays: Iterable[tuple[str, Array]], facts: Mapping[str, Any]) -> None:
        """Replace the state; a kill leaves the last one or this one, and never a mixture.

        Parameters
        ----------
        arrays
            Names and values, taken and written one at a time.
        facts
            JSON-like; they come back as they were.
        """
        if self._stamp is None:
            raise RuntimeError("load before saving: it finds out what the state is made with")
        started = time.monotonic()
        seconds = self.seconds_before + started - self._started
        stamp = replace(self._stamp, facts={**facts, "seconds": round(seconds, 3)})
        try:
            with new_archive(self._path) as archive:
                _write(archive, _STAMP, np.array(stamp.to_json()))
                for name, values in arrays:
                    _write(archive, name, values)
        except OSError as error:
            # The training itself lacks nothing.
            log.warning("%s: can't be written (%s); going on", self._path, error.strerror)
        ended = time.monotonic()
        self._next = ended + (ended - started) / SHARE

    def remove(self) -> None:
        """Remove the state, and the folders around it that it leaves empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            for parent in (self.folder.parent, self.folder.parent.parent):
                parent.rmdir()


def _write(archive: zipfile.ZipFile, name: str, values: Array) -> None:
    with member(archive, f"{name}.npy", size=values.nbytes) as file:
        np.lib.format.write_array(file, values, allow_pickle=False)
