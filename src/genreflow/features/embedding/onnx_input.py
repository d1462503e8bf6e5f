"""What the network in an ONNX file hears: the description beside it, and what is made by it.

For a network of mel spectra, ``encoder.yaml`` is, for instance::

    sample_rate: 16000
    input: mel
    patch_seconds: 2.048 # 128 frames
    n_fft: 512
    hop_length: 256
    n_mels: 96
    scale: log10(1+10000x)
    layout: [batch, time, frequency]
    output: embeddings

References
----------
S. Hershey et al., "CNN architectures for large-scale audio classification", ICASSP 2017 (VGGish:
its mel spectra are those of ``filters: htk``).
P. Alonso-Jiménez et al., "TensorFlow audio models in Essentia", ICASSP 2020
(``log10(1+10000x)``).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import scipy.fft
import yaml
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator
from scipy.sparse import csr_array

from genreflow.features.embedding.encoders import EncoderError
from genreflow.features.embedding.sound import Sound
from genreflow.features.rows import Floats
from genreflow.features.stft import BLOCK_FRAMES, bin_frequencies, hann, mel_filters
from genreflow.section import PositiveFloat, PositiveInt, Section

Axis = Literal["batch", "channel", "time", "frequency"]

_LARGEST_DESCRIPTION = 100_000
_COMPLAINTS = 3
_LONGEST = 400


def _axes(*needed: Axis) -> AfterValidator:
    def check(layout: tuple[Axis, ...]) -> tuple[Axis, ...]:
        known = {"batch", "channel", *needed}
        if len(set(layout)) < len(layout) or not set(needed) <= set(layout) <= known:
            raise ValueError(
                f"{', '.join(layout)} is no order of axes; expected {' and '.join(needed)}, each "
                "once, and where the network has them batch and channel (which has a length of 1)"
            )
        return layout

    return AfterValidator(check)


class Description(Section):
    """What is true of every network."""

    sample_rate: int = Field(gt=0, le=192_000, description="[Hz]")
    patch_seconds: float = Field(gt=0, le=600, description="What the network hears at a time [s].")
    output: str | None = Field(
        None, description="Output that holds the embedding; by default the first."
    )
    values: Literal["last", "first"] = Field(
        "last",
        description="Axis of the output, after that of the batch, with the values of the "
        "embedding; the mean is taken over all others.",
    )


class FromSamples(Description):
    """Describe a network that hears amplitudes, -1 to 1 at full scale."""

    input: Literal["samples"]
    layout: Annotated[tuple[Axis, ...], _axes("time")] = Field(
        ("batch", "time"), description="Axes of the input; batch and channel may be absent."
    )

    def patch(self) -> int:
        """Return the length of a patch [samples]."""
        return max(1, round(self.patch_seconds * self.sample_rate))

    def hear(self, sound: Sound) -> Floats:
        """Return what patches are cut from, (samples,)."""
        return sound.at(self.sample_rate)

    def silence(self) -> Floats:
        """Return a patch of silence, (1, samples)."""
        return np.zeros((1, self.patch()), dtype=np.float32)


class FromMel(Description):
    """Describe a network that hears mel spectra."""

    input: Literal["mel"]
    n_fft: int = Field(gt=1, le=2**16, description="Length of a transform [samples].")
    hop_length: PositiveInt = Field(description="[samples]")
    n_mels: int = Field(gt=0, le=1024, description="Mel bands.")
    scale: Literal["log10(1+10000x)", "decibels", "log"] = Field(
        description="Of the bands: decibels re 1, or the natural logarithm."
    )
    window_length: PositiveInt | None = Field(
        None, description="Of the Hann window [samples]; by default n_fft."
    )
    centred: bool = Field(
        True,
        description="The first frame is centred on the first sample, as librosa does it; otherwise "
        "it begins there, as VGGish does it.",
    )
    spectrum: Literal["power", "magnitude"] = Field("power", description="What bands are sums of.")
    filters: Literal["slaney", "htk"] = Field(
        "slaney",
        description="Slaney's mel scale and triangles of equal area, or HTK's and triangles of "
        "height 1.",
    )
    fmin: float = Field(0.0, ge=0, description="[Hz]")
    fmax: PositiveFloat | None = Field(None, description="[Hz]; by default half the sample rate.")
    offset: PositiveFloat = Field(
        1e-10, description="Added before the logarithm of `log`; the least that `decibels` see."
    )
    mean: float = Field(0.0, description="Is subtracted last.")
    deviation: PositiveFloat = Field(1.0, description="What that is divided by.")
    layout: Annotated[tuple[Axis, ...], _axes("time", "frequency")] = Field(
        ("batch", "time", "frequency"),
        description="Axes of the input; batch and channel may be absent.",
    )

    @model_validator(mode="after")
    def _possible(self) -> FromMel:
        highest = self.sample_rate / 2
        if not self.fmin < (highest if self.fmax is None else self.fmax) <= highest:
            raise ValueError(
                f"fmin {self.fmin} and fmax {self.fmax} hold no bands; expected fmin below fmax, "
                f"and that at most half the sample rate, {highest:g} Hz"
            )
        if self.window_length is not None and self.window_length > self.n_fft:
            raise ValueError(
                f"window_length {self.window_length} is longer than n_fft; expected at most "
                f"{self.n_fft}"
            )
        return self

    def patch(self) -> int:
        """Return the length of a patch [frames]."""
        return max(1, round(self.patch_seconds * self.sample_rate / self.hop_length))

    def hear(self, sound: Sound) -> Floats:
        """Return what patches are cut from, (frames, n_mels)."""
        return sound.once(self, lambda: log_mel(sound.at(self.sample_rate), self))

    def silence(self) -> Floats:
        """Return a patch of silence, (1, frames, n_mels)."""
        frame = log_mel(np.zeros(1, dtype=np.float32), self)[:1]
        return np.repeat(frame[np.newaxis], self.patch(), axis=1)


_DESCRIPTION: TypeAdapter[FromSamples | FromMel] = TypeAdapter(
    Annotated[FromSamples | FromMel, Field(discriminator="input")]
)


def log_mel(amplitudes: Floats, of: FromMel) -> Floats:
    """Return the mel spectrum of a track as a network hears it, (frames, n_mels).

    Parameters
    ----------
    amplitudes
        (n,).
    """
    length = of.window_length or of.n_fft
    if of.filters == "htk":
        filters = htk_filters(of.sample_rate, of.n_fft, of.n_mels, of.fmin, of.fmax)
    else:
        filters = mel_filters(of.sample_rate, of.n_fft, of.n_mels, of.fmin, of.fmax)
    around = length // 2 if of.centred else 0
    missing = max(0, length - len(amplitudes) - 2 * around)
    padded = np.pad(amplitudes, (around, around + missing))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[:: of.hop_length]
    bands = np.empty((len(frames), of.n_mels), dtype=np.float32)
    for start in range(0, len(frames), BLOCK_FRAMES):
        block = frames[start : start + BLOCK_FRAMES] * hann(length)
        spectrum = np.abs(scipy.fft.rfft(block, n=of.n_fft, axis=1))
        if of.spectrum == "power":
            np.square(spectrum, out=spectrum)
        bands[start : start + len(block)] = (filters @ spectrum.T).T
    _to_scale(bands, of)
    bands -= np.float32(of.mean)
    bands /= np.float32(of.deviation)
    return bands


def _to_scale(bands: Floats, of: FromMel) -> None:
    if of.scale == "log10(1+10000x)":
        bands *= np.float32(10_000)
        bands += np.float32(1)
        np.log10(bands, out=bands)
    elif of.scale == "log":
        bands += np.float32(of.offset)
        np.log(bands, out=bands)
    else:
        np.maximum(bands, np.float32(of.offset), out=bands)
        np.log10(bands, out=bands)
        bands *= np.float32(10 if of.spectrum == "power" else 20)


@lru_cache
def htk_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> csr_array:
    """Return triangles of height 1, straight over HTK's mel scale, (n_mels, 1 + n_fft // 2).

    Parameters
    ----------
    sample_rate, fmin, fmax
        [Hz]; `fmax` defaults to the Nyquist frequency.
    """
    lowest, highest = _htk_mel(np.array([fmin, sample_rate / 2 if fmax is None else fmax]))
    edges = np.linspace(lowest, highest, n_mels + 2)[:, np.newaxis]
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    bins = _htk_mel(bin_frequencies(sample_rate, n_fft))
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    return csr_array(np.maximum(0, np.minimum(rising, falling)).astype(np.float32))


def _htk_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 2595 * np.log10(1 + hz / 700)


def read_description(path: Path) -> FromSamples | FromMel:
    """Read what stands beside an ONNX file.

    Raises
    ------
    EncoderError
        The file is missing or no YAML, or a field of it is missing or wrong.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_DESCRIPTION + 1)
        if len(content) > _LARGEST_DESCRIPTION:
            raise ValueError(f"it is larger than {_LARGEST_DESCRIPTION} bytes")
        return _DESCRIPTION.validate_python(yaml.safe_load(content.decode("utf-8-sig")))
    except OSError as error:
        reason = f"can't be read ({error.strerror}), and it says what the network beside it hears"
    except ValidationError as error:
        issues = error.errors(include_url=False, include_input=False)[:_COMPLAINTS]
        reason = "; ".join(
            ": ".join([*map(str, issue["loc"][1:]), issue["msg"].removeprefix("Value error, ")])
            for issue in issues
        )
    # Besides its own errors, PyYAML raises ValueError over numbers and dates that can't be.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = f"is no YAML ({one_line(error)})"
    raise EncoderError(f"{path}: {reason}; {_expected()}")


def _expected() -> str:
    def keys(kind: type[Section], beyond: type[Section] | None = None) -> str:
        known = set() if beyond is None else set(beyond.model_fields)
        fields = {k: f for k, f in kind.model_fields.items() if k not in known and k != "input"}
        needed = ", ".join(name for name, field in fields.items() if field.is_required())
        other = ", ".join(name for name, field in fields.items() if not field.is_required())
        return f"{needed} (and, with defaults, {other})"

    return (
        f"expected input: samples or mel, {keys(FromSamples)}; of mel also "
        f"{keys(FromMel, FromSamples)}"
    )


def one_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__
