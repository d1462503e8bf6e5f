"""What the sections of the models with a grid search share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genreflow.registry.entry import ModelSection

Scaling = Literal["ranks", "standard"]


class GridSection(ModelSection):
    """Scaler, feature selection, classifier; a grid search over the last two."""

    inner_folds: int = Field(5, ge=2, description="Grouped folds of the grid search.")
    scaling: Scaling = Field(
        "ranks",
        description="ranks: those of a normal distribution, bounded; standard: mean 0, variance 1.",
    )
    selected_fraction: list[float] = Field(
        [0.5, 0.75, 1.0], min_length=1, description="Grid: share of features kept (ANOVA F)."
    )
