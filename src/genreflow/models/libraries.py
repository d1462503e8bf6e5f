"""Which libraries a model's files were written by, and whether they are the installed ones.

A library promises to read its own files for some versions at most, and may compute something
slightly different from what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

_OF_FORMAT = {
    ".skops": ("scikit-learn", "skops", "numpy"),
    ".xgb.json": ("xgboost",),
    ".keras": ("keras",),
}
_IMPORTED_AS = {"scikit-learn": "sklearn"}


def libraries_of(files: Sequence[str]) -> dict[str, str]:
    """Return the installed version of every library that reads and writes some model files.

    Parameters
    ----------
    files
        Names of the files; those of a format that isn't genreflow's count for nothing.
    """
    names = {
        name
        for suffix, libraries in _OF_FORMAT.items()
        for name in libraries
        if any(file.endswith(suffix) for file in files)
    }
    if "keras" in names:
        names.add(import_module("keras").backend.backend())
    # The modules say it, not the packages: tensorflow and tensorflow-cpu are one library.
    return {
        name: str(import_module(_IMPORTED_AS.get(name, name)).__version__) for name in sorted(names)
    }


def difference(made: Mapping[str, str], installed: Mapping[str, str]) -> str:
    """Say which versions differ: ``"made with keras 3.12, but here is 3.15"``; "" if none does."""
    before, here = (
        ", ".join(
            f"{name} {versions[name]}" if name in versions else f"no {name}"
            for name in sorted(made.keys() | installed.keys())
            if made.get(name) != installed.get(name)
        )
        for versions in (made, installed)
    )
    return f"made with {before}, but here is {here}" if before else ""
