"""What a model and a kind of features say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import Field

from genreflow.errors import GenreflowError
from genreflow.section import Section, Seed

PREDICTIONS, METADATA = "predictions.parquet", "model.json"
"""What every training writes beside the model's own files."""
HISTORY, GRID, IMPORTANCE = "history.csv", "cv.csv", "importance.csv"
"""The tables that a training may leave: epochs, candidates, features."""
REFIT = "refit"
"""Folder of the models trained on all tracks, below the results."""
RESUME = "resume"
"""Folder of the states of unfinished trainings, below the results."""


class RegistryError(GenreflowError):
    """A model or a kind of features is unknown, or an entry can't be used."""


class ModelSection(Section):
    """What the section of every model has."""

    seed: Seed = Field(0, description="Seed of everything random in the model.")
    seeds: int = Field(
        1,
        ge=1,
        le=1000,
        description="Trainings per fold, with seed, seed + 1, …: shows the luck of a training.",
    )
    threads: int = Field(1, ge=1, le=1024, description="Threads of one training job.")
    class_weight: Literal["none", "balanced"] = Field(
        "none", description="balanced: rare genres weigh as much as frequent ones."
    )


@dataclass(frozen=True)
class FeatureKind:
    """A kind of features: how it is computed, where it lies, how it is read.

    Attributes
    ----------
    name
        As in ``params.yaml`` (``features.<name>``) and in paths.
    title
        As in tables: what a model reads.
    parameters
        The section ``features.<name>``.
    suffix
        Of the artifact of a shard.
    extractor
        Module with ``write(shard, params, out, stamp)``, which makes the artifact of a shard (of
        ``shard.with_copies()`` for models to train on copies, too),
        ``rows_of(samples, sample_rate, params)``, which makes the same rows of a single track, and
        ``row_names(params)``: the names of a row's columns.
    reader
        Module with ``open_rows(paths, stamp)``, which returns
        :class:`~genreflow.features.rows.FeatureRows`. It imports nothing of the extractor.
    memory_mb
        What a job may need [MB].
    minutes
        What a cluster lets a job take; see :attr:`genreflow.steps.Step.minutes`.
    stored
        Type of the values in files; what ``rows_of`` returns fits into it without a loss.
    optional
        Whether it is extracted only where one of the compared models reads it.
    """

    name: str
    title: str
    parameters: type[Section]
    suffix: str
    extractor: str
    reader: str
    memory_mb: int = 1000
    minutes: int = 10
    stored: Literal["float16", "float32"] = "float32"
    optional: bool = False

    @property
    def section(self) -> str:
        """Name of its section of ``params.yaml``."""
        return f"features.{self.name}"

    def artifact(self, shard: str) -> PurePosixPath:
        """Return where the features of a shard lie, below the results."""
        return PurePosixPath("features", self.name, f"{shard}{self.suffix}")


@dataclass(frozen=True)
class ModelEntry:
    """A model as parameters, workflow and report see it.

    Attributes
    ----------
    name
        As in ``params.yaml``, in paths and in tables.
    title
        As in the report.
    features
        Name of the kind of features that it reads, or of several kinds of one row per track, which
        it reads side by side.
    parameters
        The section ``models.<name>``. The first line of its docstring says what the model is, as in
        "`cnn`: 2D CNN, five convolutions and a dense layer."
    implementation
        ``"module:Class"`` of a :class:`~genreflow.models.base.Model`, imported when it is used.
    model_files
        What :meth:`~genreflow.models.base.Model.save` writes.
    tables
        The tables that training leaves: of :data:`HISTORY`, :data:`GRID` and :data:`IMPORTANCE`.
    tuned
        What a training chooses, and on which tracks; shown in the report.
    memory_mb
        What a training job may need [MB].
    minutes
        What a cluster lets a training take; see :attr:`genreflow.steps.Step.minutes`.
    priority
        Trainings of higher priority start first, so that no core idles at the end.
    gpu
        Whether it computes on a GPU where there is one; there, such trainings run one by one. What
        doesn't say so sees none.
    refit
        Whether, unless params.yaml says otherwise, it is trained once more on all tracks.
    distribution
        The installed package that an entry from outside comes with; None for genreflow's own.

    Examples
    --------
    >>> entry = ModelEntry(
    ...     name="knn",
    ...     title="Nearest neighbours on handcrafted features",
    ...     features="handcrafted",
    ...     parameters=ModelSection,  # or a class of its own
    ...     implementation="genreflow_knn.model:Knn",
    ...     model_files=("model.skops",),
    ... )
    >>> entry.section, entry.step
    ('models.knn', 'train_knn')
    >>> print(entry.artifact("0", "model.skops"))
    models/knn/0/model.skops
    """

    name: str
    title: str
    features: str | tuple[str, ...]
    parameters: type[ModelSection]
    implementation: str
    model_files: tuple[str, ...]
    tables: tuple[str, ...] = ()
    tuned: str = ""
    memory_mb: int = 3000
    minutes: int = 60
    priority: int = 0
    gpu: bool = False
    refit: bool = True
    distribution: str | None = None

    @property
    def section(self) -> str:
        """Name of its section of ``params.yaml``."""
        return f"models.{self.name}"

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of all kinds of features that it reads."""
        return (self.features,) if isinstance(self.features, str) else self.features

    @property
    def module(self) -> str:
        """Dotted name of the module that implements it."""
        return self.implementation.partition(":")[0]

    @property
    def summary(self) -> str:
        """What the model is, in a few words."""
        line = self.parameters.summary()
        return (line.partition(": ")[2] or line).strip()

    @property
    def files(self) -> tuple[str, ...]:
        """All that a training job writes into its folder."""
        return (PREDICTIONS, METADATA, *self.model_files, *self.tables)

    @property
    def step(self) -> str:
        """Name of the step that trains it."""
        return f"train_{self.name}"

    @property
    def refit_step(self) -> str:
        """Name of the step that trains it on all tracks."""
        return f"refit_{self.name}"

    @property
    def robustness_step(self) -> str:
        """Name of the step that asks it for the genres of changed tracks."""
        return f"robustness_{self.name}"

    def artifact(self, training: str, name: str) -> PurePosixPath:
        """Return where a file of one of its trainings lies, below the results."""
        return PurePosixPath("models", self.name, training, name)

    def refitted(self, name: str) -> PurePosixPath:
        """Return where a file of it lies, trained on all tracks, below the results."""
        return PurePosixPath(REFIT, self.name, name)

    def state(self, training: str) -> PurePosixPath:
        """Return where one of its trainings keeps its state until it is done, below the results.

        Not beside its artifacts: their folder is an output, which both tools clear.
        """
        return PurePosixPath(RESUME, self.name, training)

    def facts(self) -> dict[str, Any]:
        """Return what a training depends on; what is only shown or planned with is not in it."""
        return {
            "features": self.features,
            "implementation": self.implementation,
            "model_files": self.model_files,
            "tables": self.tables,
        }
