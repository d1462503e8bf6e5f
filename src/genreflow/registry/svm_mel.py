"""A linear support vector machine on mel windows."""

from __future__ import annotations

from pydantic import Field

from genreflow.registry.entry import ModelEntry, ModelSection
from genreflow.section import PositiveFloat, PositiveInt


class SvmMelSection(ModelSection):
    """`svm_mel`: linear SVM on mel windows, in the space of an RBF kernel."""

    windows_per_track: PositiveInt = Field(
        12, description="Training windows drawn from a track, evenly spaced."
    )
    n_components: PositiveInt = Field(100, description="Principal components kept.")
    n_landmarks: PositiveInt = Field(
        500, le=4096, description="Windows that others are compared with (Nyström)."
    )
    gamma_scale: PositiveFloat = Field(
        1.0, description="RBF width, in units of 1 / variance of the components."
    )
    C: PositiveFloat = Field(1.0, description="Inverse regularisation strength.")


ENTRY = ModelEntry(
    name="svm_mel",
    title="SVM on mel windows",
    features="mel",
    parameters=SvmMelSection,
    implementation="genreflow.models.svm_mel:SvmMel",
    model_files=("model.skops",),
    tuned="temperature (validation tracks)",
    memory_mb=2000,
    minutes=10,
)
