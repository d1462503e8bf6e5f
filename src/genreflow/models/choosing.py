"""What several trainings chose, made into one choice for a training on all tracks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Choices = Sequence[Mapping[str, Any]]
"""The `best` of each training (:class:`genreflow.models.base.FitResult`), in the order of folds."""

NOT_SEARCHED = ("temperature", "epoch", "n_components")


def mean_temperature(choices: Choices) -> float:
    """Return the geometric mean of the temperatures."""
    return float(np.exp(np.mean([np.log(choice["temperature"]) for choice in choices])))


def median_epoch(choices: Choices) -> int:
    """Return the median of the best epochs, rounded up."""
    return int(np.ceil(np.median([choice["epoch"] for choice in choices])))


def commonest(choices: Choices) -> dict[str, Any]:
    """Return the candidate that most grid searches chose; of equally many, the earliest fold's."""
    candidates = [
        json.dumps({k: v for k, v in choice.items() if k not in NOT_SEARCHED}, sort_keys=True)
        for choice in choices
    ]
    ((first, _),) = Counter(candidates).most_common(1)
    found: dict[str, Any] = json.loads(first)
    return found
