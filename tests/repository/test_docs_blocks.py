"""Every code block of the documentation: run, checked by the program that it calls, or named."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import mutagen
import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from genreflow.cli import app
from genreflow.features.embedding.onnx_input import read_description
from genreflow.params import parse
from tests.conftest import BIN, ROOT, Project, plan_anew
from tests.docs_commands import CHECKS, Block, Command, blocks, commands

NOT_HERE = {
    "apptainer": "isn't installed where tests run",
    "cd": "changes nothing that could be checked",
    "curl": "asks a server that runs; test_serve.py asks the same address",
    "docker": "isn't installed where tests run",
    "echo": "adds a line to a file of the user's",
    "export": "keys and addresses of a server of the user's",
    "find": "looks through the user's music",
    "grep": "picks lines out of what another command says",
    "npm": "needs a network",
    "podman": "isn't installed where tests run",
    "source": "activates an environment that `make run` sets up",
    "snakemake --executor aws-batch": "has a plugin of its own; cluster.md says: untried",
    "snakemake --executor azure-batch": "likewise",
    "snakemake --executor googlebatch": "likewise",
    "snakemake --executor kubernetes": "likewise",
    "snakemake --executor lsf": "likewise",
    "genreflow serve": "ends with Ctrl-C alone; test_serve.py starts it",
    "genreflow corpus gtzan": "needs a network; test_corpus_gtzan.py runs it on a copy",
    "genreflow corpus labels": "test_fma.py runs what the page says",
    "genreflow export cnn": "test_export.py writes models of every kind",
    "genreflow export results/models/lstm/0": "likewise",
}
"""Commands that are checked at most, and not run, by how they begin, with the reason."""

RUN_BY = {
    "add-a-model.md": "test_docs_models.py::"
    "test_models_and_a_third_kind_of_features_are_a_module_and_an_entry_each",
    "bring-your-own-model.md": "test_docs_models.py::test_a_model_of_another_package_takes_part",
    "export.md": "test_export.py::test_the_example_of_the_documentation_runs",
    "releases.md": "test_release.py::test_the_examples_of_the_documentation_run",
    "tutorial.md": "test_docs_blocks.py::test_the_tutorial_is_true_of_what_runs_and_reruns",
}
"""Who runs the blocks in Python, TOML or as differences, by page."""

PROGRAMS = re.compile(r"^\$? *(?:dvc|genreflow|git|make|npm|pip|python3?|snakemake) ", re.MULTILINE)


def of(*languages: str) -> list[Block]:
    return [block for block in blocks() if block.language in languages]


def reason(command: Command) -> str | None:
    line = " ".join((command.program, *command.words[1:]))
    return next((why for name, why in NOT_HERE.items() if f"{line} ".startswith(f"{name} ")), None)


def test_every_block_says_its_language_and_text_hides_no_command() -> None:
    known = {"", "bash", "console", "diff", "js", "python", "text", "toml", "yaml"}
    assert {block.language for block in blocks()} <= known
    assert [str(block) for block in of("", "text") if PROGRAMS.search(block.text)] == []
    # Its names of onnxruntime-web are those of the page that test_export_browser.py opens.
    assert [block.page for block in of("js")] == ["export.md"]


@pytest.mark.parametrize(
    "block", [block for block in of("python") if block.text.startswith("# src/")], ids=str
)
def test_code_that_a_page_adds_passes_the_linters(block: Block) -> None:
    """What a reader copies from a page is no reason for `make lint` to fail."""
    name, _, text = block.text.partition("\n")
    for asked in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        command = [BIN / "ruff", *asked, "--stdin-filename", ROOT / name.removeprefix("# "), "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_code_that_pages_add_has_the_types_that_it_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    added = []
    for block in of("python"):
        name, _, text = block.text.removeprefix("# ").partition("\n")
        if name.startswith("src/"):
            (tmp_path / name).write_text(text, encoding="utf-8")
            added.append(name)
    assert len(added) == 8
    done = subprocess.run([BIN / "mypy", *added], cwd=tmp_path, capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if line.startswith(tuple(added))] == []
    assert "checked 8 source files" in done.stdout or "no issues found in 8" in done.stdout


@pytest.mark.workflow
@pytest.mark.parametrize("command", dict.fromkeys(commands()), ids=str)
def test_every_command_is_one_that_its_program_takes(command: Command) -> None:
    check = CHECKS.get(command.program)
    if command.program == "snakemake" and reason(command):
        return
    if check is None:
        assert reason(command), "neither checked nor named in NOT_HERE"
        return
    try:
        check(command)
    except SystemExit as end:
        raise AssertionError(f"{command.program} doesn't take this") from end


def test_every_name_in_the_table_is_of_a_command_in_the_documentation() -> None:
    lines = [" ".join((c.program, *c.words[1:])) for c in commands()]
    lines += ["genreflow corpus gtzan "]  # in the README's text
    assert [n for n in NOT_HERE if not any(f"{line} ".startswith(f"{n} ") for line in lines)] == []


def test_a_block_that_needs_the_tests_says_how_to_install_what_they_need() -> None:
    """A plain `make run` installs no pytest, without which nothing in tests/ can be imported."""
    needy = [block for block in of("bash", "console") if re.search(r"\btests[./]", block.text)]
    assert needy
    for block in needy:
        page = (ROOT / "docs" / block.page).read_text(encoding="utf-8")
        before = page[: page.index(block.text)][-200:]
        assert "make .venv/.installed-dev" in before + block.text, str(block)


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_every_block_in_python_compiles(block: Block) -> None:
    compile(block.text, block.page, "exec")


def test_every_block_in_python_or_as_a_difference_is_run_by_a_test_that_exists() -> None:
    assert {block.page for block in of("python", "toml", "diff")} == set(RUN_BY)
    for page, name in RUN_BY.items():
        file, _, test = name.partition("::")
        source = next((ROOT / "tests").rglob(file)).read_text(encoding="utf-8")
        assert f"def {test}(" in source
        assert page in source


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_every_block_in_yaml_is_parameters(block: Block, tmp_path: Path) -> None:
    values = yaml.safe_load(block.text) or {}
    if "partitions" in values:
        from snakemake_executor_plugin_slurm.partitions import read_partition_file

        (tmp_path / "partitions.yaml").write_text(block.text, encoding="utf-8")
        assert len(read_partition_file(tmp_path / "partitions.yaml")) == len(values["partitions"])
    elif "input" in values:
        (tmp_path / "net.yaml").write_text(block.text, encoding="utf-8")
        (tmp_path / "net.onnx").touch()
        assert read_description(tmp_path / "net.yaml").sample_rate == values["sample_rate"]
    elif block.page != "tutorial.md":  # whose model exists for those who have written it
        parse(values)


@pytest.fixture
def music(built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished project with what the examples name; the best model is one without TensorFlow."""
    project = built.copy(tmp_path / "project")
    project.git("commit", "-q", "--allow-empty", "-m", "A later commit, to compare with HEAD~1")
    folder = project.folder
    index = folder / "results/release/index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"best": "svm_handcrafted"}))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    shutil.copytree(folder / "data/tiny", folder / "my-music")
    for path in (folder / "my-music/pop").iterdir():
        tagged = mutagen.File(path)
        tagged["artist"], tagged["album"] = "A", "One"
        tagged.save()
    (folder / "data/genres").symlink_to("tiny")
    song = folder / "data/tiny/pop/pop.00000.flac"
    (tmp_path / "home/Music").mkdir(parents=True)
    samples, rate = soundfile.read(song)
    soundfile.write(folder / "song.mp3", samples, rate)
    soundfile.write(tmp_path / "home/Music/a.mp3", samples, rate)
    soundfile.write(folder / "concert.flac", np.concatenate([samples, samples]), rate)
    rows = {"file": ["pop/pop.00000.flac", "pop/pop.00001.flac"], "artist": ["A", "B"]}
    pd.DataFrame(rows).to_csv("artists.csv", index=False)
    Path("index.txt").write_text("pop.00000.flac ::: A ::: One\npop.00001.flac ::: B ::: Two\n")
    return folder


@pytest.mark.workflow
def test_what_a_user_types_runs_on_a_finished_project(music: Path) -> None:
    asked = {c.words: c for c in commands() if c.program == "genreflow" and not reason(c)}
    assert len(asked) >= 10
    for words in asked:
        if words[1:3] == ("corpus", "groups"):  # which leaves a listing alone that isn't empty
            Path("data/groups.csv").write_text("track_id,group\n")
        arguments = [str(Path(word).expanduser()) if word[0] == "~" else word for word in words]
        done = CliRunner().invoke(app, arguments[1:], input=f"{music}/song.mp3\0")
        assert done.exit_code == 0, f"{shlex.join(words)}: {done.output}"


@pytest.mark.workflow
def test_the_tutorial_is_true_of_what_runs_and_reruns(built: Project, tmp_path: Path) -> None:
    project = built.copy(tmp_path / "project")
    page = [block for block in blocks() if block.page == "tutorial.md"]
    for block in page:
        if block.language == "python":
            name, _, text = block.text.partition("\n")
            (project.folder / name.removeprefix("# ")).write_text(text, encoding="utf-8")
        elif block.language == "diff":
            apply = ["git", "apply", "-"]
            subprocess.run(apply, cwd=project.folder, input=block.text, text=True, check=True)
    project.run(str(BIN / "python"), "-m", "genreflow", "workflow", "params")
    takes_part, edit, _ = (yaml.safe_load(b.text) for b in page if b.language == "yaml")
    assert takes_part["evaluation"]["models"] == ["lda", *built.params["evaluation"]["models"]]
    project.edit(**{"evaluation.models": takes_part["evaluation"]["models"]})
    assert plan_anew(project).keys() == {
        "train_lda",
        "robustness_lda",
        "evaluate",
        "refit_lda",
        "release",
        "report",
    }
    project.snakemake("results/models/lda/0/model.skops")
    project.edit(**{"models.lda.shrinkage": edit["models"]["lda"]["shrinkage"]})
    plan = plan_anew(project)
    shown = next(b.text for b in page if b.language == "text" and "Job stats" in b.text)
    assert plan == {
        name: int(count)
        for name, count in re.findall(r"^(\w+) +(\d+)$", shown, re.MULTILINE)
        if name not in ("all", "total")
    }
