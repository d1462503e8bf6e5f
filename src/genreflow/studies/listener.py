"""A model that hears tracks it may know and others: how sure it is, and how familiar they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from genreflow.features.rows import FeatureRows, Floats
from genreflow.models.base import Model
from genreflow.models.familiarity import Familiarity
from genreflow.models.temperature import apply_temperature, as_margins, temperature_of
from genreflow.params import Params, Unknown
from genreflow.studies.trial import track_probabilities, track_rows
from genreflow.training import fit

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """What a listener makes of some tracks.

    Attributes
    ----------
    confidence
        (n,) the largest probability after calibration.
    familiarity
        (n,) see :mod:`genreflow.models.familiarity`.
    """

    confidence: Doubles
    familiarity: Doubles


def score(known: Heard, unknown: Heard, settings: Unknown) -> dict[str, Any]:
    """Compare tracks of genres that a listener may know with others.

    Returns
    -------
    dict
        Keys n_known, n_unknown; auroc: how often the confidence in a known track is higher than in
        an unknown one, if both are drawn; auroc_familiarity and auroc_both: the same for
        familiarity, and for the product of both; known_unsure, unknown_unsure, known_unfamiliar and
        unknown_unfamiliar: shares of tracks below the thresholds.
    """
    is_known = np.repeat([1, 0], [len(known.confidence), len(unknown.confidence)])

    def auroc(of_known: Doubles, of_unknown: Doubles) -> float:
        return float(roc_auc_score(is_known, np.concatenate([of_known, of_unknown])))

    both = [heard.confidence * heard.familiarity for heard in (known, unknown)]
    shares = {}
    for name, heard in (("known", known), ("unknown", unknown)):
        shares[f"{name}_unsure"] = float(np.mean(heard.confidence < settings.unsure_below))
        unfamiliar = heard.familiarity < settings.unfamiliar_below
        shares[f"{name}_unfamiliar"] = float(np.mean(unfamiliar))
    return {
        "n_known": len(known.confidence),
        "n_unknown": len(unknown.confidence),
        "auroc": auroc(known.confidence, unknown.confidence),
        "auroc_familiarity": auroc(known.familiarity, unknown.familiarity),
        "auroc_both": auroc(*both),
        **shares,
    }


@dataclass(frozen=True)
class Listener:
    """A model trained on a fold, with what its validation tracks say.

    Attributes
    ----------
    model
        Trained.
    temperature
        Of its probabilities of tracks.
    familiarity
        Of the features of whole tracks, whatever the model reads.
    found, described
        The features that the model reads, and those of whole tracks.
    """

    model: Model[Any]
    temperature: float
    familiarity: Familiarity
    found: FeatureRows
    described: FeatureRows

    @classmethod
    def trained(
        cls,
        name: str,
        fold: pd.DataFrame,
        params: Params,
        found: FeatureRows,
        described: FeatureRows,
    ) -> Listener:
        """Train a model on a fold: columns track_id, genre, group, role."""
        model = fit(name, fold, params, found).model
        genres = pd.Index(model.signature.genres)
        train, valid = (fold[fold["role"] == role] for role in ("train", "valid"))
        margins = as_margins(track_probabilities(model, found, valid["track_id"].tolist()))
        label = genres.get_indexer(pd.Index(valid["genre"]))
        temperature = temperature_of(margins, label, np.ones(len(valid), np.float32))
        familiarity = Familiarity.learnt(
            track_rows(described, train["track_id"].tolist()),
            genres.get_indexer(pd.Index(train["genre"])),
            track_rows(described, valid["track_id"].tolist()),
        )
        return cls(model, temperature, familiarity, found, described)

    def hear(self, tracks: Sequence[str]) -> Heard:
        """Hear tracks whose features are there."""
        probabilities = track_probabilities(self.model, self.found, tracks)
        return self.judge(probabilities, track_rows(self.described, tracks))

    def judge(self, probabilities: Doubles, described: Floats) -> Heard:
        """Say how sure and how familiar: probabilities (n, n_genres), features (n, n_features)."""
        calibrated = apply_temperature(probabilities, self.temperature)
        return Heard(calibrated.max(axis=1), self.familiarity.of(described))  # type: ignore[arg-type, unused-ignore]
