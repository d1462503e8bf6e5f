"""Nodes that share no disk, as a cluster's two commands: for Snakemake's cluster-generic executor.

``submit FOLDER SCRIPT`` runs a job's script in a new, empty folder below FOLDER, which is gone when
the job has ended, and prints the job's name; ``status FOLDER NAME`` prints how it goes. What a job
leaves behind is one file, FOLDER/<name>.log.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def submit(folder: Path, script: Path) -> None:
    node = Path(tempfile.mkdtemp(dir=folder))
    shutil.copy(script, node.with_suffix(".sh"))
    # The code that runs is what came with the job.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with node.with_suffix(".log").open("wb") as said:
        subprocess.Popen(
            [sys.executable, __file__, "run", str(folder), node.name],
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    print(node.name)


def run(folder: Path, name: str) -> None:
    node = folder / name
    ended = subprocess.run(["sh", node.with_suffix(".sh")], cwd=node).returncode
    shutil.rmtree(node)
    told = node.with_suffix(".new")
    told.write_text("failed" if ended else "success", encoding="utf-8")
    told.rename(node.with_suffix(".ended"))


def status(folder: Path, name: str) -> None:
    ended = folder / f"{name}.ended"
    print(ended.read_text(encoding="utf-8") if ended.exists() else "running")


if __name__ == "__main__":
    command, folder, name = sys.argv[1:]
    match command:
        case "submit":
            submit(Path(folder), Path(name))
        case "run":
            run(Path(folder), name)
        case "status":
            status(Path(folder), name)
