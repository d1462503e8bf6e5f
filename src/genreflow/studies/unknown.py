"""How sure models are of music that they can't know, and how familiar it is.

A model of a closed set names a genre whatever it hears. If its confidence means something, it is
lower for what is none of its genres. So two cheap models are trained without one genre at a time,
and asked for that genre's tracks; and, where there are any, for sounds that are no music of the
corpus at all. Confidence is the largest probability of a track after calibration; entropy, and the
margin before the second genre, tell no more. On real music it falls for other genres a little, and
for speech or noise it may rise. Familiarity, which asks the features and no model, tells these
(docs/experiments.md).

References
----------
D. Hendrycks, K. Gimpel, "A baseline for detecting misclassified and out-of-distribution examples in
neural networks", ICLR 2017 (the largest probability as a score, and its AUROC).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow import lineage, registry
from genreflow.features.rows import FeatureRows
from genreflow.folds import fold_names
from genreflow.params import Params
from genreflow.registry import PROBES
from genreflow.robustness.cache import read_tracks
from genreflow.store.files import write_json
from genreflow.store.tables import read_table
from genreflow.studies.listener import Listener, score
from genreflow.studies.trial import Features
from genreflow.training import open_features

log = logging.getLogger(__name__)

WHOLE = "handcrafted"
"""Features of one row a track: by them, tracks are familiar or not."""

_DESCRIBING = next(model for model in PROBES if registry.entry(model).reads == (WHOLE,))

AVERAGED = (
    "auroc",
    "auroc_familiarity",
    "auroc_both",
    "known_unsure",
    "unknown_unsure",
    "known_unfamiliar",
    "unknown_unfamiliar",
)
"""What the mean over genres is taken of."""

_LEAST_GENRES = 3
"""Without one of them, two are left to tell apart."""


def unknown_music(
    params: Params, features: Features, splits: Path, strangers: Path, out: Path
) -> None:
    """Train the probes on the first fold without a genre, and write how sure they are of it.

    Parameters
    ----------
    params
        All parameters.
    features
        Of all shards, by kind.
    splits
        The splits.
    strangers
        What :func:`genreflow.robustness.strangers.write_strangers` wrote.
    out
        JSON to write: unsure_below and unfamiliar_below (the thresholds), and models: of each
        probe, left_out (genre → what :func:`~genreflow.studies.listener.score` returns), the means
        over genres of :data:`AVERAGED`, and strangers (kind of sound → the same, by a probe that
        knows all genres). Or skipped, the reason why nothing was trained.

    Raises
    ------
    genreflow.store.stamp.StaleArtifactError, genreflow.training.TrainingError
        An input was made by other parameters, or features lack tracks.
    """
    if not params.unknown.enabled:
        write_json({"skipped": "unknown.enabled is false"}, out)
        return
    table = read_table(splits, lineage.stamp("splits", params))
    fold = table[table["fold"] == fold_names(params.splits)[0]]
    genres = left_out(fold, params.unknown.genres)
    if not genres:
        write_json({"skipped": f"it takes {_LEAST_GENRES} genres with tracks of every role"}, out)
        return
    models = {}
    with closing(_open(_DESCRIBING, params, features, splits)) as described:
        for model in PROBES:
            with closing(_open(model, params, features, splits)) as found:
                own = params.of_training(model, 0)
                opened = _Opened(model, fold, own, found, described)
                models[model] = _study(opened, genres, strangers)
    thresholds = params.unknown.model_dump(include={"unsure_below", "unfamiliar_below"})
    write_json({**thresholds, "models": models}, out)


def _open(model: str, params: Params, features: Features, splits: Path) -> FeatureRows:
    paths = [path for kind in registry.kinds_of(model) for path in features[kind.name]]
    return open_features(model, params, paths, splits)


def left_out(fold: pd.DataFrame, most: int) -> list[str]:
    """Return the genres to leave out: those with the most tracks, if the others can be told apart.

    Parameters
    ----------
    fold
        Columns track_id, genre, group, role.
    most
        How many genres at most.
    """
    found = []
    if fold["genre"].nunique() < _LEAST_GENRES:
        return []
    counts = fold["genre"].value_counts().rename_axis("genre").reset_index()
    for genre in counts.sort_values(["count", "genre"], ascending=[False, True])["genre"]:
        others = set(fold.loc[fold["genre"] != genre, "role"])
        if others >= {"train", "valid", "test"} and len(unheard(fold, genre)):
            found.append(str(genre))
    return sorted(found[:most])


def unheard(fold: pd.DataFrame, genre: str) -> list[str]:
    """Return the tracks of a genre whose groups train no other: all roles, since none is used."""
    trained = fold.loc[(fold["genre"] != genre) & (fold["role"] == "train"), "group"]
    rows = fold[(fold["genre"] == genre) & ~fold["group"].isin(set(trained))]
    return sorted(rows["track_id"])


@dataclass(frozen=True)
class _Opened:
    """What a probe is trained on: a fold, the features it reads, and those of whole tracks."""

    name: str
    fold: pd.DataFrame
    params: Params
    found: FeatureRows
    described: FeatureRows

    def without(self, genre: str) -> dict[str, Any]:
        """Train without a genre and compare its tracks with the test tracks of the others."""
        log.info("%s without %s", self.name, genre)
        known = self.fold[self.fold["genre"] != genre]
        listener = self.listener(known)
        heard = listener.hear(unheard(self.fold, genre))
        return score(listener.hear(_tested(known)), heard, self.params.unknown)

    def with_all(self, strangers: Path) -> dict[str, dict[str, Any]]:
        """Compare sounds of no genre with all test tracks, for each kind of them."""
        reads = registry.entry(self.name).reads
        kinds = tuple(dict.fromkeys([*reads, WHOLE]))
        sounds = read_tracks(strangers, kinds, lineage.stamp("strangers", self.params))
        with closing(sounds):
            first = next(sounds, None)
            if first is None:
                return {}
            log.info("%s and sounds of no genre", self.name)
            listener = self.listener(self.fold)
            answers: dict[str, list[tuple[Any, Any]]] = {}
            for sound in chain([first], sounds):
                values = np.concatenate([sound.rows[kind] for kind in reads])
                values = values.reshape(-1, *listener.model.signature.shape)
                mean = listener.model.predict_proba(values).astype(np.float64).mean(axis=0)
                answers.setdefault(sound.genre, []).append((mean, sound.rows[WHOLE]))
        known = listener.hear(_tested(self.fold))
        return {
            kind: score(
                known,
                listener.judge(*(np.stack(part) for part in zip(*of_kind, strict=True))),
                self.params.unknown,
            )
            for kind, of_kind in answers.items()
        }

    def listener(self, fold: pd.DataFrame) -> Listener:
        return Listener.trained(self.name, fold, self.params, self.found, self.described)


def _tested(fold: pd.DataFrame) -> list[str]:
    return sorted(fold.loc[fold["role"] == "test", "track_id"])


def _study(opened: _Opened, genres: Sequence[str], strangers: Path) -> dict[str, Any]:
    of_genres = {genre: opened.without(genre) for genre in genres}
    means = {
        key: float(np.mean([scored[key] for scored in of_genres.values()])) for key in AVERAGED
    }
    return {"left_out": of_genres, **means, "strangers": opened.with_all(strangers)}
