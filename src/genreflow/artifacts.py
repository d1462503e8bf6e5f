"""What every artifact has in common: atomic writing, and a stamp that says what made it.

A stamp is a small JSON object ``{"kind", "format", "params"}`` in the artifact's own metadata
(Arrow schema, npz member, JSON key). A reader states which kind and which parameters it needs;
on a mismatch it raises instead of computing with stale data.

Every worker and every plan imports this module, so it needs the standard library alone; tables
are in :mod:`genreflow.parquet`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1


class StaleArtifactError(ValueError):
    """An artifact was made by other parameters or another format than the reader asked for."""


@dataclass(frozen=True)
class Stamp:
    """What made an artifact.

    Parameters
    ----------
    kind
        What the artifact is, for instance ``"mel"``.
    params
        The JSON-like parameters that determine its content.
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

    def to_json(self) -> str:
        """Serialise, with sorted keys so that equal stamps are equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes, path: Path) -> Stamp:
        """Parse what :meth:`to_json` wrote; raise :class:`StaleArtifactError` on anything else."""
        try:
            fields = json.loads(text)
            return cls(**{name: fields[name] for name in ("kind", "params", "format", "facts")})
        except (ValueError, KeyError, TypeError):
            raise StaleArtifactError(f"{path}: carries no readable stamp; {_REMEDY}") from None

    def check(self, expected: Stamp, path: Path) -> None:
        """Raise :class:`StaleArtifactError` unless kind, format and parameters are as expected."""
        found, wanted = (json.loads(stamp.to_json()) for stamp in (self, expected))
        del found["facts"], wanted["facts"]
        if found != wanted:
            raise StaleArtifactError(f"{path}: made with {_difference(found, wanted)}; {_REMEDY}")


_REMEDY = "delete it and rerun `snakemake`, which makes it anew."


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Name the leaves in which two stamps differ."""
    flat_found, flat_wanted = dict(_leaves(found)), dict(_leaves(wanted))
    keys = sorted(k for k in flat_found | flat_wanted if flat_found.get(k) != flat_wanted.get(k))
    here = ", ".join(f"{k}={flat_found.get(k)!r}" for k in keys)
    there = ", ".join(f"{k}={flat_wanted.get(k)!r}" for k in keys)
    return f"{here} but {there} was asked for"


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it on success and vanishes on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; artifacts get the permissions of any other new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(value: Any, path: Path) -> None:
    """Write `value` as sorted, indented JSON, atomically."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
