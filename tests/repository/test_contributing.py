"""CONTRIBUTING.md and what else greets a newcomer: every file, target and mark it names exists."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import BIN, ROOT
from tests.marks import FAST, missing_mark

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
MARKS = {
    line.partition(":")[0]
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "pytest"
    ]["ini_options"]["markers"]
}
MADE_BY_RUNS = ("results/", "data/genres")


def test_every_file_that_the_guide_names_exists():
    named = re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:py|toml|yaml|cff|md|lock))`", GUIDE)
    named += re.findall(r"\]\(([^):]+)\)", GUIDE)
    assert len(named) > 40
    beside = "src/genreflow/features/handcrafted"
    missing = [
        name
        for name in named
        if name not in MADE_BY_RUNS
        and not any((ROOT / place / name).exists() for place in ("", "src/genreflow", beside))
    ]
    assert missing == []


def test_the_guide_names_every_target_and_mark_and_no_other():
    assert set(re.findall(r"`make ([a-z-]+)`", GUIDE)) == TARGETS - {"help"}
    assert set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE)) == MARKS


def test_make_help_lists_every_target():
    said = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.split()[0] for line in said.stdout.splitlines()} == TARGETS
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == TARGETS


def test_fast_tests_are_what_their_target_selects():
    assert f'-m "{FAST}"' in MAKEFILE
    assert set(re.findall(r"\w+", FAST)) - {"not", "or"} == MARKS


@pytest.mark.parametrize(
    ("command", "marks", "wanted"),
    [
        (["/somewhere/bin/snakemake", "-n"], set(), "workflow"),
        (["nice", "dvc", "repro"], set(), "workflow"),
        ([Path("/usr/bin/chromedriver")], {"workflow"}, "browser"),
        ("chromium --headless", {"slow"}, "browser"),
        (["snakemake"], {"workflow"}, None),
        (["git", "status", "snakemakes"], set(), None),
    ],
)
def test_a_program_without_its_mark_is_noticed(command, marks, wanted):
    assert missing_mark(command, marks) == wanted


def test_a_test_that_starts_snakemake_or_loads_dvc_without_a_mark_fails(tmp_path):
    """In a folder of its own, with the plugin that guards these tests."""
    (tmp_path / "test_forgotten.py").write_text(
        "import subprocess\n"
        "import pytest\n"
        "pytest_plugins = ['tests.marks']\n"
        "def test_starts():\n"
        "    subprocess.run(['snakemake', '--version'])\n"
        "def test_starts_through_a_fixture(version): pass\n"
        "@pytest.fixture(scope='module')\n"
        "def version(): return subprocess.check_output(['dvc', '--version'])\n"
        "@pytest.mark.workflow\n"
        "def test_says_so(): subprocess.run(['true', 'dvc'])\n"
        "def test_loads(monkeypatch):\n"
        "    monkeypatch.syspath_prepend('.')\n"
        "    import dvc.repo\n"
    )
    (tmp_path / "dvc").mkdir()
    (tmp_path / "dvc/__init__.py").touch()
    (tmp_path / "dvc/repo.py").touch()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    done = subprocess.run(
        [*command, "-o", "markers=workflow", "--color=no", "."],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": f"{BIN}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert "2 failed, 1 passed, 1 error" in done.stdout, done.stdout
    assert done.stdout.count("mark it @pytest.mark.workflow") >= 3


def test_pre_commit_calls_tools_of_the_environment_alone():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repo,) = config["repos"]
    assert repo["repo"] == "local"
    for hook in repo["hooks"]:
        assert hook["language"] == "system"
        program = hook["entry"].split()[0]
        assert program == f".venv/bin/{Path(program).name}"
        assert (BIN / Path(program).name).exists(), program


def test_github_runs_targets_that_exist():
    text = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    called = set(re.findall(r"\bmake ([a-z-]+)", re.sub(r"#.*", "", text)))
    assert called
    assert called <= TARGETS
    assert ".ci/run" in text


def test_github_tests_every_python_that_the_package_allows():
    text = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    matrix = yaml.safe_load(text)["jobs"]["all"]["strategy"]["matrix"]
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert allowed == ">=3.11,<3.14"
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
