"""A small network on embeddings."""

from __future__ import annotations

from pydantic import Field

from genreflow.registry.entry import HISTORY, ModelEntry
from genreflow.registry.neural import KerasSection, Width
from genreflow.section import PositiveInt


class MlpEmbeddingSection(KerasSection):
    """`mlp_embedding`: one hidden layer on frozen embeddings, as MARBLE probes encoders."""

    units: Width = Field(512, description="Units of the hidden layer.")
    epochs: PositiveInt = Field(60, description="Epochs, each of all training tracks and copies.")
    batch_size: PositiveInt = Field(64, description="Tracks per step.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay.")
    dropout: float = Field(0.25, ge=0, lt=1, description="Dropout before both layers.")


ENTRY = ModelEntry(
    name="mlp_embedding",
    title="MLP on embeddings",
    features="embedding",
    parameters=MlpEmbeddingSection,
    implementation="genreflow.models.mlp_embedding:MlpEmbedding",
    model_files=("model.keras",),
    tables=(HISTORY,),
    tuned="temperature (validation tracks)",
    memory_mb=1500,
    minutes=10,
)
