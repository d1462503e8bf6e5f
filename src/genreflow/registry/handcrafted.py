"""Handcrafted features: descriptors of a whole track."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genreflow.registry.entry import FeatureKind
from genreflow.section import Fraction, PositiveFloat, PositiveInt, Section


class Handcrafted(Section):
    """Handcrafted features."""

    set: Literal["classic", "extended"] = Field(
        "extended",
        description="classic: 129 features of a track; extended: 403, 401 with `skip_silence`.",
    )
    normalise: bool = Field(True, description="Bring every track to the same level first.")
    skip_silence: bool = Field(
        True, description="Leave out silence, which tells of the file (and two features of it)."
    )
    statistics: Literal["plain", "robust"] = Field(
        "robust",
        description="plain: moments, minimum, maximum; robust: L-moments, quantiles, which no "
        "single frame moves.",
    )
    range_db: float = Field(
        60.0, ge=20, le=100, description="Levels further below the loudest count as this far."
    )
    n_fft: int = Field(1024, ge=64, le=65_536, description="STFT window [samples].")
    hop_length: PositiveInt = Field(512, description="STFT hop [samples].")
    n_mfcc: int = Field(13, ge=2, le=40, description="MFCCs of the classic set.")
    rolloff_percent: Fraction = Field(0.85, description="Share of energy below the roll-off.")
    silence_top_db: PositiveFloat = Field(
        60.0,
        description="Without skip_silence: such silence at both ends lies so far below the peak "
        "[dB].",
    )


KIND = FeatureKind(
    name="handcrafted",
    title="handcrafted features of a track",
    parameters=Handcrafted,
    suffix=".parquet",
    extractor="genreflow.features.handcrafted.extract",
    reader="genreflow.features.handcrafted.read",
)
