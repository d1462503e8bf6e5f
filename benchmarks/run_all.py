"""Run all benchmarks on a corpus and join what they measured into one table.

    python benchmarks/run_all.py data/genres

Without a corpus, one of GTZAN's size is synthesised first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rows import FOLDER, Row, markdown, show

HERE = Path(__file__).resolve().parent
BENCHMARKS = ("features", "training", "predict", "workflow")
SYNTHETIC = Path(".cache/benchmarks/corpus")


def script(name: str, *arguments: Path) -> None:
    """Run a script beside this one, in a process of its own."""
    subprocess.run([sys.executable, HERE / f"{name}.py", *arguments], check=True)


def main(
    corpus: Annotated[Path | None, typer.Argument(help="Folder of genre folders.")] = None,
) -> None:
    """Run everything, print the table and write it as Markdown; takes about half an hour."""
    if corpus is None:
        corpus = SYNTHETIC
        if not corpus.exists():
            script("corpus", corpus)
    for name in BENCHMARKS:
        script(f"bench_{name}", corpus)
    reports = [json.loads((FOLDER / f"{name}.json").read_text()) for name in BENCHMARKS]
    rows = [Row(**row) for report in reports for row in report["rows"]]
    show(rows, "All benchmarks")
    (FOLDER / "table.md").write_text(markdown(rows), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
