"""Typed parameters: one class per section of ``params.yaml``, one description per field.

The classes are the single source for validation, for ``workflow/schemas/params.schema.json``
and for the parameter table in the docs. A section is the unit of dependency: a workflow step
reads its own section and nothing else, so an edit reruns what lies downstream of that section.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A section of ``params.yaml``: unknown keys are errors and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


DEMO_ROOT = "data/demo"
"""The ``corpus.root`` whose audio is synthesised."""


class Corpus(Section):
    """Where the audio lies."""

    root: str = Field(DEMO_ROOT, description="Folder of genre folders; `data/demo` is made.")
    groups: str = Field(
        "data/groups.csv",
        description="CSV track_id, group (artist, album): a group never crosses folds.",
    )
    shards_per_genre: PositiveInt = Field(
        1, description="Jobs per genre and step; raise it on many cores or for large corpora."
    )


class Demo(Section):
    """The corpus that is synthesised when `corpus.root` is `data/demo`."""

    seed: int = Field(0, ge=0, description="Seed of the synthesiser.")
    tracks_per_genre: int = Field(20, ge=4, description="Tracks in each of the ten genres.")
    seconds: float = Field(8.0, ge=2.0, le=60.0, description="Length of a track [s].")


class Audio(Section):
    """Decoding."""

    sample_rate: int = Field(22050, ge=4000, description="Sample rate of the cache [Hz].")
    max_seconds: PositiveFloat = Field(30.0, description="Read at most so much of a track [s].")
    min_seconds: PositiveFloat = Field(
        1.5, description="Set shorter tracks aside [s]; at least features.mel.window_seconds."
    )
    silence_db: float = Field(
        -60.0, lt=0, description="Set tracks aside whose peak lies below [dB full scale]."
    )


class Tracks(Section):
    """The manifest of all tracks."""

    max_rejected_fraction: float = Field(
        0.1, ge=0, le=1, description="Stop when a larger share of files had to be set aside."
    )
    near_duplicates: bool = Field(
        True,
        description="Find the same recording at another level, offset or codec, "
        "not only equal samples.",
    )


class Handcrafted(Section):
    """Handcrafted features."""

    set: Literal["classic", "extended"] = Field(
        "classic", description="classic: 129 features of a track; extended: 387."
    )
    n_fft: int = Field(1024, ge=64, description="STFT window [samples].")
    hop_length: PositiveInt = Field(512, description="STFT hop [samples].")
    n_mfcc: int = Field(13, ge=2, le=40, description="MFCCs of the classic set.")
    rolloff_percent: Fraction = Field(0.85, description="Share of energy below the roll-off.")
    silence_top_db: PositiveFloat = Field(
        60.0, description="Leading and trailing silence lies so far below the peak [dB]."
    )


class Mel(Section):
    """Log-power mel windows."""

    n_fft: int = Field(1024, ge=64, description="STFT window [samples].")
    hop_length: PositiveInt = Field(256, description="STFT hop [samples].")
    n_mels: int = Field(128, ge=8, le=512, description="Mel bands.")
    fmin: float = Field(0.0, ge=0, description="Lowest frequency [Hz].")
    fmax: PositiveFloat | None = Field(None, description="Highest frequency [Hz]; null: Nyquist.")
    window_seconds: PositiveFloat = Field(1.5, description="Window length [s].")
    overlap: float = Field(0.5, ge=0, le=0.95, description="Overlap of neighbouring windows.")


class Features(Section):
    """Both feature sets."""

    handcrafted: Handcrafted = Handcrafted()
    mel: Mel = Mel()


class Splits(Section):
    """How tracks are divided into training, validation and test."""

    strategy: Literal["holdout", "kfold", "predefined"] = Field(
        "holdout", description="One split, k folds, or the roles listed in `file`."
    )
    seed: int = Field(0, ge=0, description="Seed of the shuffle.")
    test_fraction: Fraction = Field(0.3, description="Share of test tracks (holdout).")
    valid_fraction: Fraction = Field(
        0.15, description="Share of the training tracks carved off for validation."
    )
    n_splits: int = Field(5, ge=2, description="Folds (kfold).")
    file: str = Field("data/roles.csv", description="CSV track_id, role (predefined).")
    keep_duplicates_together: bool = Field(
        True, description="Recordings found to be the same stay on one side of every split."
    )

    @property
    def folds(self) -> list[str]:
        """Names of the folds; a hold-out or predefined split is one fold."""
        return [str(n) for n in range(self.n_splits if self.strategy == "kfold" else 1)]


class Model(Section):
    """What every model has."""

    seed: int = Field(0, ge=0, description="Seed of everything random in the model.")
    threads: PositiveInt = Field(1, description="Threads of one training job.")


class SvmMel(Model):
    """`svm_mel`: linear SVM on standardised mel windows."""

    windows_per_track: PositiveInt = Field(
        12, description="Training windows drawn from a track, evenly spaced."
    )
    n_components: PositiveInt = Field(200, description="Principal components kept.")
    C: PositiveFloat = Field(1.0, description="Inverse regularisation strength.")


class XgbMel(Model):
    """`xgb_mel`, the baseline: gradient boosted trees on mel windows."""

    windows_per_track: PositiveInt = Field(
        8, description="Training windows drawn from a track, evenly spaced."
    )
    n_estimators: PositiveInt = Field(150, description="Most boosting rounds.")
    early_stopping_rounds: PositiveInt = Field(
        15, description="Stop after so many rounds without a better validation loss."
    )
    time_pool: PositiveInt = Field(8, description="Frames averaged into one input.")
    band_pool: PositiveInt = Field(1, description="Mel bands averaged into one input.")
    max_depth: PositiveInt = Field(5, description="Depth of a tree.")
    learning_rate: PositiveFloat = Field(0.15, description="Shrinkage.")
    subsample: float = Field(0.7, gt=0, le=1, description="Share of windows per tree.")
    colsample_bytree: float = Field(0.2, gt=0, le=1, description="Share of inputs per tree.")
    max_bin: int = Field(64, ge=8, le=256, description="Histogram bins.")


class GridModel(Model):
    """Scaler, feature selection, classifier; a grid search over the last two."""

    inner_folds: int = Field(5, ge=2, description="Grouped folds of the grid search.")
    selected_fraction: list[float] = Field(
        [0.5, 0.75, 1.0], min_length=1, description="Grid: share of features kept (ANOVA F)."
    )


class SvmHandcrafted(GridModel):
    """`svm_handcrafted`: support vector machine on handcrafted features."""

    kernel: list[Literal["linear", "rbf"]] = Field(
        ["rbf"], min_length=1, description="Grid: kernel."
    )
    C: list[PositiveFloat] = Field([1.0, 3.0, 10.0, 30.0], min_length=1, description="Grid: C.")
    gamma_scale: list[PositiveFloat] = Field(
        [0.3, 1.0], min_length=1, description="Grid: RBF width, in units of 1 / n_features."
    )


class XgbHandcrafted(GridModel):
    """`xgb_handcrafted`: gradient boosted trees on handcrafted features."""

    n_estimators: list[PositiveInt] = Field(
        [200], min_length=1, description="Grid: boosting rounds."
    )
    max_depth: list[PositiveInt] = Field([3, 5], min_length=1, description="Grid: tree depth.")
    learning_rate: list[PositiveFloat] = Field([0.1], min_length=1, description="Grid: shrinkage.")
    subsample: float = Field(0.8, gt=0, le=1, description="Share of tracks per tree.")
    colsample_bytree: float = Field(0.3, gt=0, le=1, description="Share of features per tree.")


class Neural(Model):
    """What the Keras models share."""

    epochs: PositiveInt = Field(30, description="Most epochs.")
    patience: PositiveInt = Field(
        8, description="In the second half, stop after so many epochs without improvement."
    )
    batch_size: PositiveInt = Field(32, description="Windows per step.")
    windows_per_track: PositiveInt = Field(
        4, description="Windows drawn anew from each track every epoch."
    )
    optimizer: Literal["adamw", "sgd"] = Field(
        "adamw", description="sgd: with Nesterov momentum 0.9; takes less time per step."
    )
    learning_rate: PositiveFloat = Field(
        1e-3, description="Peak learning rate; rises over a tenth of the steps, then falls to 0."
    )
    weight_decay: float = Field(1e-4, ge=0, description="Decoupled weight decay.")
    dropout: float = Field(0.3, ge=0, lt=1, description="Dropout before the classifier.")
    label_smoothing: float = Field(0.05, ge=0, lt=1, description="Label smoothing.")
    mixup: float = Field(0.2, ge=0, description="Alpha of mixup between windows; 0: off.")
    time_mask: float = Field(0.15, ge=0, lt=1, description="SpecAugment: longest masked time.")
    frequency_mask: float = Field(0.1, ge=0, lt=1, description="SpecAugment: widest masked band.")


class Cnn(Neural):
    """`cnn`: 2D CNN, five convolutions and a dense layer."""

    filters: list[PositiveInt] = Field(
        [16, 32, 64, 96, 128], min_length=5, max_length=5, description="Filters of each layer."
    )
    input_pool: PositiveInt = Field(
        2, description="Frames and bands averaged into one input; 2 takes a quarter of the time."
    )


class Lstm(Neural):
    """`lstm`: LSTM over the time frames of a window."""

    units: list[PositiveInt] = Field([96, 64], min_length=1, description="Units of each layer.")
    time_pool: PositiveInt = Field(2, description="Frames averaged into one time step.")


class Resnet50(Neural):
    """`resnet50`: keras.applications' ResNet50."""

    weights: Literal["imagenet"] | None = Field(
        None, description="null: from scratch; imagenet: pre-trained (downloads 94 MB)."
    )
    input_size: int = Field(
        64, ge=32, description="Windows are averaged to input_size × input_size."
    )
    epochs: PositiveInt = Field(10, description="Most epochs.")
    windows_per_track: PositiveInt = Field(
        2, description="Windows drawn anew from each track every epoch."
    )


class Models(Section):
    """One section per model; a model depends on its own section alone."""

    svm_mel: SvmMel = SvmMel()
    xgb_mel: XgbMel = XgbMel()
    svm_handcrafted: SvmHandcrafted = SvmHandcrafted()
    xgb_handcrafted: XgbHandcrafted = XgbHandcrafted()
    cnn: Cnn = Cnn()
    lstm: Lstm = Lstm()
    resnet50: Resnet50 = Resnet50()


ModelName = Literal[
    "svm_mel", "xgb_mel", "svm_handcrafted", "xgb_handcrafted", "cnn", "lstm", "resnet50"
]
BASELINE: ModelName = "xgb_mel"


class Evaluation(Section):
    """Metrics, intervals and tests."""

    models: list[ModelName] = Field(
        list(get_args(ModelName)), description="Models to train and compare; xgb_mel is needed."
    )

    confidence: Fraction = Field(0.95, description="Level of the intervals.")
    n_bootstrap: int = Field(2000, ge=100, description="Bootstrap resamples of the tracks.")
    seed: int = Field(0, ge=0, description="Seed of the bootstrap.")
    calibration_bins: int = Field(10, ge=2, description="Bins of the reliability curve.")

    @model_validator(mode="after")
    def _baseline_is_there_once(self) -> Self:
        if BASELINE not in self.models:
            raise ValueError(f"models lacks {BASELINE}, the baseline of every comparison; add it")
        if len(set(self.models)) < len(self.models):
            raise ValueError("models names a model twice; remove the repetition")
        return self


class Report(Section):
    """The page."""

    title: str = Field("Genre classification", description="Heading of the report.")
    examples_per_genre: PositiveInt = Field(1, description="Example spectrograms per genre.")


class Params(Section):
    """All of ``params.yaml``."""

    corpus: Corpus = Corpus()
    demo: Demo = Demo()
    audio: Audio = Audio()
    tracks: Tracks = Tracks()
    features: Features = Features()
    splits: Splits = Splits()
    models: Models = Models()
    evaluation: Evaluation = Evaluation()
    report: Report = Report()

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Self:
        mel, audio = self.features.mel, self.audio
        if audio.min_seconds < mel.window_seconds:
            raise ValueError(
                f"audio.min_seconds ({audio.min_seconds}) is shorter than "
                f"features.mel.window_seconds ({mel.window_seconds}); raise audio.min_seconds"
            )
        if audio.max_seconds < audio.min_seconds:
            raise ValueError(
                f"audio.max_seconds ({audio.max_seconds}) is shorter than "
                f"audio.min_seconds ({audio.min_seconds}); raise audio.max_seconds"
            )
        nyquist = audio.sample_rate / 2
        if (mel.fmax or nyquist) > nyquist or mel.fmin >= (mel.fmax or nyquist):
            raise ValueError(
                f"features.mel.fmin ({mel.fmin}) and fmax ({mel.fmax}) must satisfy "
                f"fmin < fmax ≤ audio.sample_rate / 2 ({nyquist})"
            )
        return self

    def section(self, name: str) -> dict[str, Any]:
        """Return the section `name` (``"features.mel"``) as plain JSON-like values."""
        value: Any = self
        for part in name.split("."):
            value = getattr(value, part)
        values: dict[str, Any] = value.model_dump(mode="json")
        return values


class ParamsError(ValueError):
    """``params.yaml`` holds something genreflow can't use; the message names the parameter."""


def parse(values: dict[str, Any], source: str = "params.yaml") -> Params:
    """Validate parameters.

    Raises
    ------
    ParamsError
        Names every offending parameter, what was found and what is expected.
    """
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, issue['loc'])) or 'parameters'}: {issue['msg']}"
            + ("" if issue["type"] == "value_error" else f" (found {issue['input']!r})")
            for issue in error.errors()
        ]
        raise ParamsError(f"{source} can't be used:\n" + "\n".join(lines)) from None


def load(path: Path) -> Params:
    """Read and validate ``params.yaml``; see :func:`parse` for the errors."""
    return parse(yaml.safe_load(path.read_text(encoding="utf-8")) or {}, source=str(path))
