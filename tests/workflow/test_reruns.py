"""Both tools rerun the same steps after an edit, and exactly those that the edit affects."""

import os
import random
import re
import shutil
from collections import defaultdict
from typing import Literal, get_args, get_origin

import pytest
import yaml
from pydantic import ValidationError

from genreflow import generate
from genreflow.code import IN_EVERY_JOB, is_declaration, modules_behind
from genreflow.params import Params, parse
from genreflow.registry import MODELS, changes
from genreflow.steps import STEPS, takes_part
from genreflow.steps import downstream as steps_downstream
from tests.conftest import (
    HELPERS,
    ROOT,
    Project,
    digest_code,
    downstream,
    outdated_stages,
    plan,
    plan_anew,
    pretend_encoders,
    stage_graph,
    stages_to_rerun,
)

SVMS = ("svm_handcrafted", "svm_embedding", "svm_fusion")

OTHER = {
    "corpus.root": "data/elsewhere",
    "corpus.labels": "data/other_labels.csv",
    "corpus.groups": "data/other_groups.csv",
    "corpus.group_pattern": "^(.*)/",
    "splits.file": "data/other_roles.csv",
    "audio.start": "middle",
    "audio.min_seconds": 2.0,
    "audio.max_seconds": 20.0,
    "audio.augment": ["band"],
    "features.mel.fmin": 20.0,
    "features.mel.fmax": 8000.0,
    "features.mel.window_seconds": 1.0,
    "models.resnet50.weights": "imagenet",
    "models.lstm.filters": [8, 8, 8],
    "models.cnn.filters": [8, 8, 8, 8, 8],
    **{f"models.{model}.kernel": ["linear"] for model in SVMS},
    **{f"models.{model}.shrinkage": [0.5] for model in SVMS},
    "features.embedding.overlap": 0.5,
    "features.embedding.encoder": ["vgg-mtt"],
    "evaluation.models": ["xgb_mel", "cnn", "svm_embedding"],
}

"""Other values than the defaults, where :func:`another` wouldn't find one that is allowed."""

OTHER_FILES = {
    "corpus.shards_per_genre",
    "splits.strategy",
    "splits.repeats",
    "evaluation.models",
    "robustness.enabled",
}
"""Other shards, folds, models or steps are other files: what makes them has its own reason."""

NOTHING_NEW = {f"models.{model}.seeds": {f"robustness_{model}"} for model in MODELS}
"""Steps for which nothing is new after the edit in Snakemake, which knows each file."""

READ_TWICE = {
    "corpus.root",
    "corpus.labels",
    "tracks.near_duplicates",
    "unknown.enabled",
    "unknown.folder",
}
"""Two steps of one path read it; Snakemake gives the later one the earlier one's reason."""


def choices(name):
    """Return what the parameter may be, where that is a choice between a few."""
    section, _, field = name.rpartition(".")
    annotation = type(Params().at(section)).model_fields[field].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def another(name, value):
    """Return a valid value of the parameter that differs from its default."""
    if name in OTHER:
        return OTHER[name]
    if others := [choice for choice in choices(name) if choice != value]:
        return others[0]
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return value[:-1] or [value[0] + 1]
    if isinstance(value, str):
        return f"{value}!"
    return value + 1 if isinstance(value, int) else value * 0.9


EDITABLE = {name: value for name, value in generate.leaves().items() if choices(name) != (value,)}
"""All parameters but those that can't be anything else, as the class weight of some models."""


@pytest.mark.parametrize(("name", "value"), EDITABLE.items(), ids=lambda v: str(v)[:40])
def test_every_parameter_has_another_value(name, value):
    """A model's own too: what is asked for here is said in CONTRIBUTING.md, "Add a parameter"."""
    other = another(name, value)
    assert other != value
    section, _, field = name.rpartition(".")
    found = Params().at(section)
    try:
        type(found).model_validate(found.model_dump() | {field: other})
    except ValidationError as error:
        pytest.fail(f"{name}: {other!r} isn't allowed; list another value in OTHER ({error})")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Project:
    """A project whose every output is there, empty, and vouched for by both tools.

    What reruns doesn't depend on what the files hold, so nothing needs to be computed.
    """
    project = Project.create(tmp_path_factory.mktemp("reruns") / "project")
    shutil.copy2(schema_defaults(project), project.folder / "params.yaml")
    (project.folder / "data/other_groups.csv").write_text("track_id,group\n")
    (project.folder / "data/other_roles.csv").write_text("track_id,role\n")
    (project.folder / "data/other_labels.csv").write_text("path,genre\n")
    make_everything_up(project)
    return project


def schema_defaults(project):
    path = project.folder.parent / "defaults.yaml"
    every_model = parse({"evaluation": {"models": list(MODELS)}})
    path.write_text(generate.params_yaml(every_model), encoding="utf-8")
    return path


def make_everything_up(project):
    from genreflow.corpus.demo.styles import STYLES

    pretend_encoders(project)
    root = project.params["corpus"]["root"]
    for genre in STYLES:
        for base in {root, "data/elsewhere"}:
            folder = project.folder / base / genre
            folder.mkdir(parents=True, exist_ok=True)
            for n in range(3):
                (folder / f"{n}.wav").write_text(f"{genre} {n}")
    for job in planned_outputs(project):
        path = project.folder / job
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True) if "." not in path.name else path.touch()
    # Without the look at stamps, which empty files don't have.
    project.snakemake("--touch", "--forceall", "--no-hooks", "--quiet", "all", cores=1)
    digest_code(project)
    project.run("workflow/genreflow.sh", "workflow", "inputs")
    project.run("dvc", "commit", "--force", "--quiet", "report", "release", "--with-deps")
    assert plan(project).jobs == {}
    assert outdated_stages(project) == set()
    stage_graph(project)  # remember the graph as it is before any edit


def planned_outputs(project):
    listed = project.run("snakemake", "--cores", "1", "--forceall", "--summary").stdout
    return [line.split("\t")[0] for line in listed.splitlines()[1:] if "\t" in line]


@pytest.fixture
def edited(finished):
    """The finished project; its parameters and data are put back afterwards."""
    before = (finished.folder / "params.yaml").read_bytes()
    yield finished
    (finished.folder / "params.yaml").write_bytes(before)
    digest_code(finished)  # brings back what other parameters put aside


def stage_names(steps):
    return {STEPS[step].stage for step in steps}


@pytest.mark.workflow
@pytest.mark.parametrize(("name", "value"), EDITABLE.items(), ids=lambda v: str(v)[:40])
def test_an_edited_parameter_reruns_what_lies_downstream_in_both_tools(edited, name, value):
    edited.edit(**{name: another(name, value)})
    expected = set(generate.reruns(name))
    planned = plan(edited)
    params = parse(edited.params)
    made = {step for step in expected if takes_part(step, params)}
    assert set(planned.jobs) == made - NOTHING_NEW.get(name, set())
    direct = stages_to_rerun(edited)
    if name not in OTHER_FILES | READ_TWICE:
        assert direct == stage_names(planned.own_reasons)
    assert downstream(edited, direct) == stage_names(expected)


@pytest.mark.workflow
def test_features_that_no_model_reads_are_not_extracted_whatever_is_edited_of_them(edited):
    plain = parse({}).evaluation.models
    edited.edit(**{"evaluation.models": plain})
    planned = plan(edited).jobs
    judging = (f"robustness_{m}" for m in plain)
    assert set(planned) == {"changed", *judging, "evaluate", "report", "release"}
    stages = stages_to_rerun(edited)
    assert stages == {"features@embedding", "changed", "evaluate", "release"}
    edited.edit(**{"features.embedding.encoder": ["vgg-mtt"]})
    assert plan(edited).jobs == planned
    assert stages_to_rerun(edited) == stages


@pytest.mark.workflow
def test_jobs_are_counted_by_shard_and_fold(edited):
    edited.edit(**{"splits.strategy": "kfold", "features.mel.n_mels": 64})
    jobs = plan(edited).jobs
    assert jobs["mel"] == 10
    assert jobs["train_cnn"] == 5
    assert "audio" not in jobs


@pytest.mark.workflow
def test_another_change_is_the_job_of_its_family_and_the_judgement_of_all_models(edited):
    edited.edit(**{"robustness.changes": [name for name in changes.CHANGES if name != "mp3_64"]})
    jobs = plan(edited).jobs
    judging = [f"robustness_{model}" for model in MODELS]
    assert jobs == dict.fromkeys(["changed", *judging, "evaluate", "report", "release"], 1)


@pytest.mark.workflow
def test_another_model_judges_the_same_changed_tracks(edited):
    edited.edit(**{"models.cnn.dropout": 0.5})
    jobs = plan(edited).jobs
    then = ["refit_cnn", "evaluate", "report", "release"]
    assert jobs == dict.fromkeys(["train_cnn", "robustness_cnn", *then], 1)
    edited.edit(**{"models.cnn.dropout": 0.3, "models.cnn.seeds": 2})
    assert plan(edited).jobs == dict.fromkeys(["train_cnn", *then], 1)


@pytest.mark.workflow
def test_every_fold_may_be_asked(edited):
    edited.edit(**{"splits.strategy": "kfold", "robustness.folds": "all"})
    assert plan(edited).jobs["changed"] == len(changes.FAMILIES)
    assert plan(edited).jobs["robustness_cnn"] == 1


@pytest.mark.workflow
def test_order_and_comments_of_the_parameters_do_not_matter(edited):
    def shuffled(values):
        if not isinstance(values, dict):
            return values
        keys = random.Random(1).sample(list(values), len(values))
        return {key: shuffled(values[key]) for key in keys}

    text = "# a remark\n" + yaml.safe_dump(shuffled(edited.params), sort_keys=False)
    (edited.folder / "params.yaml").write_text(text)
    assert plan(edited).jobs == {}
    assert outdated_stages(edited) == set()


@pytest.fixture(scope="module")
def own_corpus(tmp_path_factory) -> Project:
    project = Project.create(tmp_path_factory.mktemp("own corpus") / "project")
    shutil.copy2(schema_defaults(project), project.folder / "params.yaml")
    project.edit(**{"corpus.root": "data/mine"})
    make_everything_up(project)
    return project


@pytest.fixture
def corpus(own_corpus):
    """The folder of the blues tracks; put back afterwards, with its dates."""
    folder, kept = own_corpus.folder / "data/mine/blues", own_corpus.folder.parent / "kept"
    shutil.copytree(folder, kept)
    yield own_corpus, folder
    shutil.rmtree(folder)
    shutil.move(kept, folder)


def replace(folder):
    (folder / "0.wav").write_text("another recording")


def replace_by_an_older_file(folder):
    (folder / "0.wav").write_text("blues x")
    os.utime(folder / "0.wav", (0, 0))


FILE_EDITS = {
    "added": lambda folder: (folder / "new.flac").write_text("new"),
    "removed": lambda folder: (folder / "1.wav").unlink(),
    "renamed": lambda folder: (folder / "1.wav").rename(folder / "one.wav"),
    "replaced": replace,
    "replaced by an older file": replace_by_an_older_file,
}


@pytest.mark.workflow
@pytest.mark.parametrize("edit", FILE_EDITS)
def test_an_edited_audio_file_reruns_its_shard_and_what_follows(corpus, edit):
    project, folder = corpus
    FILE_EDITS[edit](folder)
    planned = plan(project)
    assert set(planned.jobs) == steps_downstream({"audio"})
    extracted = ("audio", "handcrafted", "mel", "embedding", "fingerprints")
    assert [planned.jobs[rule] for rule in extracted] == [1, 1, 1, 1, 1]
    assert outdated_stages(project) == {"audio"}
    assert downstream(project, {"audio"}) == stage_names(steps_downstream({"audio"}))


@pytest.mark.workflow
def test_a_touched_audio_file_reruns_nothing(corpus):
    project, folder = corpus
    (folder / "0.wav").touch()
    (folder / ".DS_Store").write_text("made by a file browser")
    assert plan(project).jobs == {}
    assert outdated_stages(project) == set()


@pytest.mark.workflow
@pytest.mark.parametrize("name", ["groups", "roles"])
def test_an_edited_listing_reruns_the_splits(edited, name):
    path = edited.folder / f"data/{name}.csv"
    before = path.read_bytes()
    path.write_bytes(before + b"blues/0.wav,train\n")
    os.utime(path, (0, 0))
    try:
        assert set(plan(edited).jobs) == set(generate.reruns("splits"))
        assert outdated_stages(edited) == {"splits"}
    finally:
        path.write_bytes(before)


@pytest.mark.workflow
def test_sounds_of_no_genre_rerun_what_hears_them_by_their_content(edited):
    heard = steps_downstream({"strangers"})
    assert heard == {"strangers", "unknown", "report"}
    folder = edited.folder / "data/unknown"
    sound = folder / "speech" / "a.wav"
    sound.parent.mkdir()
    try:
        sound.write_text("speech")
        assert set(plan(edited).jobs) == heard
        assert outdated_stages(edited) == {"strangers"}
        (folder / ".DS_Store").write_text("made by a file browser")
        sound.unlink()
        sound.parent.rmdir()
        assert plan(edited).jobs == {}
        assert outdated_stages(edited) == set()
    finally:
        shutil.rmtree(sound.parent, ignore_errors=True)
        (folder / ".DS_Store").unlink(missing_ok=True)


@pytest.mark.workflow
def test_there_need_be_no_folder_of_sounds(edited):
    edited.edit(**{"unknown.folder": "data/nowhere"})
    assert set(plan(edited).jobs) == {"strangers", "unknown", "report"}
    digest_code(edited)
    assert (edited.folder / "data/nowhere").is_dir(), "DVC wants every dependency to exist"
    (edited.folder / "data/nowhere").rmdir()


@pytest.fixture(scope="module")
def by_table(tmp_path_factory) -> Project:
    """A project whose genres a table says, and not the folders."""
    from genreflow.corpus.demo.styles import STYLES

    project = Project.create(tmp_path_factory.mktemp("by table") / "project")
    shutil.copy2(schema_defaults(project), project.folder / "params.yaml")
    project.edit(**{"corpus.root": "data/mine", "splits.strategy": "predefined"})
    rows = [
        f"{style}/{n}.wav,{style.title()},artist {n},train" for style in STYLES for n in range(3)
    ]
    write_labels(project, ["path,genre,group,role", *rows])
    make_everything_up(project)
    return project


def write_labels(project, lines):
    (project.folder / "data/labels.csv").write_text("\n".join([*lines, ""]))


def relabel(lines):
    return [line.replace("blues/0.wav,Blues", "blues/0.wav,Metal") for line in lines]


def regroup(lines):
    return [line.replace("artist 0", "artist 1") for line in lines]


def reassign(lines):
    return [
        line.replace("blues/0.wav,Blues,artist 0,train", "blues/0.wav,Blues,artist 0,test")
        for line in lines
    ]


def shuffle_and_annotate(lines):
    return [f"{line},a remark" for line in (lines[0], *reversed(lines[1:]))]


def leave_out(lines):
    return [line for line in lines if not line.startswith("blues/0.wav")]


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("edit", "steps", "shards"),
    [
        (relabel, ["audio"], 2),
        (leave_out, ["audio", "splits"], 1),
        (regroup, ["splits"], 0),
        (reassign, ["splits"], 0),
        (shuffle_and_annotate, [], 0),
    ],
)
def test_an_edited_table_of_labels_reruns_what_it_says_something_new_to(
    by_table, edit, steps, shards
):
    path = by_table.folder / "data/labels.csv"
    before = path.read_bytes()
    write_labels(by_table, edit(before.decode().splitlines()))
    os.utime(path, (0, 0))
    try:
        planned = plan(by_table).jobs
        assert set(planned) == steps_downstream(set(steps))
        assert planned.get("audio", 0) == planned.get("mel", 0) == shards
        assert stages_to_rerun(by_table) == set(steps)
        assert "code" in outdated_stages(by_table), "DVC sees that the table has changed"
    finally:
        path.write_bytes(before)
        digest_code(by_table)


PACKAGE = ROOT / "src/genreflow"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def module_name(path):
    parts = path.removesuffix(".py").split("/")
    return ".".join(["genreflow", *(part for part in parts if part != "__init__")])


def steps_of(module):
    """Return the steps whose code a module belongs to, and those that follow."""
    behind = {name: modules_behind(*step.modules, *IN_EVERY_JOB) for name, step in STEPS.items()}
    return steps_downstream({name for name, modules in behind.items() if module in modules})


def alike():
    """Return the modules that belong to the same steps, for each such set of steps."""
    found = defaultdict(list)
    for path in MODULES:
        found[frozenset(steps_of(module_name(path)))].append(path)
    return list(found.values())


@pytest.fixture
def sources(finished):
    """Write sources of the finished project; they are put back afterwards."""
    before = {}

    def edit(path, change):
        file = finished.folder / "src/genreflow" / path
        before[file] = file.read_bytes()
        text = file.read_text(encoding="utf-8")
        changed = change(text)
        assert changed != text
        file.write_text(changed, encoding="utf-8")

    yield edit
    for file, content in before.items():
        file.write_bytes(content)


def check_dvc(project, expected):
    project.run("workflow/genreflow.sh", "workflow", "code")
    direct = outdated_stages(project) - HELPERS
    assert downstream(project, direct) == stage_names(expected)


def check_both_tools(project, expected):
    assert set(plan_anew(project)) == expected
    check_dvc(project, expected)


def add_statement(text):
    return f"{text}\n_EDITED = 1\n"


@pytest.mark.workflow
@pytest.mark.parametrize("path", MODULES)
def test_a_statement_reruns_the_steps_whose_code_it_belongs_to(finished, sources, path):
    sources(path, add_statement)
    check_dvc(finished, steps_of(module_name(path)))


@pytest.mark.workflow
@pytest.mark.parametrize(
    "paths", alike(), ids=lambda paths: f"{paths[0]} and {len(paths) - 1} more"
)
def test_snakemake_reruns_no_more_and_no_less(finished, sources, paths):
    """Modules of the same steps in one plan: Snakemake compares the digests that DVC compares."""
    for path in paths:
        sources(path, add_statement)
    assert set(plan_anew(finished)) == steps_of(module_name(paths[0]))


@pytest.mark.workflow
def test_comments_docstrings_layout_and_annotations_rerun_nothing(finished, sources):
    def reword(text):
        text = re.sub(r'^"""', '"""In other words: ', text, count=1)
        text = re.sub(r"^from __future__ import annotations$", "\\g<0>  # why", text, flags=re.M)
        text = re.sub(r": Path\b(?=[,)])", ": object", text)
        return f"# A remark.\n\n\n{text}\n# Another.\n"

    for path in MODULES:
        sources(path, reword)
    check_both_tools(finished, set())


DECLARED = {
    "a description": ("params.py", "Seed of the shuffle.", set()),
    "a default that params.yaml overrides": ("registry/lstm.py", "[16, 32, 48]", {"report"}),
    "what a kind of features is called": ("registry/mel.py", "mel windows", {"report"}),
    "the baseline": (
        "registry/__init__.py",
        "BASELINE = xgb_mel.ENTRY.name",
        steps_downstream({"naive", "ungrouped", "corpus_size", "unknown", "evaluate"}),
    ),
    "a title": ("registry/cnn.py", "CNN on mel windows", {"report", "release"}),
    "what a model is": ("registry/lstm.py", "then a bidirectional LSTM", {"report", "release"}),
    "what a job may need": ("registry/entry.py", "memory_mb: int = 3000", set()),
    "a model's files": (
        "registry/xgb_mel.py",
        '("model.xgb.json",)',
        steps_downstream({"train_xgb_mel"}),
    ),
}
CHANGES = {
    "[16, 32, 48]": "[16, 32, 32]",
    "memory_mb: int = 3000": "memory_mb: int = 3001",
    '("model.xgb.json",)': '("model.xgb.json", "notes.txt")',
    "BASELINE = xgb_mel.ENTRY.name": 'BASELINE = "svm_mel"',
}


@pytest.mark.workflow
@pytest.mark.parametrize("what", DECLARED)
def test_declarations_rerun_what_prints_or_uses_them(finished, sources, what):
    path, words, expected = DECLARED[what]
    sources(path, lambda text: text.replace(words, CHANGES.get(words, f"{words} indeed")))
    check_both_tools(finished, expected)


@pytest.mark.workflow
def test_the_decoder_reruns_what_decodes_and_no_reader_for_a_reason_of_its_own(finished, sources):
    sources(
        "audio/ffmpeg.py",
        lambda text: text.replace("SECONDS_TO_WAIT = 300", "SECONDS_TO_WAIT = 301"),
    )
    assert set(plan_anew(finished)) == set(generate.reruns("audio"))
    finished.run("workflow/genreflow.sh", "workflow", "code")
    assert outdated_stages(finished) - HELPERS == {"audio", "strangers", "changed"}


@pytest.mark.workflow
def test_a_script_reruns_its_own_step(finished):
    path = finished.folder / "workflow/scripts/splits.py"
    before = path.read_bytes()
    path.write_bytes(before + b"\nx = 1\n")
    try:
        check_both_tools(finished, set(generate.reruns("splits")))
    finally:
        path.write_bytes(before)


def test_the_table_says_what_follows_from_what():
    judging = [f"robustness_{model}" for model in MODELS]
    of_handcrafted = [name for name, entry in MODELS.items() if "handcrafted" in entry.reads]
    assert {"svm_handcrafted", "xgb_handcrafted", "svm_fusion"} <= set(of_handcrafted)
    assert generate.reruns("report.title") == ["report"]
    assert generate.reruns("evaluation.seed") == ["evaluate", "release", "report"]
    assert generate.reruns("evaluation.confidence") == [
        "corpus_size",
        "chain_audit",
        "evaluate",
        "release",
        "report",
    ]
    assert generate.reruns("models.cnn") == [
        "train_cnn",
        "robustness_cnn",
        "evaluate",
        "refit_cnn",
        "release",
        "report",
    ]
    assert generate.reruns("release.cnn") == ["refit_cnn", "release"]
    assert generate.reruns("features.handcrafted") == [
        "handcrafted",
        *(f"train_{model}" for model in of_handcrafted),
        "strangers",
        "ungrouped",
        "corpus_size",
        "unknown",
        "changed",
        *judging,
        "evaluate",
        *(f"refit_{model}" for model in of_handcrafted),
        "release",
        "explore",
        "report",
    ]
    assert generate.reruns("models.xgb_mel.seed") == [
        "train_xgb_mel",
        "naive",
        "ungrouped",
        "corpus_size",
        "unknown",
        "robustness_xgb_mel",
        "evaluate",
        "refit_xgb_mel",
        "release",
        "report",
    ]
    trainings = [f"train_{model}" for model in MODELS]
    assert generate.reruns("corpus.groups") == [
        "splits",
        *trainings,
        "naive",
        "ungrouped",
        "corpus_size",
        "unknown",
        "changed",
        *judging,
        "chain_audit",
        "evaluate",
        *(f"refit_{model}" for model in MODELS),
        "release",
        "report",
    ]
    assert set(generate.reruns("demo")) == set(STEPS) - {"strangers"}
    assert set(generate.reruns("audio")) == set(STEPS) - {"demo"}
    assert not is_declaration("genreflow.training")
