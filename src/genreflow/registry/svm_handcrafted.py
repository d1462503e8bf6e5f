"""A support vector machine on handcrafted features."""

from __future__ import annotations

from genreflow.registry.entry import GRID, ModelEntry
from genreflow.registry.svm_tracks import FILES, IMPLEMENTATION, TUNED, SvmTracksSection


class SvmHandcraftedSection(SvmTracksSection):
    """`svm_handcrafted`: support vector machine on handcrafted features."""


ENTRY = ModelEntry(
    name="svm_handcrafted",
    title="SVM on handcrafted features",
    features="handcrafted",
    parameters=SvmHandcraftedSection,
    implementation=IMPLEMENTATION,
    model_files=FILES,
    tables=(GRID,),
    tuned=TUNED,
    memory_mb=1000,
    minutes=10,
)
