"""Digests of the code behind each step, so that a step reruns when its code has changed.

Both tools compare these digests like a parameter of the step: Snakemake as ``params: code=``, DVC
through ``workflow/code.json``, which its stage ``code`` writes (:mod:`genreflow.stages`).

What counts is what the code does (:mod:`genreflow.syntax`) and, of declarations, what they say: the
modules in :data:`DECLARATIONS` reach a step as values only, as parameters or as the facts in its
row of the table of steps.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import grimp

from genreflow.errors import GenreflowError
from genreflow.steps import STEPS, Step
from genreflow.store.files import file_sha256, text_sha256, write_text
from genreflow.syntax import meaning

PACKAGE = "genreflow"
SOURCE = Path(__file__).parent
SCRIPTS = Path("workflow/scripts")
DECLARATIONS = ("genreflow.section", "genreflow.params", "genreflow.registry", "genreflow.steps")
"""Modules and packages whose content counts as values, not as code."""

IN_EVERY_JOB = ("genreflow.lineage", "genreflow.threads")
"""What scripts import beside their entry module, as far as results can depend on it.

:mod:`genreflow.jobs` is left out: logs, errors and costs are no part of any result.
"""

_CACHE = Path(".cache/code-digests.json")


class CodeError(GenreflowError):
    """Code can't be found or read."""


def modules_behind(*entries: str) -> tuple[str, ...]:
    """List `entries`, every module of the package that they import, and the packages around these.

    Imports inside functions count; imports for type checking alone, and declarations, do not.

    Parameters
    ----------
    *entries
        Dotted names of modules of the package, for instance ``"genreflow.features.mel.extract"``.

    Returns
    -------
    tuple of str
        Sorted.

    Raises
    ------
    CodeError
        An entry is no module of the package.
    """
    graph = _import_graph()
    if unknown := [name for name in entries if name not in graph.modules]:
        raise CodeError(f"{', '.join(unknown)}: no such module in the package {PACKAGE}")
    found: set[str] = set()
    new = set(entries)
    while new:
        name = new.pop()
        if name in found or is_declaration(name):
            continue
        found.add(name)
        new |= _needed_by(name)
    return tuple(sorted(found))


@cache
def _needed_by(module: str) -> frozenset[str]:
    """Return the modules of the package that a module imports, and the package around it."""
    imported = _import_graph().find_modules_directly_imported_by(module)
    package = module.rpartition(".")[0]
    return frozenset(imported | {package} if package else imported)


def is_declaration(module: str) -> bool:
    """Tell whether a module counts by its values alone."""
    return any(module == name or module.startswith(f"{name}.") for name in DECLARATIONS)


def step_digest(step: Step, scripts: Path = SCRIPTS) -> str:
    """Return the digest of a step's code (16 hexadecimal digits).

    Parameters
    ----------
    scripts
        Folder of the workflow's scripts.

    Raises
    ------
    CodeError
        A module or the script is missing, or is no Python.
    """
    own = [name for name in step.modules if name.partition(".")[0] == PACKAGE]
    other = [name for name in step.modules if name not in own]
    own += [used for name in other for used in sorted(_uses_of_ours(name))]
    parts = [f"{name} {_digest(path)}" for name, path in _sources(own)]
    parts += [line for name in other for line in _package_digest(name)]
    parts.append(f"script {_digest(scripts / f'{step.script}.py')}")
    parts.append(json.dumps(step.facts, sort_keys=True))
    return text_sha256(f"{part}\n" for part in parts)[:16]


def _sources(entries: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Yield the files behind a step's own modules: sources, tables and templates beside them."""
    for name in modules_behind(*entries, *IN_EVERY_JOB):
        yield from _files(name)


@cache
def _files(module: str) -> tuple[tuple[str, Path], ...]:
    stem = SOURCE.joinpath(*module.split(".")[1:])
    if not stem.is_dir():
        return ((module, stem.with_suffix(".py")),)
    others = sorted([*stem.glob("*.csv"), *(stem / "templates").glob("*.*")])
    return (module, stem / "__init__.py"), *((f"{module}/{one.name}", one) for one in others)


def _package_digest(module: str) -> Iterator[str]:
    """Yield what identifies a module of another package: its version, and all of its files."""
    top = module.partition(".")[0]
    for name in sorted(set(metadata.packages_distributions().get(top, ()))):
        yield f"{name} {metadata.version(name)}"
    for path in _package_files(module):
        yield f"{path.as_posix().rpartition(f'/{top}')[2]} {_digest(path)}"


def _package_files(module: str) -> list[Path]:
    """List the files of the top-level package, or the file, that a module belongs to."""
    spec = find_spec(module.partition(".")[0])
    if spec is None or spec.origin is None:
        raise CodeError(f"{module}: can't be imported; install the package that it belongs to")
    if not spec.submodule_search_locations:
        return [Path(spec.origin)]
    found = sorted(Path(spec.origin).parent.rglob("*"))
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def _uses_of_ours(module: str) -> set[str]:
    """Return the modules of this package that another package's files import."""
    names: set[str] = set()
    for path in _package_files(module):
        if path.suffix == ".py":
            for node in ast.walk(_parsed(path)):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return names & set(_import_graph().modules)


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise CodeError(f"{path}: is no Python source ({error})") from None


@cache
def _digest(path: Path) -> str:
    """Return the digest of what a Python file means, or of another file's bytes."""
    try:
        content = file_sha256(path)
        if path.suffix != ".py":
            return content
        known = _known()
        # What a file means depends on it and on whoever says so.
        key = text_sha256([content, file_sha256(SOURCE / "syntax.py")])
        if key not in known:
            known[key] = text_sha256([meaning(path.read_text(encoding="utf-8"))])
        return known[key]
    except OSError as error:
        raise CodeError(f"{path}: can't be read ({error.strerror})") from None
    except (SyntaxError, ValueError) as error:
        raise CodeError(f"{path}: is no Python source ({error})") from None


@cache
def _known() -> dict[str, str]:
    """Return the meanings of files by the digest of their bytes, as far as they are remembered.

    Reading a hundred files takes milliseconds, parsing them half a second, and a plan shouldn't.
    """
    with suppress(OSError, ValueError):
        found = json.loads(_CACHE.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


@cache
def _import_graph() -> grimp.ImportGraph:
    # No cache on disk: the graph builds in 20 ms, and a cache would litter the user's folder.
    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)


def code_digests() -> dict[str, str]:
    """Return the digest of every step's code by the name of the step."""
    before = dict(_known())
    digests = {name: step_digest(step) for name, step in STEPS.items()}
    if _known() != before:
        # Whoever can't remember parses again.
        with suppress(OSError):
            write_text(json.dumps(_known()), _CACHE)
    return digests
