"""Results on remote storage: jobs on machines that share no disk make what one machine makes."""

import io
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT, Project
from tests.s3 import S3, serving

WANTED = "a plugin isn't installed: pip install -e '.[dev]'"
for plugin in ("storage_plugin_fs", "storage_plugin_s3", "executor_plugin_cluster_generic"):
    pytest.importorskip(f"snakemake_{plugin}", reason=WANTED)

pytestmark = pytest.mark.workflow

PREDICTIONS = "results/models/xgb_mel/0/predictions.parquet"
NOT_COMPARED = ("logs/", "benchmarks/")
"""They tell how long jobs took."""


@dataclass(frozen=True)
class Far:
    """A project whose results lie in a bucket."""

    project: Project
    server: S3
    bucket: str
    nodes: Path

    @property
    def kept(self) -> dict[str, bytes]:
        """What lies in the bucket, by its path below the results."""
        found = self.server.contents(self.bucket)
        return {
            path.removeprefix("here/results/"): content
            for path, content in found.items()
            if path.startswith("here/results/")
        }

    def here(self, *arguments: str) -> str:
        """Run Snakemake with the bucket, its jobs on this machine."""
        told = ("--default-storage-provider", "s3", "--default-storage-prefix")
        where = f"s3://{self.bucket}/here"
        done = self.project.run("snakemake", "--cores", "1", *told, where, *arguments)
        return done.stdout + done.stderr

    def on_nodes(self, *targets: str) -> None:
        """Run Snakemake with the bucket, its jobs on nodes without a shared disk."""
        python, nodes = sys.executable, ROOT / "tests/nodes.py"
        self.here(
            *("--executor", "cluster-generic", "--jobs", "2", "--shared-fs-usage", "none"),
            *("--job-deploy-sources", "--seconds-between-status-checks", "1"),
            *("--cluster-generic-submit-cmd", f"'{python}' '{nodes}' submit '{self.nodes}'"),
            *("--cluster-generic-status-cmd", f"'{python}' '{nodes}' status '{self.nodes}'"),
            *targets,
        )

    @property
    def rules_on_nodes(self) -> list[str]:
        """The rules of what was sent there, sorted; of a group of jobs, all of theirs."""
        scripts = [path.read_text(encoding="utf-8") for path in self.nodes.glob("*.sh")]
        rules = [re.findall(r"--allowed-rules ([a-z_ ]+) ", script)[0] for script in scripts]
        return sorted(" ".join(sorted(each.split())) for each in rules)


@pytest.fixture(scope="module")
def server(monkeypatch_module):
    with serving() as found:
        for name, value in found.environment.items():
            monkeypatch_module.setenv(name, value)
        yield found


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def without_results(built, folder):
    """Copy a project's sources and parameters, as a clone has them; audio stays where it is."""
    project = Project(folder / "clone")
    tracked = ["git", "clone", "-q", "--no-hardlinks", str(built.folder), str(project.folder)]
    built.run(*tracked)
    project.edit(**{"corpus.root": str(built.folder / "data/tiny")})
    return project


def far(built, server, folder, bucket):
    (folder / "nodes").mkdir()
    server.make_bucket(bucket)
    return Far(without_results(built, folder), server, bucket, folder / "nodes")


@pytest.fixture(scope="module")
def trained(built, server, tmp_path_factory):
    """A model, trained on nodes that see the corpus and nothing else of this machine."""
    found = far(built, server, tmp_path_factory.mktemp("trained"), "trained")
    # All shards in one group of jobs: a node fetches and stores for it once.
    shards = [f"{rule}=shards" for rule in ("audio", "fingerprints", "mel")]
    groups = ("--groups", *shards, "--group-components", "shards=3")
    found.on_nodes(PREDICTIONS, *groups)
    return found


def test_nodes_without_a_shared_disk_give_the_bytes_of_one_machine(trained, built):
    kept = {name: data for name, data in trained.kept.items() if not name.startswith(NOT_COMPARED)}
    assert {"tracks.parquet", "audio/pop.arrow", "models/xgb_mel/0/model.xgb.json"} <= kept.keys()
    differing = [
        n for n, data in kept.items() if (built.folder / "results" / n).read_bytes() != data
    ]
    assert differing == []


def test_all_that_one_job_leaves_for_the_next_lies_in_storage(trained):
    """Listings of the user's are read where the run was started; all else ran on nodes."""
    assert trained.rules_on_nodes == ["audio fingerprints mel", "tracks", "train_xgb_mel"]
    assert [path.suffix for path in trained.nodes.iterdir() if path.is_dir()] == []
    clone = trained.project.folder
    left = [*(clone / "results").rglob("*"), *(clone / ".snakemake/storage").rglob("*")]
    assert {path.name for path in left if path.is_file()} == {"README.md", "splits.log"}


def test_another_clone_finds_what_is_made_and_goes_on_from_there(trained, built, tmp_path):
    clone = without_results(built, tmp_path)
    other = Far(clone, trained.server, trained.bucket, tmp_path)
    # That a script is newer than results means nothing in a fresh clone.
    same_code = ("--rerun-triggers", "mtime", "params", "input")
    said = other.here(PREDICTIONS, "results/chain.json", *same_code)
    assert re.findall(r"Rule: (\w+)", said) == ["chain_audit"]
    assert trained.kept["chain.json"] == (built.folder / "results/chain.json").read_bytes()


def test_the_demo_is_made_on_one_node_and_decoded_on_another(built, server, tmp_path):
    """Its folder is what the S3 plugin would look for once only, before it is made."""
    found = far(built, server, tmp_path, "demo")
    found.project.edit(**{"corpus.root": "data/demo"})
    found.on_nodes("results/audio/blues.arrow")
    assert found.rules_on_nodes == ["audio", "demo"]
    assert not (found.project.folder / "data/demo").exists()
    told = pd.read_parquet(io.BytesIO(found.kept["audio/blues.parquet"]))
    here = pd.read_parquet(built.folder / "results/audio/blues.parquet")
    pd.testing.assert_frame_equal(told, here)


@pytest.mark.skipif(shutil.which("rsync") is None, reason="the plugin fs needs rsync")
def test_another_file_system_keeps_results_and_their_dates_are_not_touched(built, tmp_path):
    project = without_results(built, tmp_path)
    kept = tmp_path / "far"
    storage = ("--default-storage-provider", "fs", "--default-storage-prefix", str(kept))
    project.snakemake(*storage, "results/features/mel/pop.npz", cores=1)
    for name in ("audio/pop.arrow", "features/mel/pop.npz"):
        assert (kept / "results" / name).read_bytes() == (
            built.folder / "results" / name
        ).read_bytes()
    assert [path.name for path in (project.folder / "results").rglob("*")] == ["README.md"]
    command = ("snakemake", "--cores", "1", "--touch", "--forcerun", "mel", *storage)
    refused = project.run(*command, "results/features/mel/pop.npz", check=False)
    assert refused.returncode != 0
    assert "--touch can't be used with --default-storage-provider fs" in refused.stderr
