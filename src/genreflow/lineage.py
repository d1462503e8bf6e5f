"""Which parameters lie upstream of each kind of artifact.

A workflow rule's ``params:`` holds its own section alone, so that an edit reruns what it must.
The stamp inside an artifact holds all the sections that shaped its content, so that a reader
notices an artifact that was left behind, or brought in from another commit.
"""

from __future__ import annotations

from genreflow.artifacts import Stamp
from genreflow.params import DEMO_ROOT, Params

_UPSTREAM: dict[str, tuple[str, ...]] = {
    "audio": ("audio",),
    "tracks": ("audio", "tracks"),
    "handcrafted": ("audio", "features.handcrafted"),
    "mel": ("audio", "features.mel"),
    "splits": ("audio", "tracks", "splits"),
}


def upstream(kind: str, params: Params, *, model: str | None = None) -> tuple[str, ...]:
    """Name the sections that shape artifacts of `kind`.

    Parameters
    ----------
    kind
        ``audio``, ``tracks``, ``handcrafted``, ``mel``, ``splits``, or ``model`` and
        ``predictions``, which need `model`.
    """
    demo = ("demo",) if params.corpus.root == DEMO_ROOT else ()
    if model is None:
        return demo + _UPSTREAM[kind]
    features = "mel" if feature_kind(model) == "mel" else "handcrafted"
    names = demo + _UPSTREAM["splits"] + _UPSTREAM[features] + (f"models.{model}",)
    return tuple(dict.fromkeys(names))


def feature_kind(model: str) -> str:
    """Return which features `model` reads: ``"handcrafted"`` or ``"mel"``."""
    return "handcrafted" if model.endswith("_handcrafted") else "mel"


def stamp(kind: str, params: Params, *, model: str | None = None) -> Stamp:
    """Return the stamp that an artifact of `kind` made under `params` carries."""
    names = upstream(kind, params, model=model)
    return Stamp(kind=kind, params={name: params.section(name) for name in names})
