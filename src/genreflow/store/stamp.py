"""Stamps: what an artifact says of its own origin.

A stamp is a small JSON object in the artifact's own metadata (Arrow schema, npz member, JSON key).
A reader states which kind and which parameters it needs; on a mismatch it raises instead of
computing with stale data.

Every worker and every plan imports this module, so it needs the standard library alone; stamped
tables are in :mod:`genreflow.store.tables`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from genreflow.errors import GenreflowError
from genreflow.nested import flatten

FORMAT = 1


class StaleArtifactError(GenreflowError):
    """An artifact was made by other parameters or another format than the reader asked for."""


@dataclass(frozen=True)
class Stamp:
    """What made an artifact.

    Attributes
    ----------
    kind
        What the artifact is, for instance ``"mel"``.
    params
        The JSON-like parameters that determine its content, section by section.
    format
        Version of the artifact's layout.
    facts
        Anything else worth knowing about the content, for instance a digest of the audio
        behind it. Facts are carried but not compared by :meth:`check`.
    """

    kind: str
    params: Mapping[str, Any]
    format: int = FORMAT
    facts: Mapping[str, Any] = field(default_factory=dict)

    def with_facts(self, **facts: Any) -> Stamp:
        """Return the same stamp with more facts."""
        return replace(self, facts={**self.facts, **facts})

    def to_json(self) -> str:
        """Serialise, with sorted keys so that equal stamps are equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes, path: Path) -> Stamp:
        """Parse what :meth:`to_json` wrote; raise :class:`StaleArtifactError` on anything else."""
        try:
            fields = json.loads(text)
            names = ("kind", "params", "format", "facts")
            kind, params, version, facts = (fields[name] for name in names)
            if not (isinstance(params, dict) and isinstance(facts, dict)):
                raise TypeError("parameters and facts are no objects")
            return cls(kind, params, version, facts)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise StaleArtifactError(f"{path}: carries no readable stamp; {REMEDY}") from None

    def check(self, expected: Stamp, path: Path) -> None:
        """Raise :class:`StaleArtifactError` unless kind, format and parameters are as expected."""
        if difference := self.difference(expected):
            raise StaleArtifactError(f"{path}: made with {difference}; {REMEDY}")

    def difference(self, expected: Stamp) -> str:
        """Say in what kind, format and parameters differ from the expected; empty if they don't."""
        found, wanted = (json.loads(stamp.to_json()) for stamp in (self, expected))
        del found["facts"], wanted["facts"]
        return _difference(found, wanted) if found != wanted else ""


REMEDY = "delete it and rerun `snakemake`, which makes it anew."


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Name the leaves in which two stamps differ."""
    flat_found, flat_wanted = flatten(found), flatten(wanted)
    keys = sorted(k for k in flat_found | flat_wanted if flat_found.get(k) != flat_wanted.get(k))
    here = ", ".join(f"{k}={flat_found.get(k)!r}" for k in keys)
    there = ", ".join(f"{k}={flat_wanted.get(k)!r}" for k in keys)
    return f"{here} but {there} was asked for"
