"""The baseline: gradient boosted trees on mel windows."""

from __future__ import annotations

from pydantic import Field

from genreflow.registry.entry import HISTORY, ModelEntry, ModelSection
from genreflow.section import PositiveFloat, PositiveInt


class XgbMelSection(ModelSection):
    """`xgb_mel`, the baseline: gradient boosted trees on mel windows."""

    windows_per_track: PositiveInt = Field(
        8, description="Training windows drawn from a track, evenly spaced."
    )
    n_estimators: PositiveInt = Field(150, description="Most boosting rounds.")
    early_stopping_rounds: PositiveInt = Field(
        15, description="Stop after so many rounds without a better validation loss."
    )
    max_depth: PositiveInt = Field(5, description="Depth of a tree.")
    learning_rate: PositiveFloat = Field(0.15, description="Shrinkage.")
    subsample: float = Field(0.7, gt=0, le=1, description="Share of windows per tree.")
    colsample_bytree: float = Field(0.1, gt=0, le=1, description="Share of inputs per tree.")
    max_bin: int = Field(64, ge=8, le=256, description="Histogram bins.")


ENTRY = ModelEntry(
    name="xgb_mel",
    title="XGBoost on mel windows",
    features="mel",
    parameters=XgbMelSection,
    implementation="genreflow.models.xgb_mel:XgbMel",
    model_files=("model.xgb.json",),
    tables=(HISTORY,),
    tuned="boosting rounds (validation tracks)",
    memory_mb=1500,
    minutes=10,
)
