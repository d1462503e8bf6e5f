"""A convolutional network on mel windows."""

from __future__ import annotations

from pydantic import Field

from genreflow.registry.entry import HISTORY, ModelEntry
from genreflow.registry.neural import NeuralSection, Width
from genreflow.section import PositiveInt


class CnnSection(NeuralSection):
    """`cnn`: 2D CNN, five convolutions and a dense layer."""

    filters: list[Width] = Field(
        [16, 32, 64, 96, 128], min_length=5, max_length=5, description="Filters of each layer."
    )
    input_pool: PositiveInt = Field(
        2, description="Frames and bands averaged into one input; 2 takes a quarter of the time."
    )


ENTRY = ModelEntry(
    name="cnn",
    title="CNN on mel windows",
    features="mel",
    parameters=CnnSection,
    implementation="genreflow.models.cnn:Cnn",
    model_files=("model.keras",),
    tables=(HISTORY,),
    tuned="temperature (validation tracks)",
    memory_mb=1500,
    minutes=60,
    priority=1,
    gpu=True,
)
