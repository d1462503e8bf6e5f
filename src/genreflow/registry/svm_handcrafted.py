"""A support vector machine on handcrafted features."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genreflow.registry.entry import GRID, ModelEntry
from genreflow.registry.grid import GridSection
from genreflow.section import PositiveFloat

Kernel = Literal["linear", "rbf"]
Shrinkage = Annotated[float, Field(ge=0, le=1)]


class SvmHandcraftedSection(GridSection):
    """`svm_handcrafted`: support vector machine on handcrafted features."""

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


ENTRY = ModelEntry(
    name="svm_handcrafted",
    title="SVM on handcrafted features",
    features="handcrafted",
    parameters=SvmHandcraftedSection,
    implementation="genreflow.models.svm_handcrafted:SvmHandcrafted",
    model_files=("model.skops",),
    tables=(GRID,),
    tuned=(
        "share of features, whitening, kernel, C and width (grid inside the training tracks), "
        "temperature (validation tracks)"
    ),
    memory_mb=1000,
)
