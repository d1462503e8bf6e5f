"""Gradient boosted trees on handcrafted features."""

from __future__ import annotations

from pydantic import Field

from genreflow.registry.entry import GRID, IMPORTANCE, ModelEntry
from genreflow.registry.grid import GridSection
from genreflow.section import PositiveFloat, PositiveInt


class XgbHandcraftedSection(GridSection):
    """`xgb_handcrafted`: gradient boosted trees on handcrafted features."""

    n_estimators: list[PositiveInt] = Field(
        [300], min_length=1, description="Grid: boosting rounds."
    )
    max_depth: list[PositiveInt] = Field([3], min_length=1, description="Grid: tree depth.")
    learning_rate: list[PositiveFloat] = Field([0.08], min_length=1, description="Grid: shrinkage.")
    subsample: float = Field(0.5, gt=0, le=1, description="Share of tracks per tree.")
    colsample_bytree: float = Field(0.1, gt=0, le=1, description="Share of features per tree.")


ENTRY = ModelEntry(
    name="xgb_handcrafted",
    title="XGBoost on handcrafted features",
    features="handcrafted",
    parameters=XgbHandcraftedSection,
    implementation="genreflow.models.xgb_handcrafted:XgbHandcrafted",
    model_files=("model.skops", "model.xgb.json"),
    tables=(GRID, IMPORTANCE),
    tuned="share of features, rounds, depth and shrinkage (grid inside the training tracks)",
    memory_mb=1000,
    minutes=10,
)
