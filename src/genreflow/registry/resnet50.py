"""ResNet50 on mel windows."""

from __future__ import annotations

from pathlib import PurePath

from pydantic import Field

from genreflow.registry.entry import HISTORY, ModelEntry
from genreflow.registry.neural import NeuralSection
from genreflow.section import PositiveInt


class Resnet50Section(NeuralSection):
    """`resnet50`: keras.applications' ResNet50."""

    weights: str | None = Field(
        None,
        min_length=1,
        description="null: from scratch; imagenet: pre-trained (downloads 94 MB); or their file.",
    )
    input_frames: int = Field(
        32, ge=32, le=1024, description="Frames that a window is averaged to."
    )
    input_bands: int = Field(
        64, ge=32, le=1024, description="Bands that a window is averaged to; fewer cost accuracy."
    )
    windows_per_epoch: PositiveInt = Field(
        5000, description="Most windows of an epoch; drawn anew, as many of each track."
    )
    epochs: PositiveInt = Field(
        15, description="Epochs, each of as many windows as training tracks have."
    )

    @property
    def outside_data(self) -> tuple[str, ...]:
        """Name the weights that training starts from; of a file, without its folders."""
        return (PurePath(self.weights).name,) if self.weights else ()


ENTRY = ModelEntry(
    name="resnet50",
    title="ResNet50 on mel windows",
    features="mel",
    parameters=Resnet50Section,
    implementation="genreflow.models.resnet50:Resnet50",
    model_files=("model.keras",),
    tables=(HISTORY,),
    tuned="temperature (validation tracks)",
    memory_mb=3000,
    minutes=150,
    priority=2,
    gpu=True,
    # It takes as long as all the others together, and is rarely the best.
    refit=False,
)

TRAINED_ON: dict[str, str] = {
    "imagenet": "trained on ImageNet, 1.3 million photographs of a thousand things: no music, so "
    "no recording of this corpus"
}
"""What weights that can be named learnt elsewhere, and what that means for the accuracy here."""
