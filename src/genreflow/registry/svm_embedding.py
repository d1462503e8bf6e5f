"""A support vector machine on embeddings."""

from __future__ import annotations

from pydantic import Field

from genreflow.registry.entry import GRID, ModelEntry
from genreflow.registry.grid import Scaling
from genreflow.registry.svm_tracks import (
    FILES,
    IMPLEMENTATION,
    TUNED,
    Shrinkage,
    SvmTracksSection,
)
from genreflow.section import PositiveFloat


class SvmEmbeddingSection(SvmTracksSection):
    """`svm_embedding`: support vector machine on frozen embeddings."""

    scaling: Scaling = Field(
        "standard",
        description="ranks: those of a normal distribution, bounded; standard: mean 0, variance 1.",
    )
    selected_fraction: list[float] = Field(
        [1.0], min_length=1, description="Grid: share of features kept (ANOVA F)."
    )
    shrinkage: list[Shrinkage] = Field(
        [1.0],
        min_length=1,
        description="Grid: shrinkage of the covariance within genres, for whitening; 1: none.",
    )
    C: list[PositiveFloat] = Field(
        [1.0, 3.0, 10.0], min_length=1, description="Grid: C of a track, shared with its copies."
    )


ENTRY = ModelEntry(
    name="svm_embedding",
    title="SVM on embeddings",
    features="embedding",
    parameters=SvmEmbeddingSection,
    implementation=IMPLEMENTATION,
    model_files=FILES,
    tables=(GRID,),
    tuned=TUNED,
    memory_mb=1000,
    minutes=10,
)
