"""A recurrent network on mel windows."""

from __future__ import annotations

from pydantic import Field

from genreflow.registry.entry import HISTORY, ModelEntry
from genreflow.registry.neural import NeuralSection, Width
from genreflow.section import PositiveInt


class LstmSection(NeuralSection):
    """`lstm`: LSTM over the time frames of a window."""

    units: list[Width] = Field(
        [96, 64], min_length=1, max_length=16, description="Units of each layer."
    )
    time_pool: PositiveInt = Field(2, description="Frames averaged into one time step.")


ENTRY = ModelEntry(
    name="lstm",
    title="LSTM on mel windows",
    features="mel",
    parameters=LstmSection,
    implementation="genreflow.models.lstm:Lstm",
    model_files=("model.keras",),
    tables=(HISTORY,),
    memory_mb=1500,
    priority=1,
    gpu=True,
)
