"""pyproject.toml, the locks and conda's files describe one environment."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {f"requirements/{extra}.lock": extra for extra in ("dev", "gtzan", "bench", "storage")}
LOCKS = ["requirements.lock", *EXTRAS]
GPU_LOCK = "requirements/gpu.lock"
CPU_BUILDS = (ROOT / "requirements/cpu-builds.txt").read_text(encoding="utf-8").split()


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


@pytest.mark.parametrize("lock", [*LOCKS, GPU_LOCK, "requirements/uv.lock"])
def test_lock_holds_hashes_and_no_addresses(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    requirements = re.split(r"\n(?=[A-Za-z])", text.strip())
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert "://" not in text


def environment(name):
    """What an environment of conda's asks of conda, and what of pip."""
    asked = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["dependencies"]
    (pip,) = [entry["pip"] for entry in asked if isinstance(entry, dict)]
    return [entry for entry in asked if isinstance(entry, str)], pip


def test_conda_environment_installs_the_lock_on_the_same_python():
    conda, pip = environment("environment.yml")
    assert f"python{PROJECT['requires-python']}" in conda
    assert pip == ["--require-hashes -r requirements.lock"]


def test_conda_environment_for_gpus_differs_in_the_lock_alone():
    conda, pip = environment("environment-gpu.yml")
    assert conda == environment("environment.yml")[0]
    assert pip == [f"--require-hashes -r {GPU_LOCK}"]


def test_what_the_lock_for_gpus_has_in_common_with_the_others_is_of_the_same_version():
    """But for the two CPU builds it has all; it also has CUDA, and nothing else."""
    cpu, gpu = pins(LOCKS[0]), pins(GPU_LOCK)
    swapped = {name.removesuffix("-cpu") for name in CPU_BUILDS}
    shared = cpu.keys() - CPU_BUILDS - swapped
    assert {name: gpu.get(name) for name in shared} == {name: cpu[name] for name in shared}
    added = gpu.keys() - shared - swapped
    assert added
    assert all(name.startswith("nvidia-") for name in added), added


def test_cuda_builds_stand_instead_of_the_cpu_builds_and_never_beside_them():
    """Both hold the same modules, so that whichever came last would be half there."""
    cpu, gpu = pins(LOCKS[0]), pins(GPU_LOCK)
    assert not set(CPU_BUILDS) & gpu.keys()
    for name in CPU_BUILDS:
        assert gpu[name.removesuffix("-cpu")] == cpu[name], name
    assert "tensorflow[and-cuda]==" in (ROOT / GPU_LOCK).read_text(encoding="utf-8")


def test_what_two_packages_bring_to_the_same_path_is_of_one_version():
    """TensorFlow and XGBoost ask for NCCL by two names, for CUDA 12 and 13, with the same files."""
    found = {name: versions for name, versions in pins(GPU_LOCK).items() if "-nccl-" in name}
    assert len(set().union(*found.values())) == 1, found


def test_cpu_builds_are_used_where_they_exist():
    linux = {"sys_platform": "linux", "platform_machine": "x86_64"}
    names = {r.name for r in wanted(LOCKS[0]) if r.marker is None or r.marker.evaluate(linux)}
    assert set(CPU_BUILDS) == {"tensorflow-cpu", "xgboost-cpu"} <= names
    assert not {"tensorflow", "xgboost"} & names
