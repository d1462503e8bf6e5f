"""dvc.yaml and the Snakefile describe one graph: stages = rules, deps = inputs, outs = outputs."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from genreflow.params import Params, load
from genreflow.registry import FEATURES, MODELS
from genreflow.steps import STEPS, own_sections, takes_part
from tests.conftest import HELPERS, ROOT, Project, pretend_encoders

pytestmark = pytest.mark.workflow

NOT_TRACKED = {"report": "shows timings"}
BY_CONTENT = {"data/unknown": "strangers"}
"""What DVC reads as it lies there, and Snakemake by a digest: the demo has its rule."""

CODE, INPUTS = "workflow/code.json", "workflow/inputs.json"


@dataclass
class Rule:
    """What all jobs of a rule read and write, and the parameters of one of them."""

    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    costs: set[str] = field(default_factory=set)
    params: list = field(default_factory=list)
    wildcards: dict = field(default_factory=dict)
    code: str = ""
    script: str = ""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project.create(tmp_path_factory.mktemp("graph") / "project")
    (project.folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    project.edit(**{"evaluation.models": list(MODELS)})
    pretend_encoders(project)
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

    found = defaultdict(Rule)
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
            rule.costs.add(str(job.output.cost))
            rule.outputs |= set(map(str, job.output)) - rule.costs
            rule.params = [value for value in job.params if isinstance(value, dict)]
            rule.wildcards = job.wildcards_dict
            rule.code = job.params.code
            rule.script = Path(job.rule.script).stem
    return dict(found)


@pytest.fixture(scope="module")
def stages(project):
    """All stages that are rules, by the name of the rule."""
    from dvc.repo import Repo

    names = {step.stage: step.name for step in STEPS.values()}
    with Repo(str(project.folder)) as repo:
        named = {stage.name: stage for stage in repo.index.stages}
    assert {name for name in named if name not in names} == HELPERS
    return {names[name]: stage for name, stage in named.items() if name in names}


def within(path, folder):
    return path == folder or path.startswith(f"{folder}/")


def paths(edges):
    return [str(edge) for edge in edges if type(edge).__name__ != "ParamsDependency"]


def parameters(stage, file="params.yaml"):
    """Return what a stage compares of a file of parameters."""
    return [
        name
        for dep in stage.deps
        if type(dep).__name__ == "ParamsDependency" and str(dep) == file
        for name in dep.params
    ]


def test_steps_rules_and_stages_are_the_same(rules, stages):
    assert set(rules) == set(stages) == set(STEPS)
    assert {name: rule.script for name, rule in rules.items()} == {
        step.name: step.script for step in STEPS.values()
    }


def test_each_command_runs_its_rule_and_no_other(stages):
    for name, stage in stages.items():
        command = stage.cmd[-1] if isinstance(stage.cmd, list) else stage.cmd
        program, rule, *target = command.split()
        assert program == "workflow/stage.sh"
        assert rule == name
        assert target in ([], [f"all_{name}"])


def test_stage_outputs_are_rule_outputs(rules, stages):
    for name, stage in stages.items():
        outs = [str(out) for out in stage.outs]
        if name in NOT_TRACKED:
            assert outs == []
            continue
        outs = [out.removeprefix("../") for out in outs]
        for path in rules[name].outputs:
            assert sum(within(path, out) for out in outs) == 1, f"{name}: {path}"
        for out in outs:
            assert any(within(path, out) for path in rules[name].outputs), f"{name}: {out}"


def test_every_job_says_what_it_cost_where_the_table_of_steps_says(rules):
    for name, rule in rules.items():
        jobs = [Path(path).stem for path in rule.costs] if STEPS[name].per else [None]
        assert rule.costs == {f"results/{STEPS[name].cost(job)}" for job in jobs}


def test_stage_dependencies_are_rule_inputs(rules, stages):
    """But for features, which trainings see through the digests of the stage `inputs`."""
    for name, stage in stages.items():
        deps = paths(stage.deps)
        inputs = {path for path in rules[name].inputs if not path.startswith("results/benchmarks/")}
        if name.startswith(("train_", "refit_")):
            model = name.partition("_")[2]
            assert parameters(stage, INPUTS) == [model]
            for kind in MODELS[model].reads:
                read = {path for path in inputs if within(path, f"results/features/{kind}")}
                assert read
                inputs -= read
        for path in inputs:
            assert any(within(path, dep) for dep in deps), f"{name} lacks the dependency {path}"
        for dep in deps:
            known = BY_CONTENT.get(dep) == name
            assert known or any(within(path, dep) for path in inputs), f"{name}: {dep}"


def test_what_no_rule_makes_is_read_by_digest_alone(rules):
    """Every file that a job reads is made by another job, or is the user's."""
    made = {path for rule in rules.values() for path in rule.outputs | rule.costs}
    for name, rule in rules.items():
        strange = {path for path in rule.inputs if path not in made}
        assert strange <= {"data/groups.csv", "data/roles.csv"}, name


def test_parameters_of_rules_and_stages_are_those_of_the_step(rules, stages, project):
    params = load(project.folder / "params.yaml")
    every_kind = {kind.section for kind in FEATURES.values()}
    for name, step in STEPS.items():
        named = [*step.settings, *step.sections]
        if name == "changed":  # to which the digest of its code says how features are made
            named = [one for one in named if one not in every_kind]
        assert parameters(stages[name]) == named, name
        own = params
        if step.per == "family":  # which knows nothing of the others
            own = params.of_family(rules[name].wildcards["family"])
        assert rules[name].params == [own.section(section) for section in step.sections], name


def test_both_tools_compare_the_digest_of_the_steps_code(rules, stages, project):
    project.run("workflow/genreflow.sh", "workflow", "code")
    digests = json.loads((project.folder / CODE).read_text())
    assert digests == {name: rule.code for name, rule in rules.items()}
    for name, stage in stages.items():
        assert parameters(stage, CODE) == [name]


def test_steps_read_what_they_need(rules):
    """An edge in the table is a file that goes from one rule to the other, and the reverse."""
    maker = {path: name for name, rule in rules.items() for path in rule.outputs}
    for name, step in STEPS.items():
        read = {maker[path] for path in rules[name].inputs if path in maker}
        assert read <= upstream(name), name
        assert set(step.needs) - {"splits"} <= read or name == "evaluate", name


def upstream(name):
    needs = set(STEPS[name].needs)
    return needs.union(*(upstream(need) for need in needs))


def test_rules_write_what_the_registry_says(rules):
    for model, entry in MODELS.items():
        folder = f"results/models/{model}/0"
        assert rules[f"train_{model}"].outputs == {f"{folder}/{name}" for name in entry.files}


def test_only_the_models_that_are_compared_take_part():
    params = Params.model_validate({"evaluation": {"models": ["xgb_mel", "cnn"]}})
    trained = {name for name in STEPS if name.startswith("train_") and takes_part(name, params)}
    assert trained == {"train_xgb_mel", "train_cnn"}
    asked = {name for name in STEPS if name.startswith("robustness_") and takes_part(name, params)}
    assert asked == {"robustness_xgb_mel", "robustness_cnn"}


def test_features_that_no_compared_model_reads_take_no_part():
    assert not takes_part("embedding", Params())
    assert "features.embedding" not in own_sections(STEPS["changed"], Params())
    asked = Params.model_validate({"evaluation": {"models": ["xgb_mel", "svm_fusion"]}})
    assert takes_part("embedding", asked)
    assert "features.embedding" in own_sections(STEPS["changed"], asked)
    assert takes_part("handcrafted", Params())


def test_where_near_duplicates_are_not_looked_for_nothing_is_fingerprinted():
    assert takes_part("fingerprints", Params())
    off = Params.model_validate({"tracks": {"near_duplicates": False}})
    assert not takes_part("fingerprints", off)


def test_switched_off_nothing_is_changed_or_asked():
    evaluated = {"models": list(MODELS)}
    params = Params.model_validate({"evaluation": evaluated, "robustness": {"enabled": False}})
    steps = {name for name in STEPS if not takes_part(name, params)}
    assert steps == {"changed", *(f"robustness_{model}" for model in MODELS)}


def test_dvc_yaml_is_short_and_names_no_module():
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 220
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert ".py" not in "".join(lines)
