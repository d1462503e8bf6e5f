"""The evaluation step: predictions in, tidy tables out, all of them the same on every rerun."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from genreflow import lineage
from genreflow.columns import OF_DECISIONS, column_of
from genreflow.evaluation import agreement as agree
from genreflow.evaluation.calibration import (
    beside_each_other,
    calibrate,
    calibrated_scores,
    fit_temperatures,
    reliability,
    temperature_table,
)
from genreflow.evaluation.compare import Levels, Metrics, compare
from genreflow.evaluation.ensemble import Ensemble, build_ensemble
from genreflow.evaluation.learning import mean_validation_accuracy, read_histories
from genreflow.evaluation.lengths import accuracy_by_length
from genreflow.evaluation.metrics import confusion, per_fold, per_genre, per_run
from genreflow.evaluation.predictions import Codes, Predictions, PredictionsError, read_predictions
from genreflow.evaluation.robustness import mixed, read_answers, robustness_table, summaries
from genreflow.evaluation.trained import Files, grids, importances, model_facts
from genreflow.evaluation.vote import hard_vote, soft_vote
from genreflow.params import Params
from genreflow.registry import BASELINE, ENSEMBLE, OPEN_ENSEMBLE
from genreflow.registry.entry import GRID, HISTORY, IMPORTANCE, METADATA, PREDICTIONS
from genreflow.store.files import write_csv, write_json
from genreflow.store.tables import read_table, write_table
from genreflow.tracks.audit import audit_duplicates


def evaluate(
    params: Params,
    trained: Mapping[str, Files],
    splits: Path,
    tracks: Path,
    out: Path,
    report: Path,
    changed: Mapping[str, Path] | None = None,
) -> None:
    """Compare all models on their test tracks.

    Parameters
    ----------
    params
        All parameters; only ``evaluation`` shapes the numbers, the others identify the inputs.
    trained
        What training wrote, by the name of the file and then by model: ``predictions.parquet`` and
        ``model.json`` of every model, ``history.csv``, ``cv.csv`` and ``importance.csv`` of those
        that have them.
    splits, tracks
        The splits and the manifest of all tracks.
    out
        Folder for the full tables, ``results/evaluation``.
    report
        Folder for what DVC shows, ``results/report``: ``metrics.json`` and ``plots/``.
    changed
        What each model says of changed test tracks, by the model; none where nobody asked.

    Raises
    ------
    PredictionsError
        There are no predictions, or models know different genres.
    """
    split_table = read_table(splits, lineage.stamp("splits", params))
    manifest = read_table(tracks, lineage.stamp("tracks", params))
    loaded = {
        model: read_predictions(params, model, paths)
        for model, paths in trained[PREDICTIONS].items()
        if paths
    }
    _check_genres(loaded)
    levels: dict[str, Levels] = {}
    hard: dict[str, Codes] = {}
    for model, rows in loaded.items():
        test = rows.of_role("test")
        levels[model] = {"track": soft_vote(test)}
        if test.per_window:
            levels[model]["window"] = test
            hard[model] = hard_vote(test)
    # Where models are set side by side track by track, each speaks through its first seed.
    single = {model: of_model["track"].of_first_seed() for model, of_model in levels.items()}
    valid = {model: soft_vote(rows.of_role("valid")) for model, rows in loaded.items()}
    ensembles = _ensembles(params, {m: v.of_first_seed() for m, v in valid.items()}, single)
    valid |= {name: ensemble.valid for name, ensemble in ensembles.items()}
    mixtures = {name: ensemble.decisions for name, ensemble in ensembles.items()}
    levels |= {name: {"track": decisions} for name, decisions in mixtures.items()}
    metrics, pairs = compare(levels, hard, split_table, params)
    tracks_of = {model: of_model["track"] for model, of_model in levels.items()}
    one_seed = single | mixtures
    temperatures = {model: fit_temperatures(valid[model]) for model in levels}
    calibrated = {m: calibrate(part, temperatures[m]) for m, part in tracks_of.items()}
    n_bins = params.evaluation.calibration_bins
    for model, part in calibrated.items():
        metrics[model]["track"] |= calibrated_scores(part, n_bins)
    answers = read_answers(params, changed or {})
    if answers:
        answers |= {name: mixed(answers, of.weights) for name, of in ensembles.items()}
    robustness = robustness_table(answers, split_table, params.evaluation.confidence)
    for model, summary in summaries(robustness).items():
        metrics[model]["track"] |= summary
    facts = model_facts(trained[METADATA], trained[PREDICTIONS])
    curves = read_histories(trained.get(HISTORY, {}), facts)
    stamp = lineage.stamp("evaluate", params, kind="evaluation")
    write_table(_pooled(tracks_of, hard), out / "predictions.parquet", stamp)
    write_json(metrics, out / "metrics.json")
    write_json(audit_duplicates(manifest, split_table), out / "duplicates.json")
    write_json(facts, out / "models.json")
    tables = {
        "per_genre": _by_level(levels, _per_genre),
        "per_fold": _by_level(levels, _per_fold),
        "per_run": _by_level(levels, lambda part: per_run(part, params.splits)),
        "pairs": pairs,
        "confusion": _by_level(levels, _confusion),
        "calibration": _calibration(levels, calibrated, n_bins),
        "temperatures": temperature_table(temperatures),
        "agreement": agree.agreement(one_seed),
        "confused_pairs": agree.confused_pairs(single),
        "hardest_tracks": agree.hardest_tracks(single),
        "by_length": accuracy_by_length(
            one_seed, manifest.set_index("track_id")["seconds"].astype(float)
        ),
        "ensemble": _weights(ensembles),
        "robustness": robustness,
        "learning_curves": curves,
        "grids": grids(trained.get(GRID, {})),
        "importances": importances(trained.get(IMPORTANCE, {})),
    }
    for name, table in tables.items():
        write_csv(table, out / f"{name}.csv")
    _write_report(metrics, tracks_of, curves, report)


def _check_genres(loaded: Mapping[str, Predictions]) -> None:
    if not loaded:
        raise PredictionsError(
            "there are no predictions to evaluate; train at least one model, for instance with "
            f"`snakemake all_train_{BASELINE}`."
        )
    known = {model: rows.genres for model, rows in loaded.items()}
    if len(set(known.values())) > 1:
        raise PredictionsError(
            "models know different genres and can't be compared: "
            + "; ".join(f"{model}: {', '.join(genres)}" for model, genres in known.items())
            + ". Rerun `snakemake` so that all of them see the same corpus."
        )


def _ensembles(
    params: Params, valid: Mapping[str, Predictions], test: Mapping[str, Predictions]
) -> dict[str, Ensemble]:
    """Let the models vote that know the corpus alone and, where there are others, all of them."""
    found = {
        name: build_ensemble({m: valid[m] for m in members}, {m: test[m] for m in members})
        for name, members in _members(params, list(test)).items()
    }
    return {name: ensemble for name, ensemble in found.items() if ensemble is not None}


def _members(params: Params, models: list[str]) -> dict[str, list[str]]:
    alone = [model for model in models if not params.outside_data_of(model)]
    return {ENSEMBLE: alone} | ({OPEN_ENSEMBLE: models} if alone != models else {})


def _weights(ensembles: Mapping[str, Ensemble]) -> pd.DataFrame:
    parts = [of.weights.assign(ensemble=name) for name, of in ensembles.items()]
    columns = ["ensemble", "fold", "model", "weight"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def _pooled(decisions: Mapping[str, Predictions], hard: Mapping[str, Codes]) -> pd.DataFrame:
    """Return every model's decision on every test track, with its probabilities."""
    parts = []
    for model, part in decisions.items():
        names = np.asarray(part.genres, dtype=object)
        keys = part.keys.assign(
            model=model,
            predicted=names[part.predicted],
            predicted_hard=names[hard.get(model, part.predicted)],
        )[list(OF_DECISIONS)]
        shares = pd.DataFrame(
            part.probabilities.astype(np.float32),
            columns=[column_of(genre) for genre in part.genres],
        )
        parts.append(pd.concat([keys, shares], axis=1))
    return pd.concat(parts, ignore_index=True)


def _calibration(
    levels: Mapping[str, Levels], calibrated: Mapping[str, Predictions], n_bins: int
) -> pd.DataFrame:
    """Stack the reliability of all models and levels; tracks have one after calibration, too."""
    after = {model: {"track": part} for model, part in calibrated.items()}
    tables = [_by_level(of, lambda part: reliability(part, n_bins)) for of in (levels, after)]
    return beside_each_other(*tables)


def _by_level(
    levels: Mapping[str, Levels], describe: Callable[[Predictions], pd.DataFrame]
) -> pd.DataFrame:
    """Stack one table per model and level, with columns model and level in front."""
    parts = []
    for model, of_model in levels.items():
        for level, decisions in of_model.items():
            part = describe(decisions)
            part.insert(0, "level", level)
            part.insert(0, "model", model)
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _per_genre(part: Predictions) -> pd.DataFrame:
    return per_genre(part.actual, part.predicted, part.genres)


def _per_fold(part: Predictions) -> pd.DataFrame:
    return per_fold(part.keys["fold"], part.actual, part.predicted)


def _confusion(part: Predictions) -> pd.DataFrame:
    counts = confusion(part.actual, part.predicted, len(part.genres))
    return pd.DataFrame(
        {
            "actual": np.repeat(part.genres, len(part.genres)),
            "predicted": np.tile(part.genres, len(part.genres)),
            "count": counts.ravel(),
        }
    )


def _write_report(
    metrics: Metrics,
    decisions: Mapping[str, Predictions],
    curves: pd.DataFrame,
    report: Path,
) -> None:
    """Write what ``dvc metrics`` and ``dvc plots`` show."""
    write_json(metrics, report / "metrics.json")
    plots = report / "plots"
    for model, part in decisions.items():
        names = np.asarray(part.genres, dtype=object)
        table = pd.DataFrame({"actual": part.keys["genre"], "predicted": names[part.predicted]})
        write_csv(table, plots / "confusion" / f"{model}.csv")
    write_csv(
        pd.DataFrame(
            [
                {
                    "model": model,
                    "accuracy": of["track"]["accuracy"],
                    "balanced_accuracy": of["track"]["balanced_accuracy"],
                    "f1_macro": of["track"]["f1_macro"],
                }
                for model, of in metrics.items()
            ]
        ).sort_values(["accuracy", "model"], ascending=[False, True]),
        plots / "leaderboard.csv",
    )
    for name, curve in mean_validation_accuracy(curves).groupby("model"):
        write_csv(curve[["epoch", "val_accuracy"]], plots / "learning" / f"{name}.csv")
    write_csv(curves.drop(columns="kept"), plots / "learning_curves.csv")
