"""Invented results of a whole run, so that evaluation and report are tested without training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from genreflow import lineage, registry
from genreflow.audio.write import write_audio
from genreflow.columns import column_of
from genreflow.corpus.scan import TrackFile
from genreflow.evaluation.predictions import WHOLE_TRACK
from genreflow.evaluation.run import evaluate
from genreflow.exploration.run import explore
from genreflow.folds import parse_training, training_names
from genreflow.models.base import Signature
from genreflow.models.metadata import Metadata, write_metadata
from genreflow.params import Params
from genreflow.registry.changes import CHANGES, CLEAN
from genreflow.report.results import Inputs
from genreflow.steps import STEPS
from genreflow.store import tables
from genreflow.store.files import file_sha256, read_json, write_csv, write_json

GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
)
SKILL = {
    "svm_mel": 0.9,
    "xgb_mel": 1.3,
    "svm_handcrafted": 2.0,
    "xgb_handcrafted": 1.8,
    "cnn": 2.2,
    "lstm": 1.4,
    "resnet50": 1.6,
}
OUTSIDE_SKILL = {"svm_embedding": 2.6, "mlp_embedding": 2.5, "svm_fusion": 3.0}
"""Models that read what was trained on outside data."""
FEATURES = tuple(f"feature_{number:02d}_mean" for number in range(12))


@dataclass(frozen=True)
class Run:
    """Where the files of an invented run lie; `trained` is by file name and then by model."""

    params: Params
    results: Path
    trained: dict[str, dict[str, list[Path]]]

    @property
    def models(self) -> list[str]:
        return list(self.trained["predictions.parquet"])

    @property
    def splits(self) -> Path:
        return self.results / "splits.parquet"

    @property
    def tracks(self) -> Path:
        return self.results / "tracks.parquet"

    @property
    def evaluation(self) -> Path:
        return self.results / "evaluation"

    @property
    def exploration(self) -> Path:
        return self.results / "exploration"

    @property
    def naive(self) -> Path:
        return self.results / "naive.json"

    @property
    def ungrouped(self) -> Path:
        return self.results / "ungrouped.json"

    @property
    def corpus_size(self) -> Path:
        return self.results / "corpus_size.json"

    @property
    def unknown(self) -> Path:
        return self.results / "unknown.json"

    @property
    def chain(self) -> Path:
        return self.results / "chain.json"

    @property
    def report(self) -> Path:
        return self.results / "report"

    @property
    def costs(self) -> list[Path]:
        return sorted((self.results / "benchmarks").rglob("*.json"))

    @property
    def inputs(self) -> Inputs:
        return Inputs(
            self.evaluation,
            self.exploration,
            self.naive,
            self.ungrouped,
            self.corpus_size,
            self.unknown,
            self.chain,
            self.tracks,
            self.splits,
            self.costs,
        )

    def features(self, kind: str) -> list[Path]:
        return sorted((self.results / "features" / kind).iterdir())

    @property
    def audio(self) -> list[Path]:
        return sorted((self.results / "audio").glob("*.arrow"))


def make_run(
    results: Path,
    *,
    models: tuple[str, ...] = tuple(SKILL),
    n_folds: int = 5,
    tracks_per_genre: int = 10,
    windows: int = 6,
    genres: tuple[str, ...] = GENRES,
    seed: int = 0,
    n_grouped: int = 0,
    pieces: dict[str, object] | None = None,
    repeats: int = 1,
    seeds: int = 1,
    sections: Mapping[str, Any] | None = None,
    skill: Mapping[str, float] | None = None,
) -> Run:
    """Write below `results` what a run leaves before the evaluation and the exploration.

    That is tracks, splits, the naive protocol's claim, costs, and of every model and fold the
    predictions, ``model.json`` and the tables that the registry names. `n_folds` 1 is a hold-out
    split; of several `repeats` each has so many folds, and every model has so many `seeds`.
    `sections` are parameters beside these, `skill` makes models better or worse than they are.
    """
    rng = np.random.default_rng(seed)
    strategy = {"strategy": "holdout"} if n_folds == 1 else {"strategy": "kfold"}
    # What is compared says which features are extracted, and so what stamps hold.
    compared = list(models) if registry.BASELINE in models else [registry.BASELINE, *models]
    params = Params.model_validate(
        {
            "splits": {**strategy, "n_splits": max(2, n_folds), "repeats": repeats},
            "evaluation": {"n_bootstrap": 300, "models": compared},
            "models": {model: {"seeds": seeds} for model in models},
        }
        | dict(sections or {})
    )
    tracks = _tracks(genres, tracks_per_genre, rng)
    stamp = lineage.stamp("tracks", params).with_facts(ignored=["blues/cover.png"])
    tables.write_table(tracks, results / "tracks.parquet", stamp)
    usable = tracks[tracks["status"] == "ok"]
    splits = pd.concat(
        [_splits(usable, n_folds, repeat) for repeat in range(repeats)], ignore_index=True
    )
    stamp = lineage.stamp("splits", params).with_facts(
        n_grouped=n_grouped, groups=params.corpus.groups, artists=True, pieces=pieces
    )
    tables.write_table(splits, results / "splits.parquet", stamp)
    # What makes a track hard is shared by the models, as it is in music.
    hardness = dict(zip(tracks["track_id"], rng.normal(0, 1.2, len(tracks)), strict=True))
    lures = dict(zip(tracks["track_id"], rng.integers(1, 3, len(tracks)), strict=True))
    trained: dict[str, dict[str, list[Path]]] = {}
    for model in models:
        for training in training_names(params.splits, seeds):
            fold, number = parse_training(training)
            folder = results / "models" / model / training
            rows = splits[splits["fold"] == fold]
            gain = (SKILL | OUTSIDE_SKILL | dict(skill or {}))[model]
            table = _predictions(model, rows, genres, windows, hardness, lures, rng, gain)
            path = folder / "predictions.parquet"
            own = params.of_training(model, number)
            tables.write_table(table, path, lineage.of_predictions(model, own))
            _write_metadata(model, own, genres, folder, rows["role"].value_counts())
            _write_tables(model, folder, rng)
            for name in ("predictions.parquet", "model.json", *registry.entry(model).tables):
                trained.setdefault(name, {}).setdefault(model, []).append(folder / name)
            _write_cost(results, f"train_{model}", training, rng, _training_cost(path, rng))
    for genre in genres:
        _write_cost(results, "audio", genre, rng)
    _write_cost(results, "splits", None, rng)
    run = Run(params, results, trained)
    claim = {"accuracy": 0.93, "f1_macro": 0.92, "n": 900, "n_tracks": 90, "n_shared": 88}
    write_json({"model": registry.BASELINE} | claim, run.naive)
    write_json(_ungrouped() if n_grouped else {"skipped": "no artists are known"}, run.ungrouped)
    write_json({"skipped": "corpus_size.enabled is false"}, run.corpus_size)
    write_json(unknown_found(genres), run.unknown)
    write_json(chain_found(genres), run.chain)
    return run


def chain_found(genres: Sequence[str], *, told: bool = False) -> dict[str, Any]:
    """Invent what the audit of the chain found."""
    bands = {genre: {"value": 8000.0 + 250 * n, "share": None} for n, genre in enumerate(genres)}
    codecs = {genre: {"value": "MPEG/<i>", "share": 0.75} for genre in genres}
    names = ("bandwidth_hz", "codec", "offset", "bits")
    gains = (0.3, 0.2, 0.01, 0.0)
    traces: list[dict[str, object]] = [
        {"trace": name, "alone": 0.1 + gain, "importance": 0.0, "gain": gain}
        for name, gain in zip(names, gains, strict=True)
    ]
    for trace, values in zip(traces, (bands, codecs, bands), strict=False):
        trace["values"] = values
    score = {"balanced_accuracy": 0.4 if told else 0.11, "p_value": 0.01 if told else 0.4}
    score |= {"accuracy": 0.4, "low": 0.3 if told else 0.05, "high": 0.5 if told else 0.2}
    return {
        "n": 100,
        "n_groups": 90,
        "chance": 0.1,
        "chain": {**score, "traces": traces, "told": told},
        "level": {**score, "traces": traces[:1], "told": told},
    }


def unknown_found(genres: Sequence[str], *, strangers: Sequence[str] = ()) -> dict[str, Any]:
    """Invent how sure the probes are of genres that they were trained without."""
    shares = {"known_unsure": 0.3, "unknown_unsure": 0.7}
    shares |= {"known_unfamiliar": 0.06, "unknown_unfamiliar": 0.11}
    shares |= {"auroc_familiarity": 0.64, "auroc_both": 0.66}

    def scored(names: Sequence[str], first: float) -> dict[str, dict[str, float]]:
        counts = {"n_known": 40, "n_unknown": 12}
        return {
            name: {**counts, **shares, "auroc": first + 0.02 * n} for n, name in enumerate(names)
        }

    models = {
        model: {
            "left_out": scored(genres, first),
            "auroc": first + 0.01 * (len(genres) - 1),
            **shares,
            "strangers": scored(strangers, 0.8),
        }
        for model, first in zip(registry.PROBES, (0.6, 0.62), strict=True)
    }
    return {"unsure_below": 0.6, "unfamiliar_below": 0.05, "models": models}


def _ungrouped() -> dict[str, object]:
    claim = {"n": 100, "n_train": 70.0}
    return {"models": {model: {"accuracy": 0.9} | claim for model in registry.PROBES}}


def _tracks(genres: tuple[str, ...], per_genre: int, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for genre in genres:
        for number in range(per_genre):
            name = f"{genre}/{genre}.{number:05d}.wav"
            rows.append(
                {
                    "track_id": name,
                    "genre": genre,
                    "shard": genre,
                    "codec": "WAV/PCM_16",
                    "sample_rate": 22050,
                    "channels": 1,
                    "decoder": "libsndfile",
                    "seconds": float(np.round(rng.uniform(8, 30), 3)),
                    "status": "ok",
                    "reason": "",
                    "remark": "",
                    "source_sha256": hashlib.sha256(name.encode()).hexdigest(),
                    "pcm_sha256": hashlib.sha256(name.encode()).hexdigest(),
                    "duplicate_group": "",
                    "duplicate_kind": "",
                }
            )
    table = pd.DataFrame(rows)
    table["claimed_seconds"] = table["decoded_seconds"] = table["seconds"]
    table.loc[3, "remark"] = "holds 5.1 s; its header claims <b>20 s</b>"
    table.loc[[0, 1], ["duplicate_group", "duplicate_kind"]] = ["d000", "exact"]
    table.loc[[2, per_genre], ["duplicate_group", "duplicate_kind"]] = ["d001", "near"]
    bad = table.iloc[-1:].assign(
        track_id=f"{genres[-1]}/broken.mp3",
        status="rejected",
        reason="no audio could be decoded <b>here</b>",
        seconds=np.nan,
        sample_rate=0,
        channels=0,
        codec="",
        decoder="",
        remark="",
    )
    return pd.concat([table, bad], ignore_index=True)


def _splits(tracks: pd.DataFrame, n_folds: int, repeat: int) -> pd.DataFrame:
    order = tracks.groupby("genre").cumcount()
    if repeat:
        drawn = pd.Series(np.random.default_rng(repeat).random(len(tracks)), index=tracks.index)
        order = drawn.groupby(tracks["genre"]).rank().astype(int) - 1
    order = order.to_numpy()
    parts = []
    for fold in range(n_folds):
        tested = order % max(n_folds, 3) == fold
        valid = order % max(n_folds, 3) == (fold + 1) % max(n_folds, 3)
        roles = np.where(tested, "test", np.where(valid, "valid", "train"))
        part = tracks[["track_id", "genre"]].copy()
        part.insert(0, "fold", str(repeat * n_folds + fold))
        named = tracks["duplicate_group"]
        part["group"] = named.where(named != "", tracks["track_id"])
        part["role"] = roles
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _predictions(
    model: str,
    splits: pd.DataFrame,
    genres: tuple[str, ...],
    windows: int,
    hardness: dict[str, float],
    lures: dict[str, int],
    rng: np.random.Generator,
    skill: float,
) -> pd.DataFrame:
    seen = splits[splits["role"].isin(["valid", "test"])]
    whole = registry.entry(model).reads != ("mel",)
    numbers = [WHOLE_TRACK] if whole else list(range(windows))
    keys = pd.DataFrame(
        [
            {"track_id": row.track_id, "window": number, "genre": row.genre, "role": row.role}
            for row in seen.itertuples()
            for number in numbers
        ]
    )
    truth = pd.Index(genres).get_indexer(keys["genre"])
    logits = rng.normal(0, 0.9, (len(keys), len(genres)))
    track = keys.groupby("track_id").ngroup().to_numpy()
    logits += rng.normal(0, 0.8, (track.max() + 1, len(genres)))[track]
    hard = keys["track_id"].map(hardness).to_numpy()
    logits[np.arange(len(keys)), truth] += skill - hard
    lure = (truth + keys["track_id"].map(lures).to_numpy()) % len(genres)
    logits[np.arange(len(keys)), lure] += np.maximum(hard, 0)
    shares = np.exp(logits)
    shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    keys["window"] = keys["window"].astype(np.int32)
    return pd.concat(
        [keys, pd.DataFrame(shares, columns=[column_of(genre) for genre in genres])], axis=1
    )


def _write_metadata(
    model: str, params: Params, genres: Sequence[str], folder: Path, roles: pd.Series[int]
) -> None:
    metadata = Metadata(
        Signature(model, tuple(genres), (1,)),
        lineage.of_model(model, params),
        libraries={"xgboost": "3.2.0"},
        best={"epoch": 12},
        n_parameters=1000 * len(model),
        model_bytes=2000 * len(model),
        n_train=int(roles["train"]),
        n_valid=int(roles["valid"]),
    )
    write_metadata(metadata, folder)


def _write_tables(model: str, folder: Path, rng: np.random.Generator) -> None:
    invented = {"history.csv": _history, "cv.csv": _grid, "importance.csv": _importance}
    for name in registry.entry(model).tables:
        write_csv(invented[name](rng), folder / name)


def _history(rng: np.random.Generator) -> pd.DataFrame:
    epoch = np.arange(1, 21)
    loss = 2.2 * np.exp(-epoch / 6) + 0.3 + rng.normal(0, 0.02, 20)
    val_loss = 1.9 * np.exp(-epoch / 5) + 0.7 + 0.02 * epoch + rng.normal(0, 0.03, 20)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "loss": loss,
            "accuracy": 1 - loss / 2.6,
            "val_loss": val_loss,
            "val_accuracy": 1 - val_loss / 3,
        }
    )


def _grid(rng: np.random.Generator) -> pd.DataFrame:
    mean = rng.uniform(0.5, 0.8, 3)
    table = pd.DataFrame(
        {
            "params": [json.dumps({"C": C, "selected_fraction": 0.5}) for C in (1.0, 3.0, 10.0)],
            "mean": mean,
            "std": rng.uniform(0.01, 0.05, 3),
        }
    )
    return table.assign(rank=table["mean"].rank(ascending=False).astype(int))


def _importance(rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame({"feature": FEATURES, "gain": rng.dirichlet(np.ones(len(FEATURES)))})


def _training_cost(predictions: Path, rng: np.random.Generator) -> dict[str, object]:
    return {
        "fit_seconds": float(rng.uniform(5, 300)),
        "predict_seconds": float(rng.uniform(0.1, 3)),
        "n_tracks_predicted": 60,
        "predictions_sha256": file_sha256(predictions),
    }


def _write_cost(
    results: Path,
    step: str,
    job: str | None,
    rng: np.random.Generator,
    more: dict[str, object] | None = None,
) -> None:
    cost = {"seconds": float(rng.uniform(1, 400)), "peak_rss_mb": float(rng.uniform(200, 900))}
    write_json(cost | (more or {}), results / STEPS[step].cost(job))


def evaluate_run(run: Run) -> None:
    """Evaluate a run into its own folders."""
    evaluate(run.params, run.trained, run.splits, run.tracks, run.evaluation, run.report)


def invent_robustness(run: Run, cost: Mapping[str, float] | None = None) -> None:
    """Write what changes to the sound of the first fold's test tracks cost every model.

    `cost` is the share of tracks that each change takes from every model, by default one that
    grows from change to change; {} is what a study that is switched off leaves.
    """
    if cost is None:
        cost = {change: 0.025 * number for number, change in enumerate(CHANGES)}
    stamp = lineage.stamp("evaluate", run.params, kind="evaluation")
    decisions = tables.read_table(run.evaluation / "predictions.parquet", stamp)
    first = decisions[(decisions["fold"] == "0") & (decisions["seed"] == 0)]
    metrics = read_json(run.evaluation / "metrics.json")
    rows = []
    for model, part in first.groupby("model"):
        clean = float((part["predicted"] == part["genre"]).mean())
        accuracies = {change: max(0.0, clean - lost) for change, lost in cost.items()}
        for change, accuracy in ({CLEAN: clean} | accuracies if cost else {}).items():
            rows.append(
                {
                    "model": model,
                    "change": change,
                    "n": len(part),
                    "accuracy": accuracy,
                    "low": max(0.0, accuracy - 0.1),
                    "high": min(1.0, accuracy + 0.1),
                    "agreement": 1 - (clean - accuracy),
                }
            )
        of_model = metrics[str(model)]["track"]
        for name in ("unchanged_accuracy", "robust_accuracy", "worst_accuracy", "worst_change"):
            of_model.pop(name, None)
        if cost:
            worst = min(accuracies, key=lambda change: accuracies[change])
            of_model["unchanged_accuracy"] = clean
            of_model["robust_accuracy"] = float(np.mean(list(accuracies.values())))
            of_model |= {"worst_accuracy": accuracies[worst], "worst_change": worst}
    columns = ["model", "change", "n", "accuracy", "low", "high", "agreement"]
    write_csv(pd.DataFrame(rows, columns=columns), run.evaluation / "robustness.csv")
    for folder in (run.evaluation, run.report):
        write_json(metrics, folder / "metrics.json")


def explore_run(run: Run) -> None:
    """Invent features and audio of a run, and explore them into its own folder.

    Where it is evaluated, it is told what changes to the sound cost, too: a report can be made.
    """
    add_features(run)
    explore(run.params, run.tracks, run.features("handcrafted"), run.audio, run.exploration)
    if run.evaluation.is_dir():
        invent_robustness(run)


def add_features(run: Run, seed: int = 1) -> None:
    """Write handcrafted features of all usable tracks, and audio of the first of each genre."""
    rng = np.random.default_rng(seed)
    tracks = tables.read_table(run.tracks, lineage.stamp("tracks", run.params))
    tracks = tracks[tracks["status"] == "ok"]
    centres = {genre: rng.normal(0, 2, len(FEATURES)) for genre in tracks["genre"].unique()}
    stamp = lineage.stamp("handcrafted", run.params).with_facts(audio="digest")
    for shard, part in tracks.groupby("shard"):
        values = rng.normal(0, 1, (len(part), len(FEATURES)))
        values += centres[str(part["genre"].iloc[0])]
        values[:, 1] = values[:, 0] * -2 + rng.normal(0, 0.1, len(part))
        table = pd.concat(
            [
                part[["track_id", "genre"]].reset_index(drop=True),
                pd.DataFrame(values.astype(np.float32), columns=list(FEATURES)),
            ],
            axis=1,
        )
        place = registry.FEATURES["handcrafted"].artifact(str(shard))
        tables.write_table(table, run.results / place, stamp)
        _write_audio(run, str(shard), str(part["track_id"].iloc[0]), rng)


def _write_audio(run: Run, shard: str, track_id: str, rng: np.random.Generator) -> None:
    source = run.results / "source" / track_id
    source.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(3 * 22050) / 22050
    tone = np.sin(2 * np.pi * rng.uniform(200, 2000) * time) * np.exp(-((time * 2) % 1) * 4)
    soundfile.write(source, 0.4 * tone + 0.01 * rng.normal(size=time.size), 22050)
    folder = run.results / "audio"
    write_audio(
        [TrackFile(track_id, shard, source)],
        shard,
        run.params.audio,
        folder / f"{shard}.arrow",
        folder / f"{shard}.parquet",
        lineage.stamp("audio", run.params),
        [],
    )
