"""What the sections of the support vector machines on whole tracks share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genreflow.registry.grid import GridSection
from genreflow.section import PositiveFloat

Kernel = Literal["linear", "rbf"]
Shrinkage = Annotated[float, Field(ge=0, le=1)]


class SvmTracksSection(GridSection):
    """Scaler, selection, whitening and a support vector machine."""

    shrinkage: list[Shrinkage] = Field(
        [0.7],
        min_length=1,
        description="Grid: shrinkage of the covariance within genres, for whitening; 1: none.",
    )
    kernel: list[Kernel] = Field(["rbf"], min_length=1, description="Grid: kernel.")
    C: list[PositiveFloat] = Field(
        [10.0], min_length=1, description="Grid: C of a track, shared with its copies."
    )
    gamma_scale: list[PositiveFloat] = Field(
        [0.1, 0.3], min_length=1, description="Grid: RBF width, in units of 1 / n_features."
    )


IMPLEMENTATION = "genreflow.models.svm_tracks:TrackSvm"
FILES = ("model.skops",)
TUNED = (
    "share of features, whitening, kernel, C and width (grid inside the training tracks), "
    "temperature (validation tracks)"
)
