"""Digests of source code, so that a workflow step reruns when code that it uses has changed.

Snakemake watches the file named in ``script:`` but not what that file imports. A rule therefore
lists the digest of its entry modules and everything they import within the package, with the
templates that lie beside them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import grimp

PACKAGE = "genreflow"
SOURCE = Path(__file__).parent


def modules_behind(*entries: str) -> tuple[Path, ...]:
    """List the source files of `entries` and of every package module they import, and templates.

    Parameters
    ----------
    entries
        Dotted module names, for instance ``"genreflow.features.mel"``. Imports inside functions
        count; imports for type checking alone do not.

    Returns
    -------
    tuple of Path
        Sorted absolute paths.

    Raises
    ------
    ValueError
        An entry is no module of the package.
    """
    graph = _import_graph()
    if unknown := [name for name in entries if name not in graph.modules]:
        raise ValueError(f"{', '.join(unknown)}: no such module in package {PACKAGE}")
    names = set(entries).union(*(graph.find_upstream_modules(name) for name in entries))
    sources = {_path(name) for name in names}
    folders = {source.parent / "templates" for source in sources}
    return tuple(sorted(sources.union(*(folder.glob("*.*") for folder in folders))))


def code_digest(*entries: str) -> str:
    """Return a digest of the files that :func:`modules_behind` lists (16 hexadecimal digits)."""
    digest = hashlib.sha256()
    for path in modules_behind(*entries):
        digest.update(path.relative_to(SOURCE).as_posix().encode())
        digest.update(_content_digest(path))
    return digest.hexdigest()[:16]


# Sixteen rules ask at every start, about much the same files.
@cache
def _content_digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


@cache
def _import_graph() -> grimp.ImportGraph:
    # No cache on disk: the graph builds in 20 ms, and a cache would litter the user's folder.
    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)


def _path(module: str) -> Path:
    stem = SOURCE.joinpath(*module.split(".")[1:])
    return stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
