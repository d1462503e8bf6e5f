"""The wheel: it holds what the package needs, and its command works where no clone is."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

import genreflow
from tests.conftest import BIN, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built without a network from a copy of what a release holds of it."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(
        ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [BIN / "uv", "build", "--quiet", "--offline", "--wheel", "--no-build-isolation"]
    subprocess.run([*build, "--python", sys.executable, source], check=True)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Run the installed command in an empty folder, with the libraries of this environment."""
    empty, installed = tmp_path_factory.mktemp("empty"), tmp_path_factory.mktemp("installed")
    install = [BIN / "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*install, "--python", sys.executable, "--target", installed, wheel], check=True)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [installed / "bin/genreflow", *arguments],
            cwd=empty,
            env=os.environ | {"PYTHONPATH": str(installed), "COLUMNS": "100"},
            capture_output=True,
            text=True,
        )

    yield run
    assert list(empty.iterdir()) == [], "no command leaves anything behind"


def test_the_wheel_holds_every_file_of_the_package(wheel):
    tracked = subprocess.run(
        ["git", "ls-files", "src/genreflow"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    names = {n for n in zipfile.ZipFile(wheel).namelist() if not n.split("/")[0].endswith("info")}
    assert {"genreflow/py.typed", "genreflow/cli.py"} <= names
    assert names >= {name.removeprefix("src/") for name in tracked}


def test_the_command_works_where_no_clone_is(run):
    helped = run("--help")
    assert helped.returncode == 0, helped.stderr
    assert "predict" in helped.stdout
    assert run("--version").stdout == f"genreflow {genreflow.__version__}\n"


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("leaderboard", "results/report/comparison.csv"),
        ("prune", "params.yaml"),
        ("export cnn", "no such model"),
        ("predict song.mp3", "results/release: not in this folder"),
        ("corpus scan nowhere", "nowhere"),
        ("workflow params", "a clone of genreflow's repository"),
    ],
)
def test_what_needs_a_run_or_a_clone_says_so_in_one_line(run, command, names):
    done = run(*command.split())
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert names in done.stderr


def test_the_version_stands_in_one_place_and_all_that_quote_it_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == genreflow.__version__
    assert str(Version(genreflow.__version__)) == genreflow.__version__


def test_a_citation_says_where_the_code_is():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    home = citation["repository-code"]
    assert all(url.startswith(home) for url in project["urls"].values()), project["urls"]


def test_no_tag_is_ahead_of_the_version():
    """A release is tagged when the version says so; see CONTRIBUTING.md."""
    listed = subprocess.run(["git", "tag", "--merged"], cwd=ROOT, capture_output=True, text=True)
    tags = re.findall(r"^v(\d\S*)$", listed.stdout, re.MULTILINE)
    assert all(Version(tag) <= Version(genreflow.__version__) for tag in tags), tags


def test_what_predicts_needs_no_module_that_windows_lacks():
    """Locks are for those who make something."""
    code = """
import sys
from importlib import import_module

for module in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[module] = None
from genreflow.registry import FEATURES, MODELS

for model in MODELS.values():
    for kind in model.reads:
        import_module(FEATURES[kind].extractor)
    import_module(model.module)
import genreflow.cli, genreflow.commands.predict, genreflow.commands.tag
genreflow.load
"""
    subprocess.run([sys.executable, "-c", code], check=True)
