"""Log-mel windows."""

from __future__ import annotations

from pydantic import Field

from genreflow.registry.entry import FeatureKind
from genreflow.section import PositiveFloat, PositiveInt, Section


class Mel(Section):
    """Log-power mel windows."""

    normalise: bool = Field(True, description="Bring every track to the same level first.")
    skip_silence: bool = Field(
        True, description="Leave out silence at both ends, which tells of the file."
    )
    n_fft: int = Field(1024, ge=64, le=65_536, description="STFT window [samples].")
    hop_length: PositiveInt = Field(256, description="STFT hop [samples].")
    n_mels: int = Field(128, ge=8, le=512, description="Mel bands.")
    fmin: float = Field(0.0, ge=0, description="Lowest frequency [Hz].")
    fmax: PositiveFloat | None = Field(None, description="Highest frequency [Hz]; null: Nyquist.")
    floor_db: float = Field(
        -70.0,
        ge=-100,
        lt=0,
        description="No level lies lower [dB]: what rounding to 16 bit leaves.",
    )
    window_seconds: PositiveFloat = Field(1.5, description="Window length [s].")
    overlap: float = Field(0.5, ge=0, le=0.95, description="Overlap of neighbouring windows.")


KIND = FeatureKind(
    name="mel",
    title="mel windows",
    parameters=Mel,
    suffix=".npz",
    extractor="genreflow.features.mel.extract",
    reader="genreflow.features.mel.read",
    stored="float16",
)
