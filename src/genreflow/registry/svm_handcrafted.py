"""A support vector machine on handcrafted features."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genreflow.registry.entry import GRID, ModelEntry
from genreflow.registry.grid import GridSection
from genreflow.section import PositiveFloat

Kernel = Literal["linear", "rbf"]


class SvmHandcraftedSection(GridSection):
    """`svm_handcrafted`: support vector machine on handcrafted features."""

    kernel: list[Kernel] = Field(["rbf"], min_length=1, description="Grid: kernel.")
    C: list[PositiveFloat] = Field([1.0, 3.0, 10.0, 30.0], min_length=1, description="Grid: C.")
    gamma_scale: list[PositiveFloat] = Field(
        [0.3, 1.0], min_length=1, description="Grid: RBF width, in units of 1 / n_features."
    )


ENTRY = ModelEntry(
    name="svm_handcrafted",
    title="SVM on handcrafted features",
    features="handcrafted",
    parameters=SvmHandcraftedSection,
    implementation="genreflow.models.svm_handcrafted:SvmHandcrafted",
    model_files=("model.skops",),
    tables=(GRID,),
    memory_mb=1000,
)
