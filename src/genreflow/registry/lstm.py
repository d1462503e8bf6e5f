"""A recurrent network on mel windows."""

from __future__ import annotations

from pydantic import Field

from genreflow.registry.entry import HISTORY, ModelEntry
from genreflow.registry.neural import NeuralSection, Width
from genreflow.section import PositiveFloat, PositiveInt


class LstmSection(NeuralSection):
    """`lstm`: convolutions, then a bidirectional LSTM over time."""

    learning_rate: PositiveFloat = Field(
        2e-3, description="Peak learning rate; rises over a tenth of the steps, then falls to 0."
    )
    filters: list[Width] = Field(
        [16, 32, 48], min_length=3, max_length=3, description="Filters of each convolution."
    )
    units: list[Width] = Field(
        [48], min_length=1, max_length=16, description="Units of each layer, in each direction."
    )
    input_pool: PositiveInt = Field(
        2, description="Frames and bands averaged into one input; 2 takes a quarter of the time."
    )


ENTRY = ModelEntry(
    name="lstm",
    title="LSTM on mel windows",
    features="mel",
    parameters=LstmSection,
    implementation="genreflow.models.lstm:Lstm",
    model_files=("model.keras",),
    tables=(HISTORY,),
    tuned="temperature (validation tracks)",
    memory_mb=1500,
    minutes=60,
    priority=1,
    gpu=True,
)
