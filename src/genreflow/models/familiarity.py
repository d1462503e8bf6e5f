"""How familiar a track is: whether it lies as near to some genre as tracks of the corpus do.

Confidence is about the genres that there are, and can be high for what is none of them. Familiarity
asks the features: it is the share of validation tracks that lie no nearer to the mean of their
nearest genre. Of tracks like these, at most 5 % thus have a familiarity below 0.05, and of others
more. (With less than twenty validation tracks none is that low.)

References
----------
K. Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
attacks", NeurIPS 2018 (distance to the nearest class mean; here each feature has its own scale).
R. Laxhammar, G. Falkman, "Inductive conformal anomaly detection for sequential detection of
anomalous trajectories", Annals of Mathematics and AI 74, 2015 (the share).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreflow.features.rows import Floats, Integers

Doubles = npt.NDArray[np.float64]

_FARTHEST = 5.0
"""Standard deviations that a feature may lie away: no single one makes a track a stranger."""


@dataclass(frozen=True)
class Familiarity:
    """What familiarity is measured by.

    Attributes
    ----------
    centre, scale
        (n_features,) mean and standard deviation of training tracks.
    means
        (n_genres, n_features) of each genre, standardised.
    distances
        (n,) of validation tracks, sorted.
    """

    centre: Doubles
    scale: Doubles
    means: Doubles
    distances: Doubles

    @classmethod
    def learnt(cls, train: Floats, label: Integers, valid: Floats) -> Familiarity:
        """Return what familiarity is measured by.

        Parameters
        ----------
        train
            Features of whole tracks, (n, n_features).
        label
            (n,) numbers of the genres of `train`.
        valid
            Features of other tracks, (m, n_features).
        """
        values = train.astype(np.float64)
        scale = values.std(axis=0)
        centre, scale = values.mean(axis=0), np.where(scale > 0, scale, 1.0)
        near = _standardised(values, centre, scale)
        means = np.stack([near[label == genre].mean(axis=0) for genre in np.unique(label)])
        alone = cls(centre, scale, means, np.zeros(0))
        return cls(centre, scale, means, np.sort(alone.distance(valid)))

    def distance(self, values: Floats) -> Doubles:
        """Return the mean squared distance of tracks, (n, n_features), to their nearest genre."""
        near = _standardised(values.astype(np.float64), self.centre, self.scale)
        of_genres = [((near - mean) ** 2).mean(axis=1) for mean in self.means]
        distances: Doubles = np.min(of_genres, axis=0)
        return distances

    def of(self, values: Floats) -> Doubles:
        """Return the familiarity of tracks, (n, n_features): above 0, and at most 1."""
        n_valid = len(self.distances)
        nearer = np.searchsorted(self.distances, self.distance(values), side="left")
        familiarity: Doubles = (n_valid - nearer + 1) / (n_valid + 1)
        return familiarity


def _standardised(values: Doubles, centre: Doubles, scale: Doubles) -> Doubles:
    near: Doubles = np.clip((values - centre) / scale, -_FARTHEST, _FARTHEST)
    return near
