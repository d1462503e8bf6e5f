"""pyproject.toml, the locks and environment.yml describe one environment."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {f"requirements/{extra}.lock": extra for extra in ("dev", "gtzan", "bench", "storage")}
LOCKS = ["requirements.lock", *EXTRAS]


def pins(lock):
    """Map each package to the versions that a lock pins (several, by Python version)."""
    found = {}
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", line):
            found.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return found


def wanted(lock):
    extra = EXTRAS.get(lock)
    optional = PROJECT["optional-dependencies"][extra] if extra else []
    return [Requirement(text) for text in PROJECT["dependencies"] + optional]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_every_requirement_of_the_project(lock):
    locked = pins(lock)
    for requirement in wanted(lock):
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{lock} lacks {requirement.name}; run `make lock`"
        assert all(requirement.specifier.contains(v) for v in versions), requirement


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_locks_agree_with_each_other(lock):
    base, other = pins(LOCKS[0]), pins(lock)
    assert {name: other.get(name) for name in base} == base


@pytest.mark.parametrize("lock", [*LOCKS, "requirements/uv.lock"])
def test_lock_holds_hashes_and_no_addresses(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    requirements = re.split(r"\n(?=[A-Za-z])", text.strip())
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert "://" not in text


def test_conda_environment_installs_the_lock_on_the_same_python():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert f"python{PROJECT['requires-python']}" in conda
    assert any("requirements.lock" in line for line in pip)


def test_cpu_builds_are_used_where_they_exist():
    linux = {"sys_platform": "linux", "platform_machine": "x86_64"}
    names = {r.name for r in wanted(LOCKS[0]) if r.marker is None or r.marker.evaluate(linux)}
    assert {"tensorflow-cpu", "xgboost-cpu"} <= names
    assert not {"tensorflow", "xgboost"} & names
