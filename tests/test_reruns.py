"""Both tools rerun the same steps after an edit, and exactly those that the edit affects."""

import os
import random
import shutil

import pytest
import yaml

from tests import reruns
from tests.conftest import Project, downstream, outdated_stages, plan, stage_graph

OTHER = {
    "corpus.root": "data/elsewhere",
    "corpus.groups": "data/other_groups.csv",
    "splits.file": "data/other_roles.csv",
    "splits.strategy": "kfold",
    "audio.min_seconds": 2.0,
    "audio.max_seconds": 20.0,
    "features.handcrafted.set": "extended",
    "features.mel.fmin": 20.0,
    "features.mel.fmax": 8000.0,
    "features.mel.window_seconds": 1.0,
    "models.resnet50.weights": "imagenet",
    "models.svm_handcrafted.kernel": ["linear"],
    "models.cnn.filters": [8, 8, 8, 8, 8],
    **{f"models.{model}.optimizer": "sgd" for model in ("cnn", "lstm", "resnet50")},
    "evaluation.models": ["xgb_mel", "cnn"],
}

OTHER_FILES = {"corpus.shards_per_genre", "splits.strategy"}
"""Other shards or folds are other files: every rule that makes them has a reason of its own."""


def another(name, value):
    """Return a valid value of the parameter that differs from its default."""
    if name in OTHER:
        return OTHER[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return value[:-1] or [value[0] + 1]
    if isinstance(value, str):
        return f"{value}!"
    return value + 1 if isinstance(value, int) else value * 0.9


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Project:
    """A project whose every output is there, empty, and vouched for by both tools.

    What reruns doesn't depend on what the files hold, so nothing needs to be computed.
    """
    project = Project.create(tmp_path_factory.mktemp("reruns") / "project")
    shutil.copy2(schema_defaults(project), project.folder / "params.yaml")
    (project.folder / "data/other_groups.csv").write_text("track_id,group\n")
    (project.folder / "data/other_roles.csv").write_text("track_id,role\n")
    make_everything_up(project)
    return project


def schema_defaults(project):
    path = project.folder.parent / "defaults.yaml"
    path.write_text(schema.default_yaml(), encoding="utf-8")
    return path


def make_everything_up(project):
    from genreflow.corpus.demo.styles import STYLES

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
    project.snakemake("--touch", "--forceall", "--quiet", "all", cores=1)
    project.run("dvc", "commit", "--force", "--quiet", "report", "--with-deps")
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


def stage_names(rules):
    return {rule.replace("train_", "train@", 1) for rule in rules}


@pytest.mark.workflow
@pytest.mark.parametrize(("name", "value"), list(schema.leaves()), ids=lambda v: str(v)[:40])
def test_an_edited_parameter_reruns_what_lies_downstream_in_both_tools(edited, name, value):
    edited.edit(**{name: another(name, value)})
    expected = set(reruns.rules_for(name))
    if name == "evaluation.models":
        expected &= {"evaluate", "report"}
    planned = plan(edited)
    assert set(planned.jobs) == expected
    direct = outdated_stages(edited)
    if name in OTHER_FILES:
        assert direct < stage_names(planned.own_reasons)
    else:
        assert direct == stage_names(planned.own_reasons)
    assert downstream(edited, direct) == stage_names(expected)


@pytest.mark.workflow
def test_jobs_are_counted_by_shard_and_fold(edited):
    edited.edit(**{"splits.strategy": "kfold", "features.mel.n_mels": 64})
    jobs = plan(edited).jobs
    assert jobs["mel"] == 10
    assert jobs["train_cnn"] == 5
    assert "audio" not in jobs


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
    assert set(planned.jobs) == set(reruns.AUDIO)
    assert [planned.jobs[rule] for rule in ("audio", "handcrafted", "mel")] == [1, 1, 1]
    assert outdated_stages(project) == {"audio"}
    assert downstream(project, {"audio"}) == stage_names(reruns.AUDIO)


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
        assert set(plan(edited).jobs) == set(reruns.SPLITS)
        assert outdated_stages(edited) == {"splits"}
    finally:
        path.write_bytes(before)


MODULES = {
    "corpus/synth.py": ["demo", *reruns.AUDIO],
    "decoding.py": reruns.AUDIO,
    "duplicates.py": reruns.TRACKS,
    "splits.py": reruns.SPLITS,
    "features/mel.py": reruns.RERUNS["features.mel"],
    "features/handcrafted.py": reruns.RERUNS["features.handcrafted"],
    "models/cnn.py": reruns.RERUNS["models.cnn"],
    "models/xgb_mel.py": reruns.RERUNS["models.xgb_mel"],
    "models/grid.py": [*reruns.train(*reruns.TABLE_MODELS), *reruns.EVALUATE],
    "evaluation/naive.py": ["leakage", "report"],
    "report/templates/page.css": reruns.REPORT,
    "training.py": [*reruns.train(*reruns.MODELS), *reruns.EVALUATE],
    "evaluation/metrics.py": ["leakage", *reruns.EVALUATE],
    "evaluation/intervals.py": reruns.EVALUATE,
    "report/page.py": reruns.REPORT,
    "cli.py": [],
}


@pytest.mark.workflow
@pytest.mark.parametrize("module", MODULES)
def test_an_edited_module_reruns_the_steps_that_import_it(finished, module):
    path = finished.folder / "src/genreflow" / module
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    try:
        said = finished.run("snakemake", "--cores", "1", "--dry-run", "--quiet", "rules")
        from tests.conftest import parse_plan

        planned = parse_plan(said.stdout + said.stderr)
        assert set(planned.jobs) == set(MODULES[module])
        direct = outdated_stages(finished)
        assert downstream(finished, direct) == stage_names(MODULES[module])
    finally:
        path.write_bytes(before)


def test_the_page_shows_the_table_that_is_tested():
    assert reruns.PAGE.read_text(encoding="utf-8") == reruns.render(), (
        "run `python -m tests.reruns`"
    )
