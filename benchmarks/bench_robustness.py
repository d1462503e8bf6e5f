"""Ask the models of a finished run whether they still know tracks that another chain changed.

    python benchmarks/changed_copies.py data/genres data/changed
    python benchmarks/bench_robustness.py data/changed

Run it where the run was made (``params.yaml``, ``results/``). Each test track is asked of the
models of its own fold, through the decoder and the features that a prediction goes through.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import track as progress

from genreflow import registry
from genreflow.audio.decode import RejectedError, decode
from genreflow.models.loading import load_model
from genreflow.models.pooling import pool
from genreflow.params import Params, load

CLEAN = "clean"
RESULTS = Path("results")
_VOTE = ["fold", "change", "track", "genre"]


def some(rows: np.ndarray[Any, Any], most: int) -> np.ndarray[Any, Any]:
    """Return at most so many rows, evenly spaced."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))]


def answers(
    changed: Path, changes: list[str], params: Params, models: list[str], windows: int
) -> Iterator[dict[str, Any]]:
    """Yield fold, model, change, track, genre and the answer's probabilities."""
    splits = pd.read_parquet(RESULTS / "splits.parquet")
    kinds = {kind.name: kind for model in models for kind in registry.kinds_of(model)}
    extractors = {name: import_module(kind.extractor) for name, kind in kinds.items()}
    for fold, rows in splits[splits["role"] == "test"].groupby("fold"):
        folders = [RESULTS / "models" / model / str(fold) for model in models]
        loaded = {
            model: load_model(folder)
            for model, folder in zip(models, folders, strict=True)
            if folder.is_dir()
        }
        work = [
            (change, *row)
            for change in changes
            for row in zip(rows.track_id, rows.genre, strict=True)
        ]
        for change, track, genre in progress(work, f"fold {fold}", console=Console(stderr=True)):
            (path,) = (changed / change).glob(f"{track.rpartition('.')[0]}.*")
            try:
                samples = decode(path, params.audio).samples
            except RejectedError as error:
                print(f"{path}: {error}")
                continue
            values = {
                name: extractors[name].rows_of(
                    samples, params.audio.sample_rate, params.at(kind.section)
                )
                for name, kind in kinds.items()
            }
            for model, (machine, metadata) in loaded.items():
                rows = [values[kind] for kind in registry.entry(model).reads]
                seen = some(np.concatenate(rows, axis=1) if len(rows) > 1 else rows[0], windows)
                yield {
                    "fold": fold,
                    "model": model,
                    "change": change,
                    "track": track,
                    "genre": genre,
                    "genres": metadata.signature.genres,
                    "probabilities": machine.predict_proba(seen).mean(axis=0),
                }


def _pooled(members: pd.DataFrame) -> np.ndarray[Any, Any]:
    stack = np.stack(members["probabilities"])[:, np.newaxis]
    return pool(stack, members["weight"].to_numpy())[0]


def with_ensemble(table: pd.DataFrame) -> pd.DataFrame:
    """Add the ensemble's answers, with the weights that the run chose on validation tracks.

    Where a model that has a say in it wasn't asked, there is no vote.
    """
    path = RESULTS / "evaluation" / "ensemble.csv"
    if not path.is_file():
        return table
    weights = pd.read_csv(path, dtype={"fold": str}).query("weight > 0")
    if not set(weights["model"]) <= set(table["model"]):
        return table
    votes = table.merge(weights, on=["fold", "model"])
    rows = [
        {**dict(zip(_VOTE, key, strict=True)), "probabilities": _pooled(members)}
        for key, members in votes.groupby(_VOTE)
    ]
    mixed = pd.DataFrame(rows).assign(genres=table["genres"].iloc[0])
    return pd.concat([table, mixed.assign(model=registry.ENSEMBLE)], ignore_index=True)


def main(
    changed: Annotated[Path, typer.Argument(help="What changed_copies.py wrote.")],
    models: Annotated[str, typer.Option(help="Names, with commas between; all by default.")] = "",
    windows: Annotated[int, typer.Option(min=1, help="Mel windows asked of a track.")] = 8,
    out: Annotated[Path, typer.Option(help="Table of all answers.")] = Path("answers.parquet"),
) -> None:
    """Print accuracy and agreement with the answer for the clean track, by model and change."""
    params = load(Path("params.yaml"))
    names = models.split(",") if models else list(params.evaluation.models)
    changes = sorted(path.name for path in changed.iterdir() if path.is_dir())
    table = with_ensemble(pd.DataFrame(answers(changed, changes, params, names, windows)))
    table["answer"] = [
        g[p.argmax()] for g, p in zip(table.genres, table.probabilities, strict=True)
    ]
    table["right"] = table["answer"] == table["genre"]
    table.drop(columns=["genres", "probabilities"]).to_parquet(out)
    clean = table[table["change"] == CLEAN].set_index(["model", "track"])["answer"]
    same = clean.reindex(pd.MultiIndex.from_frame(table[["model", "track"]])).to_numpy()
    table["same"] = same == table["answer"]
    for what, title in (("right", "Accuracy"), ("same", "Agreement with the unchanged track")):
        shares = table.pivot_table(index="change", columns="model", values=what).sort_index()
        of_changes = shares.drop(index=CLEAN)
        shares.loc["mean of changes"] = of_changes.mean()
        shares.loc["worst change"] = of_changes.min()
        print(
            f"{title}, {table.track.nunique()} tracks:", shares.round(3).to_markdown(), sep="\n\n"
        )


if __name__ == "__main__":
    typer.run(main)
