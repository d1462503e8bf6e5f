"""A support vector machine on handcrafted features and embeddings."""

from __future__ import annotations

from genreflow.registry.entry import GRID, ModelEntry
from genreflow.registry.svm_embedding import SvmEmbeddingSection
from genreflow.registry.svm_tracks import FILES, IMPLEMENTATION, TUNED


class SvmFusionSection(SvmEmbeddingSection):
    """`svm_fusion`: support vector machine on handcrafted features and frozen embeddings."""


ENTRY = ModelEntry(
    name="svm_fusion",
    title="SVM on handcrafted features and embeddings",
    features=("handcrafted", "embedding"),
    parameters=SvmFusionSection,
    implementation=IMPLEMENTATION,
    model_files=FILES,
    tables=(GRID,),
    tuned=TUNED,
    memory_mb=1000,
    minutes=10,
)
