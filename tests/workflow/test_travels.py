"""Results travel: to a remote and back, from an experiment in a copy, from a branch, by links."""

import hashlib
import re
import shutil
import time

import pytest

from tests import s3, sshd
from tests.conftest import HELPERS, Project, outdated_stages, plan

pytestmark = pytest.mark.workflow
RECORDED = ("report", "release")
"""The stages that all others lead to: what is recorded, whatever the demo is."""


@pytest.fixture(scope="module")
def small(built, tmp_path_factory):
    """A finished run of two cheap models, recorded. Tests that change it work on copies."""
    project = built.copy(tmp_path_factory.mktemp("small") / "my project")
    project.edit(**{"evaluation.models": ["xgb_mel", "svm_mel"], "release.resnet50": False})
    project.snakemake()
    record(project, "Compare two models")
    # The models that were put aside, and what is recorded of them, would be copied each time.
    for leftover in ("results/aside", ".dvc/cache"):
        shutil.rmtree(project.folder / leftover)
    project.run("dvc", "commit", "--force", *RECORDED, "--with-deps")
    return project


@pytest.fixture
def project(small, tmp_path):
    return small.copy(tmp_path / "project")


def record(project, message):
    project.run("bash", "workflow/record.sh")
    project.git("commit", "-qam", message)


def recorded_files(project):
    """Return the digests of all files that DVC records; there are such, too, that it ignores."""
    folder = project.folder / "results"
    no_record = re.compile(
        r"README.md|(logs|benchmarks|aside)/.*|.*\.snakemake_timestamp"
        r"|report/(index|comparison)\..*|report/model_cards/.*"
    )
    names = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in names
        if not no_record.fullmatch(name)
    }


# Remotes


@pytest.fixture
def ssh_remote(tmp_path, monkeypatch):
    pytest.importorskip("dvc_ssh", reason="DVC's plugin isn't installed: pip install 'dvc[ssh]'")
    with sshd.serving(tmp_path) as home:
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        yield f"ssh://{sshd.HOST}{tmp_path}/remote storage", {}


@pytest.fixture
def s3_remote(tmp_path, monkeypatch):
    pytest.importorskip("dvc_s3", reason="DVC's plugin isn't installed: pip install 'dvc[s3]'")
    with s3.serving() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        # DVC reads it itself, and wants a file.
        (tmp_path / "aws.ini").touch()
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws.ini"))
        server.make_bucket("music-lab")
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        yield "s3://music-lab/genreflow", {"endpointurl": server.url}


@pytest.mark.parametrize("kind", ["ssh", "s3"])
def test_a_clone_that_pulls_from_a_server_has_nothing_to_do(small, tmp_path, kind, request):
    url, settings = request.getfixturevalue(f"{kind}_remote")
    ours = Project(tmp_path / "ours")
    small.git("clone", "-q", str(small.folder), str(ours.folder))
    ours.run("dvc", "remote", "add", "-d", "storage", url)
    for name, value in settings.items():
        ours.run("dvc", "remote", "modify", "storage", name, value)
    ours.git("commit", "-qam", "Add a remote")
    ours.run("dvc", "cache", "dir", "--local", str(small.folder / ".dvc/cache"))
    ours.run("dvc", "push", *RECORDED, "--with-deps")
    theirs = Project(tmp_path / "theirs")
    ours.git("clone", "-q", str(ours.folder), str(theirs.folder))
    shutil.copytree(small.folder / "data/tiny", theirs.folder / "data/tiny")
    theirs.run("dvc", "pull", *RECORDED, "--with-deps")
    theirs.run("bash", "workflow/sync.sh")
    assert plan(theirs).jobs == {}
    assert outdated_stages(theirs) == set()
    assert recorded_files(theirs) == recorded_files(small)


# Experiments


def stages_that_ran(said):
    return set(re.findall(r"^Running stage '([\w@]+)'", said, re.M)) - HELPERS


def wait_for_the_queue(project):
    """Wait until no experiment is queued or running, and return the state of each."""
    for _ in range(300):
        said = project.run("dvc", "queue", "status").stdout
        if "Queued" not in said and "Running" not in said:
            return re.findall(r"(?:Success|Failed)", said)
        time.sleep(1)
    raise AssertionError(said)


def test_a_queued_experiment_makes_what_the_same_change_makes_here(project):
    """Its corpus is known neither to Git nor to DVC; its code is what it was queued with."""
    recorded = recorded_files(project)
    wanted = ("dvc", "exp", "run", "--queue", "-n", "gentle", "-S", "models.svm_mel.C=0.3")
    project.run(*wanted, *RECORDED)
    project.edit(**{"models.svm_mel.C": 0.3})
    project.snakemake()
    made_here = recorded_files(project)
    assert made_here != recorded
    project.git("checkout", "-q", ".")
    project.run("dvc", "checkout", "--force", *RECORDED, "--with-deps")

    code = project.folder / "src/genreflow/training.py"
    code.write_text("raise RuntimeError('code of another folder')\n")
    try:
        project.run("dvc", "queue", "start", "-j", "1")
        states = wait_for_the_queue(project)
    finally:
        project.run("dvc", "queue", "stop", "--kill", check=False)
    project.git("checkout", "-q", ".")
    said = project.run("dvc", "queue", "logs", "gentle").stdout
    assert states == ["Success"], said
    of_the_model = {f"{step}@svm_mel" for step in ("train", "robustness", "refit")}
    assert stages_that_ran(said) == of_the_model | {"evaluate", "release", "report"}
    assert recorded_files(project) == recorded

    applied = project.run("dvc", "exp", "apply", "gentle", check=False)
    assert re.findall(r"^data/.*", applied.stderr, re.M) in ([], ["data/demo"])
    project.run("bash", "workflow/sync.sh")
    assert recorded_files(project) == made_here
    assert project.params["models"]["svm_mel"]["C"] == 0.3
    assert (plan(project).jobs, outdated_stages(project)) == ({}, set())


def test_an_experiment_in_a_copy_leaves_the_folder_alone_and_reuses_what_is_there(project):
    before = (project.folder / "params.yaml").read_bytes()
    files = recorded_files(project)
    apart = ("dvc", "exp", "run", "--temp")
    assert stages_that_ran(project.run(*apart, "explore").stdout) == set()
    named = ("-n", "apart", "-S", "exploration.examples_per_genre=2")
    assert stages_that_ran(project.run(*apart, *named, "explore").stdout) == {"explore"}
    assert (project.folder / "params.yaml").read_bytes() == before
    assert recorded_files(project) == files
    assert "apart" in project.run("dvc", "exp", "list").stdout


# Branches


def test_a_merge_with_a_conflict_in_dvc_lock_ends_as_the_docs_say(project):
    def change(branch, **edits):
        project.git("checkout", "-q", "-b", branch, "main")
        project.edit(**edits)
        project.snakemake()
        record(project, branch)

    change("theirs", **{"models.svm_mel.C": 0.5})
    change("ours", **{"evaluation.n_bootstrap": 150})
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    merged = project.run("git", *author, "merge", "theirs", check=False)
    assert re.findall(r"^CONFLICT .* in (.*)$", merged.stdout, re.M) == ["dvc.lock"]
    project.git("checkout", "--ours", "dvc.lock")
    project.git("add", "dvc.lock")
    said = project.run("dvc", "repro", *RECORDED).stdout
    trained = re.findall(r"^Stage '(\w+@svm_mel)' is cached", said, re.M)
    assert set(trained) == {f"{step}@svm_mel" for step in ("train", "robustness", "refit")}
    assert stages_that_ran(said) == {"evaluate", "release", "report"}
    project.run("bash", "workflow/sync.sh")
    project.git("commit", "-qa", "-m", "Merge")
    assert (plan(project).jobs, outdated_stages(project)) == ({}, set())
    values = project.params
    assert (values["models"]["svm_mel"]["C"], values["evaluation"]["n_bootstrap"]) == (0.5, 150)


# Links


def damaged(cache):
    """Name the files in DVC's cache whose content isn't what they are called by."""
    return [
        path
        for path in (cache / "files/md5").rglob("*")
        if path.is_file()
        and hashlib.md5(path.read_bytes()).hexdigest()
        != path.parent.name + path.name.removesuffix(".dir")
    ]


def links(folder):
    """Return the files below a folder that are links, of either kind."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1)
    ]


def linked(project, kind):
    """Link all results to DVC's cache, and return what lies there."""
    project.run("dvc", "config", "cache.type", kind)
    project.run("dvc", "checkout", "--relink", *RECORDED, "--with-deps")
    found = links(project.folder / "results")
    assert len(found) == len(recorded_files(project))
    assert {path.is_symlink() for path in found} == {kind == "symlink"}
    assert not any(path.stat().st_mode & 0o222 for path in found), "read-only"
    return {path for path in (project.folder / ".dvc/cache").rglob("*") if path.is_file()}


def test_a_change_remakes_results_beside_dvcs_cache_and_not_through_links_into_it(project):
    kept, cache = linked(project, "symlink"), project.folder / ".dvc/cache"
    project.run("bash", "workflow/sync.sh")
    assert plan(project).jobs == {}
    project.edit(**{"models.svm_mel.C": 0.5})
    project.snakemake()
    assert damaged(cache) == []
    assert 0 < len(links(project.folder / "results")) < len(recorded_files(project))
    project.run("bash", "workflow/record.sh")
    assert outdated_stages(project) == set()
    assert kept < set(cache.rglob("*"))
    assert damaged(cache) == []


def test_no_step_writes_through_a_link_into_dvcs_cache(project):
    """All of them, that is: every result is made anew, over a link to what was there."""
    kept, cache = linked(project, "hardlink"), project.folder / ".dvc/cache"
    before = recorded_files(project)
    project.snakemake("--forceall")
    assert links(project.folder / "results") == []
    assert recorded_files(project) == before
    assert kept <= set(cache.rglob("*"))
    assert damaged(cache) == []
