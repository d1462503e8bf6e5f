"""Run this checkout's params.yaml locally and through a Slurm, and compare: ``make slurm``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from genreflow.machine import SHARE, memory_bytes
from tests.conftest import ROOT, Project
from tests.slurm.cluster import SlurmError, cluster
from tests.slurm.compare import differences, run_through, tracked


def main() -> int:
    """Return 0 where every file that DVC tracks has the same bytes."""
    parser = argparse.ArgumentParser(prog="make slurm ARGS=…", description=__doc__)
    parser.add_argument(
        "--models", nargs="+", metavar="MODEL", help="in place of evaluation.models"
    )
    parser.add_argument("--nodes", type=int, default=1, help="nodes, all of them this machine")
    parser.add_argument(
        "--books", action="store_true", help="with a database of jobs (slurmdbd, mariadb-server)"
    )
    asked = parser.parse_args()
    cpus = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        local = Project.create(folder / "local")
        (local.folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        root = local.params["corpus"]["root"]
        if root != "data/demo":  # which is made; a user's own corpus stays where it is
            local.edit(**{"corpus.root": str((ROOT / root).resolve())})
        if asked.models:
            local.edit(**{"evaluation.models": asked.models})
        elsewhere = local.copy(folder / "slurm")
        (folder / "node").mkdir()
        try:
            with cluster(
                folder / "node",
                cpus=cpus,
                memory_mb=int(SHARE * memory_bytes() / 1e6),
                nodes=asked.nodes,
                books=asked.books,
            ) as slurm:
                started = time.monotonic()
                done = run_through(slurm, elsewhere)
                jobs = slurm.jobs()
        except SlurmError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"through Slurm: {len(jobs)} jobs, {time.monotonic() - started:.0f} s", flush=True)
        if done.returncode:
            print(done.stdout[-6000:], file=sys.stderr)
            return 1
        started = time.monotonic()
        local.snakemake(cores=cpus)
        print(f"here: {time.monotonic() - started:.0f} s")
        here, there = tracked(local), tracked(elsewhere)
    for file in (differ := differences(here, there)):
        print(f"{file}: differs")
    print(f"{len(here)} files that DVC tracks, {len(differ)} differ")
    return bool(differ)


sys.exit(main())
