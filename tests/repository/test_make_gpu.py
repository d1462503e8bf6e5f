"""`make gpu` swaps the builds of TensorFlow and XGBoost, and no later target swaps them back."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CPU_BUILDS = "requirements/cpu-builds.txt"
GPU_LOCK = "--require-hashes -r requirements/gpu.lock"


@dataclass(frozen=True)
class Checkout:
    """What `make` installs by, and a stand-in for uv that notes what it is asked."""

    folder: Path

    def make(self, *targets: str, works: bool = True) -> tuple[int, list[str]]:
        """Return the exit status of `make`, and what uv was asked."""
        asked = self.folder / "asked"
        asked.write_text("")
        done = subprocess.run(
            ["make", *targets],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "FAILS": "" if works else "gpu.lock"},
            capture_output=True,
            text=True,
        )
        return done.returncode, asked.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy2(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    uv = tmp_path / ".venv/bin/uv"
    uv.parent.mkdir(parents=True)
    (tmp_path / ".venv/pyvenv.cfg").touch()
    uv.write_text(
        '#!/bin/sh\necho "$@" >>asked\ncase "$FAILS" in ?*) case "$*" in *$FAILS*) exit 2;; esac;; '
        "esac\n"
    )
    uv.chmod(0o755)
    return Checkout(tmp_path)


def installs(asked: list[str]) -> list[str]:
    return [line for line in asked if "--require-hashes" in line]


def test_without_it_nothing_but_the_locks_of_the_cpu_builds_is_installed(checkout):
    _, asked = checkout.make(".venv/.installed-dev")
    assert [line.split(" -r ")[1] for line in installs(asked)] == [
        "requirements.lock",
        "requirements/dev.lock",
    ]
    assert not [line for line in asked if "--excludes" in line or "uninstall" in line]


def test_the_cpu_builds_are_gone_before_the_cuda_builds_come(checkout):
    checkout.make(".venv/.installed")
    status, asked = checkout.make("gpu")
    assert status == 0
    gone, come, *_ = asked
    assert gone.startswith("pip uninstall")
    assert CPU_BUILDS in gone
    assert come.endswith(GPU_LOCK)


def test_no_later_target_puts_the_cpu_builds_back(checkout):
    checkout.make("gpu")
    assert checkout.make(".venv/.installed") == (0, [])
    for target in (".venv/.installed-dev", "gtzan", "bench", "fuzz"):
        _, asked = checkout.make(target)
        assert installs(asked), target
        assert all(f"--excludes {CPU_BUILDS}" in line for line in installs(asked)), target
        assert not [line for line in asked if line.endswith("-r requirements.lock")], target


def test_a_lock_that_changes_brings_newer_cuda_builds(checkout):
    checkout.make("gpu")
    lock = checkout.folder / "requirements/gpu.lock"
    later = (checkout.folder / ".venv/.installed").stat().st_mtime + 10
    os.utime(lock, (later, later))
    _, asked = checkout.make(".venv/.installed")
    assert [line.endswith(GPU_LOCK) for line in installs(asked)] == [True]


def test_when_they_cannot_be_installed_the_next_target_mends_it(checkout):
    checkout.make(".venv/.installed")
    status, _ = checkout.make("gpu", works=False)
    assert status != 0
    _, asked = checkout.make(".venv/.installed")
    assert [line.split(" -r ")[1] for line in installs(asked)] == ["requirements.lock"]
