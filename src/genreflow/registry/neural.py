"""What the sections of the Keras models share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genreflow.registry.entry import ModelSection
from genreflow.section import PositiveFloat, PositiveInt

Width = Annotated[int, Field(gt=0, le=4096)]
"""Filters or units of a layer."""


class KerasSection(ModelSection):
    """What all Keras models share."""

    epochs: PositiveInt = Field(
        20, description="Epochs, each of as many windows as training tracks have."
    )
    batch_size: PositiveInt = Field(32, description="Windows per step.")
    learning_rate: PositiveFloat = Field(
        1e-3, description="Peak learning rate; rises over a tenth of the steps, then falls to 0."
    )
    weight_decay: float = Field(1e-4, ge=0, description="Decoupled weight decay.")
    dropout: float = Field(0.3, ge=0, lt=1, description="Dropout before the classifier.")
    label_smoothing: float = Field(0.05, ge=0, lt=1, description="Label smoothing.")


class NeuralSection(KerasSection):
    """What the Keras models on mel windows share."""

    windows_per_epoch: PositiveInt = Field(
        10000, description="Most windows of an epoch; drawn anew, as many of each track."
    )
    optimizer: Literal["adamw", "sgd"] = Field(
        "adamw", description="sgd: with Nesterov momentum 0.9; takes less time per step."
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32",
        description="Of the sums in training; the mixed ones are for GPUs. Models are float32.",
    )
    mixup: float = Field(0.2, ge=0, description="Alpha of mixup between windows; 0: off.")
    time_mask: float = Field(0.15, ge=0, lt=1, description="SpecAugment: longest masked time.")
    frequency_mask: float = Field(0.1, ge=0, lt=1, description="SpecAugment: widest masked band.")
    pitch_shift: int = Field(
        4, ge=0, le=64, description="Move windows up or down by at most so many mel bands; 0: off."
    )
    time_stretch: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="Stretch a part over the window, leaving out at most this share; 0: off.",
    )
    filter_db: float = Field(
        6.0,
        ge=0,
        description="FilterAugment: largest gain of a frequency, up or down [dB]; 0: off.",
    )
