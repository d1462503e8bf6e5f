"""The order in which models are listed, wherever they are: the best first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def best_first(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return names by track accuracy; of equal ones by macro F1, then by the alphabet.

    Parameters
    ----------
    metrics
        Of the level "track", with accuracy and f1_macro, by the name of the model.
    """
    return sorted(
        metrics, key=lambda name: (-metrics[name]["accuracy"], -metrics[name]["f1_macro"], name)
    )
