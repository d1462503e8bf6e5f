"""dvc.yaml and the Snakefile describe one graph: stages = rules, deps = inputs, outs = outputs."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from dvc.repo import Repo

from genreflow import registry
from genreflow.code import modules_behind
from genreflow.params import load
from tests.conftest import ROOT, Project

CODE = {
    "demo": ["genreflow.corpus.demo"],
    "audio": ["genreflow.audio", "genreflow.corpus.scan"],
    "tracks": ["genreflow.tracks"],
    "handcrafted": ["genreflow.features.handcrafted"],
    "mel": ["genreflow.features.mel"],
    "splits": ["genreflow.splits"],
    "evaluate": ["genreflow.evaluation.run"],
    "leakage": ["genreflow.evaluation.naive", registry.module_name("xgb_mel")],
    "report": ["genreflow.report.build"],
    **{
        f"train_{model}": ["genreflow.training", registry.module_name(model)]
        for model in registry.MODELS
    },
}
NOT_TRACKED = {"report": "shows timings"}


@dataclass
class Rule:
    """What all jobs of a rule read and write."""

    inputs: set[str]
    outputs: set[str]
    params: list
    code: str
    script: str


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project.create(tmp_path_factory.mktemp("graph") / "project")
    (project.folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return project


@pytest.fixture(scope="module")
def rules(project):
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import (
        DAGSettings,
        ExecutionSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
    )

    found = defaultdict(lambda: Rule(set(), set(), [], "", ""))
    with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            snakefile=project.folder / "Snakefile",
            workdir=project.folder,
        )
        workflow.dag(DAGSettings(forceall=True)).execute_workflow(
            executor="dryrun", execution_settings=ExecutionSettings(lock=False)
        )
        for job in workflow._workflow.dag.jobs:
            if job.rule.name == "all":
                continue
            rule = found[job.rule.name]
            rule.inputs |= set(map(str, job.input))
            rule.outputs |= set(map(str, job.output))
            rule.params = [value for value in job.params if isinstance(value, dict)]
            rule.code = job.params.code
            rule.script = f"workflow/scripts/{Path(job.rule.script).name}"
    return dict(found)


@pytest.fixture(scope="module")
def stages(project):
    with Repo(str(project.folder)) as repo:
        return {stage.name.replace("@", "_"): stage for stage in repo.index.stages if stage.name}


def within(path, folder):
    return path == folder or path.startswith(f"{folder}/")


def files_of(deps, project):
    """Expand the source folders among the dependencies."""
    for dep in deps:
        path = project.folder / dep
        if dep.startswith("src/"):
            yield from sorted(path.glob("*.*")) if path.is_dir() else [path]


def paths(edges):
    return [str(edge) for edge in edges if type(edge).__name__ != "ParamsDependency"]


def test_every_rule_is_a_stage_and_every_stage_a_rule(rules, stages):
    assert set(rules) == set(stages)


def test_each_command_runs_its_rule_and_no_other(stages):
    for name, stage in stages.items():
        words = stage.cmd.split()
        allowed = words[words.index("--allowed-rules") + 1 : words.index("--")]
        assert set(allowed) - {f"all_{name}"} == {name}
        assert words[words.index("--") + 1 :] == [f"all_{name}" if len(allowed) > 1 else name]


def test_stage_outputs_are_rule_outputs(rules, stages):
    for name, stage in stages.items():
        outs = [str(out) for out in stage.outs]
        if name in NOT_TRACKED:
            assert outs == []
            continue
        for path in rules[name].outputs:
            assert sum(within(path, out) for out in outs) == 1, f"{name}: {path}"
        for out in outs:
            assert any(within(path, out) for path in rules[name].outputs), f"{name}: {out}"


def test_stage_dependencies_are_rule_inputs(rules, stages):
    for name, stage in stages.items():
        deps = [dep for dep in paths(stage.deps) if not dep.startswith(("src/", "workflow/"))]
        for path in rules[name].inputs:
            assert any(within(path, dep) for dep in deps), f"{name} lacks the dependency {path}"
        for dep in deps:
            assert any(within(path, dep) for path in rules[name].inputs), f"{name}: {dep}"


def test_stage_parameters_are_rule_parameters(rules, stages, project):
    params = load(project.folder / "params.yaml")
    for name, stage in stages.items():
        listed = [
            section
            for dep in stage.deps
            if type(dep).__name__ == "ParamsDependency"
            for section in dep.params
        ]
        sections = [name for name in listed if not name.startswith("corpus.")]
        assert [params.section(section) for section in sections] == rules[name].params, name


def test_code_and_script_are_dependencies(rules, stages, project):
    lines = []
    for name, stage in stages.items():
        deps = paths(stage.deps)
        expected = {path.relative_to(ROOT).as_posix() for path in modules_behind(*CODE[name])}
        found = {
            path.relative_to(project.folder).as_posix()
            for path in files_of(deps, project)
            if path.name != "__init__.py"
        }
        lines += [f"{name}: add      - {path}" for path in sorted(expected - found)]
        lines += [f"{name}: remove   - {path}" for path in sorted(found - expected)]
        assert rules[name].script in deps
    assert not lines, "dvc.yaml differs from what the code imports:\n" + "\n".join(lines)


def test_the_digest_in_the_rule_is_of_the_code_that_the_stage_lists(rules):
    for name, entries in CODE.items():
        digest = hashlib.sha256()
        for path in modules_behind(*entries):
            digest.update(path.relative_to(ROOT / "src/genreflow").as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        assert rules[name].code == digest.hexdigest()[:16], name


def test_rules_write_what_the_registry_says(rules, project):
    for model, entry in registry.MODELS.items():
        folder = f"results/models/{model}/0"
        assert rules[f"train_{model}"].outputs == {f"{folder}/{name}" for name in entry.files}
