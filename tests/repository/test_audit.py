"""``make audit``: what is asked of pip-audit, and what becomes of its answers."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def audit(folder: Path, answer: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the script with a stand-in for pip-audit, and return how that was called."""
    stand_in = folder / "pip-audit"
    stand_in.write_text(f'#!/bin/sh\necho "$@" >>"{folder}/calls"\n{answer}\n')
    stand_in.chmod(0o755)
    done = subprocess.run(
        [ROOT / "requirements/audit.sh", "--ignore-vuln=X"],
        env=os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    return done, (folder / "calls").read_text().splitlines()


def test_every_lock_is_looked_up_once_as_it_stands(tmp_path):
    done, calls = audit(tmp_path, "exit 0")
    assert done.returncode == 0
    locks = [
        "requirements.lock",
        *(f"requirements/{p.name}" for p in ROOT.glob("requirements/*.lock")),
    ]
    assert sorted(call.split("--requirement ")[1].split()[0] for call in calls) == sorted(locks)
    for call in calls:
        assert {"--strict", "--disable-pip", "--require-hashes", "--ignore-vuln=X"} <= set(
            call.split()
        )


def test_a_vulnerable_package_fails_the_audit_of_all_locks(tmp_path):
    done, calls = audit(tmp_path, 'case "$*" in *dev.lock*) echo "x 1.0 PYSEC-1"; exit 1;; esac')
    assert done.returncode == 1
    assert "PYSEC-1" in done.stdout
    assert len(calls) > 2


@pytest.mark.parametrize(
    "words",
    ["Could not connect to PyPI's vulnerability feed", "requests.ConnectionError: Max retries"],
)
def test_without_a_network_the_audit_says_so_in_one_line(tmp_path, words):
    done, calls = audit(tmp_path, f'echo "ERROR: {words}" >&2; exit 1')
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: the list of vulnerabilities can't be reached without a network; connect and run "
        "'make audit' again."
    ]
    assert len(calls) == 1
