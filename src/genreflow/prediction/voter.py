"""A trained model with all it takes to hear: its features, made as training's were."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genreflow import registry
from genreflow.audio.samples import Samples
from genreflow.features.rows import Floats
from genreflow.models.base import ModelFileError
from genreflow.models.loading import answer, load_model
from genreflow.models.reading import reading
from genreflow.params import Audio
from genreflow.prediction.release import ENCODERS
from genreflow.section import Section

Doubles = npt.NDArray[np.float64]


class Sound:
    """Samples, and the features that were made of them: several models may read the same.

    Parameters
    ----------
    samples
        (n,) mono int16.
    sample_rate
        Of the samples [Hz].
    """

    def __init__(self, samples: Samples, sample_rate: int) -> None:
        self.samples = samples
        self.sample_rate = sample_rate
        self._rows: dict[tuple[str, str], Floats] = {}

    def rows(self, extractor: str, section: object) -> Floats:
        """Return the features that a module makes with a section of parameters."""
        key = extractor, repr(section)
        if key not in self._rows:
            module = import_module(extractor)
            self._rows[key] = module.rows_of(self.samples, self.sample_rate, section)
        return self._rows[key]


class Voter:
    """A trained model.

    Parameters
    ----------
    folder
        What training wrote, such as ``results/models/cnn/0``.

    Attributes
    ----------
    genres
        In the order of the probabilities.
    audio
        How tracks are decoded for it.
    model, metadata
        What was loaded.

    Raises
    ------
    ModelFileError
        There is no model there, it can't be read, or this version makes other features.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # More threads could add in another order, and say something else than the pipeline did.
        self.model, self.metadata = load_model(folder, threads=1)
        signature = self.metadata.signature
        self.genres = signature.genres
        self.audio = self.metadata.read_section("audio", Audio)
        kinds = registry.kinds_of(signature.model)
        self._features = [
            (kind.extractor, self._located(kind.section, kind.parameters)) for kind in kinds
        ]
        found = tuple(
            name
            for extractor, section in self._features
            for name in import_module(extractor).row_names(section)
        )
        if found != signature.feature_names:
            raise ModelFileError(
                f"the model {signature.model} was trained on features that this version of "
                "genreflow names or orders differently; train it anew"
            )

    def _located(self, section: str, parameters: type[Section]) -> Section:
        """Return a section, with the encoders that a release carries along."""
        found: Section = self.metadata.read_section(section, parameters)
        for folder in (self._folder / ENCODERS, self._folder.parent / ENCODERS):
            if folder.is_dir():
                return found.located(folder)
        return found

    def features_of(self, sound: Sound) -> Floats:
        """Return what the model sees of a sound: its windows, or one row, (n, ...)."""
        rows = [sound.rows(extractor, section) for extractor, section in self._features]
        return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)

    def probabilities(self, sound: Sound) -> Doubles:
        """Return the mean of the probabilities of a sound's windows, (n_genres,)."""
        values = self.features_of(sound)
        with reading(self._folder):
            rows = answer(self.model, values)
        # One row after the other, as evaluation adds them: not a bit may differ.
        total = np.zeros(len(self.genres))
        for row in rows:
            total += row
        return total / len(rows)
