"""Digests of code: what belongs to a step, and what a change has to be to count."""

import subprocess
import sys
from dataclasses import replace

import pytest

from genreflow.code import CodeError, code_digests, is_declaration, modules_behind, step_digest
from genreflow.registry import BUILT_IN, MODELS
from genreflow.steps import STEPS
from tests.conftest import ROOT

SCRIPTS = ROOT / "workflow/scripts"


def digest(step):
    return step_digest(step, SCRIPTS)


def test_a_module_depends_on_what_it_imports_and_on_nothing_else():
    behind = modules_behind("genreflow.tracks.splits")
    assert {"genreflow.tracks.groups", "genreflow.store.stamp"} <= set(behind)
    assert "genreflow.tracks" in behind, "Python runs the package around a module first"
    assert not {name for name in behind if name.startswith("genreflow.audio")}


def test_readers_of_an_artifact_do_not_depend_on_its_writer():
    for step in ("tracks", "handcrafted", "mel"):
        assert "genreflow.audio.ffmpeg" not in modules_behind(*STEPS[step].modules)
    for model in BUILT_IN.values():
        behind = modules_behind(*STEPS[f"train_{model.name}"].modules)
        assert not [name for name in behind if name.endswith(".extract")]


def test_the_report_draws_and_depends_on_nothing_that_computes():
    behind = modules_behind(*STEPS["report"].modules)
    computing = ("audio", "features", "tracks", "models", "evaluation", "exploration", "training")
    assert not [name for name in behind if name.split(".")[1:2] and name.split(".")[1] in computing]


def test_declarations_count_by_their_values_alone():
    entries = {name for step in STEPS.values() for name in step.modules}
    ours = {name for name in entries if name.startswith("genreflow.")}  # not of installed packages
    behind = set(modules_behind(*ours))
    assert not {name for name in behind if is_declaration(name)}
    assert is_declaration("genreflow.params")
    assert is_declaration("genreflow.registry.cnn")
    assert not is_declaration("genreflow.lineage")


def test_a_models_title_counts_for_the_report_and_its_files_for_its_training():
    report, training = STEPS["report"], STEPS["train_cnn"]
    assert MODELS["cnn"].title in str(report.facts)
    assert MODELS["cnn"].title not in str(training.facts)
    assert MODELS["cnn"].title in report.facts["models"]["cnn"]
    assert digest(replace(report, facts={"models": {}})) != digest(report)
    assert digest(replace(training, facts={})) != digest(training)


def test_every_step_has_its_own_digest_and_it_is_the_same_in_every_process(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    code = "from genreflow.code import code_digests; print(code_digests())"
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    digests = code_digests()
    assert other.stdout.strip() == str(digests)
    assert len(set(digests.values())) == len(STEPS)


def test_an_unknown_module_is_an_error():
    with pytest.raises(CodeError, match=r"genreflow\.nothing"):
        modules_behind("genreflow.nothing")


def test_a_missing_script_is_named(tmp_path):
    with pytest.raises(CodeError, match=r"splits\.py: can't be read"):
        step_digest(STEPS["splits"], tmp_path)
