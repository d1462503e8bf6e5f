"""Which tests are quick: marks that no test can forget.

``make test-fast`` leaves out what is marked `slow`, `workflow`, `browser` or `real_audio`. A test
that uses the finished project is marked by its fixture; any other that starts Snakemake, DVC, a
cluster or a browser and isn't marked fails, and so does one that imports Keras.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

FAST = "not (slow or workflow or browser or real_audio)"
"""The selection of ``make test-fast``."""

MARK_OF = {
    "snakemake": "workflow",
    "dvc": "workflow",
    "sbatch": "workflow",
    "chromium": "browser",
    "chromedriver": "browser",
}
"""The mark of tests that start a program."""

MARK_OF_PACKAGE = {"snakemake.api": "workflow", "dvc.repo": "workflow", "keras": "slow"}
"""The mark of tests that import a package; whichever does so first in a process is found out."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out whole modules before they import what they test: TensorFlow alone takes seconds."""
    if config.option.markexpr != FAST or not re.fullmatch(r"test_\w+\.py", collection_path.name):
        return None
    text = collection_path.read_text(encoding="utf-8")
    named = re.findall(r"^pytestmark = (.*?\n)(?=\S|\n|\Z)", text, re.MULTILINE | re.DOTALL)
    marks = set(re.findall(r"pytest\.mark\.(\w+)", "".join(named)))
    return True if marks & set(re.findall(r"\w+", FAST)) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the project that ``dvc repro`` has run."""
    for item in items:
        if "built" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.workflow)


def missing_mark(command: object, marks: set[str]) -> str | None:
    """Return the mark that a test lacks which starts this command."""
    words = command if isinstance(command, list | tuple) else str(command).split()
    for word in words:
        wanted = MARK_OF.get(Path(os.fsdecode(word)).name)
        if wanted and wanted not in marks:
            return wanted
    return None


def loaded() -> set[str]:
    """Return which of the packages were imported so far."""
    return {name for name in MARK_OF_PACKAGE if name in sys.modules}


@dataclass
class _Running:
    """The marks of the test that runs (None between tests), and what was loaded before it."""

    marks: set[str] | None = None
    before: set[str] = field(default_factory=set)


_running = _Running()
_start = subprocess.Popen.__init__


def _watched(process: "subprocess.Popen[Any]", args: Any, *rest: Any, **options: Any) -> None:
    if _running.marks is not None and (wanted := missing_mark(args, _running.marks)):
        process.returncode = 1  # so that nobody waits for it
        pytest.fail(f"starts {args}: mark it @pytest.mark.{wanted}")
    _start(process, args, *rest, **options)


def pytest_configure() -> None:
    """Look at every program that is started; fixtures of a module start some before its tests."""
    subprocess.Popen.__init__ = _watched  # type: ignore[method-assign]


def pytest_unconfigure() -> None:
    """Let programs start as before."""
    subprocess.Popen.__init__ = _start  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Remember whose fixtures and body come now."""
    _running.marks = {mark.name for mark in item.iter_markers()}
    _running.before = loaded()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Fail a test without the mark of a package that it, or a fixture of it, was first to load."""
    result = yield
    lacking = {MARK_OF_PACKAGE[name]: name for name in loaded() - _running.before}
    for wanted in lacking.keys() - (_running.marks or set()):
        pytest.fail(f"imports {lacking[wanted]}: mark it @pytest.mark.{wanted}")
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Let fixtures end what they started."""
    _running.marks = None
    return (yield)
