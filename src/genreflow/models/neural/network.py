"""Training, prediction and files of the Keras models; each adds its own layers.

The backend is whatever Keras runs on: there is no TensorFlow here.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import keras
import numpy as np

from genreflow.features.rows import Floats
from genreflow.models import archive, runtime
from genreflow.models.base import Examples, FitResult, Model, ModelFileError
from genreflow.models.choosing import Choices, mean_temperature
from genreflow.models.moments import moments
from genreflow.models.neural.batches import WindowBatches
from genreflow.models.neural.live import live_callbacks
from genreflow.models.neural.resuming import Resuming
from genreflow.models.reading import REMEDY, reading
from genreflow.models.temperature import temperature_of
from genreflow.registry.entry import HISTORY
from genreflow.registry.neural import KerasSection, NeuralSection

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

WARM_UP = 0.1
"""Share of the steps over which the learning rate rises."""

BATCH_NORM_MOMENTUM = 0.9
"""Keras's 0.99 needs some 500 steps to forget its start; whole trainings here have that many."""

VALIDATION_WINDOWS = 4
"""Windows of a validation track that are judged after each epoch, and set the temperature."""

_STATISTICS_WINDOWS = 4
_FLOOR = 1e-7
"""Least probability that enters a logarithm."""

SINGLE = "float32"

OUTPUT = "genres"
"""Layer of the probabilities."""

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
"""Columns of a history, after the epoch."""

_OPTIMIZERS = {
    "adamw": keras.optimizers.AdamW,
    "sgd": partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
}

K = TypeVar("K", bound=KerasSection)
P = TypeVar("P", bound=NeuralSection)


class KerasNetwork(Model[K]):
    """A network whose layer :data:`OUTPUT` gives probabilities: how it predicts and is kept."""

    network: Any

    @abstractmethod
    def train(self, train: Examples, valid: Examples | None) -> pd.DataFrame:
        """Build the network and train it to the end of the schedule.

        Parameters
        ----------
        train
            What to learn from.
        valid
            What is measured after each epoch, and decides nothing.

        Returns
        -------
        pandas.DataFrame
            The epochs, from 1, and the :data:`CURVES`; without `valid` some are missing.
        """

    def fit(self, train: Examples, valid: Examples) -> FitResult:
        """Train to the end of the schedule; `valid` sets the temperature alone.

        Stopping where the validation loss was lowest was tried, and cost several points: the loss
        of a few dozen tracks jumps, and picks an epoch whose learning rate is still high.
        """
        table = self.train(train, valid)[["epoch", *CURVES]]
        return self._result(self.calibrate(valid), {HISTORY: table})

    def refit(self, train: Examples, choices: Choices) -> FitResult:
        """Train on all tracks to the end of the schedule."""
        self.train(train, None)
        temperature = mean_temperature(choices)
        self.divide(temperature)
        return self._result(temperature, {})

    def _result(self, temperature: float, tables: dict[str, pd.DataFrame]) -> FitResult:
        best = {"temperature": round(temperature, 6)}
        return FitResult(int(self.network.count_params()), tables, best)

    def calibrate(self, valid: Examples) -> float:
        """Divide the margins by what suits the validation windows best, and return that."""
        heard = valid.spread(VALIDATION_WINDOWS)
        log_probability = np.log(np.maximum(self.predict_all(heard), _FLOOR))
        weight = heard.weight(self.params.class_weight)
        temperature = temperature_of(log_probability, heard.label, weight)
        self.divide(temperature)
        return temperature

    def divide(self, temperature: float) -> None:
        """Divide the margins by `temperature`."""
        layer = self.network.get_layer(OUTPUT)
        layer.set_weights([array / np.float32(temperature) for array in layer.get_weights()])

    def predict_all(self, examples: Examples) -> Floats:
        """Return the probabilities of all examples, which are read in batches."""
        size = self.params.batch_size
        return np.concatenate([self.predict_proba(values) for values in examples.batches(size)])

    def predict_proba(self, values: Floats) -> Floats:
        """Return probabilities, (n, n_genres)."""
        size = self.params.batch_size
        parts = []
        for start in range(0, len(values), size):
            batch = values[start : start + size]
            # One shape only: every other one would be traced and compiled anew.
            padded = np.zeros((size, *batch.shape[1:]), dtype=np.float32)
            padded[: len(batch)] = batch
            parts.append(self.network.predict_on_batch(padded)[: len(batch)])
        return np.concatenate(parts)

    def save(self, folder: Path) -> None:
        """Write ``model.keras``."""
        # A second model over the same layers has no optimizer, whose state is twice the weights.
        bare = keras.Model(self.network.input, self.network.output, name=self.network.name)
        archive.save_keras(bare, *self.paths(folder))

    def load(self, folder: Path) -> None:
        """Read ``model.keras`` in safe mode."""
        runtime.configure_keras(self.params.threads, self.params.seed)
        (path,) = self.paths(folder)
        self.network = archive.load_keras(path)
        with reading(path):
            found = (self.network.input_shape[1:], self.network.output_shape[1:])
        expected = (tuple(self.signature.shape), (len(self.signature.genres),))
        if found != expected:
            raise ModelFileError(
                f"{path}: has shapes {found}, but model.json asks for {expected}; {REMEDY}"
            )


class KerasModel(KerasNetwork[P]):
    """A network from standardised mel windows to genres."""

    @abstractmethod
    def body(self, inputs: Any) -> Any:
        """Turn standardised windows (batch, time, frequency, 1) into features (batch, n)."""

    def train(self, train: Examples, valid: Examples | None) -> pd.DataFrame:
        """Train on windows, an epoch at a time; see :class:`KerasNetwork`."""
        import pandas as pd  # whoever predicts does without

        history = keras.callbacks.History()
        shown = []
        if self.checkpoint:
            shown = live_callbacks(self.checkpoint.folder, history, self.params.epochs)
        batches, schedule = self.begin(train)
        callbacks = [_Epochs(self, batches, valid, schedule), history, *shown]
        first = 0
        if self.checkpoint:
            resuming = Resuming(self.checkpoint, history)
            first = resuming.load()
            # Last, so that it finds what the others made of an epoch.
            callbacks.append(resuming)
        self.network.fit(
            batches,
            initial_epoch=first,
            epochs=self.params.epochs,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
        if self.params.precision != SINGLE:
            self._to_single()
        table = pd.DataFrame(history.history)
        table.insert(0, "epoch", np.arange(1, len(table) + 1))
        return table

    def begin(self, train: Examples) -> tuple[WindowBatches, Any]:
        """Build and compile the network; return its batches and the learning rate's schedule."""
        p = self.params
        runtime.configure_keras(p.threads, p.seed)
        self._bands = band_statistics(train.spread(_STATISTICS_WINDOWS))
        with runtime.precision(p.precision):
            self.network = self._build(*self._bands)
        batches = WindowBatches(train, p, len(self.signature.genres), self._bands[0])
        schedule = learning_rate(p.learning_rate, p.epochs * len(batches))
        optimizer = _OPTIMIZERS[p.optimizer](schedule, weight_decay=p.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        # With its variables in place from the start, the training step is traced once, not twice.
        optimizer.build(self.network.trainable_variables)
        self.network.compile(
            optimizer,
            keras.losses.CategoricalCrossentropy(label_smoothing=p.label_smoothing),
            metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
            jit_compile=runtime.compiled(),
        )
        return batches, schedule

    def _build(self, mean: Floats, variance: Floats) -> Any:
        inputs = keras.Input(self.signature.shape, name="levels")
        standardise = keras.layers.Normalization(
            axis=2,
            mean=mean[:, 0].tolist(),
            variance=variance[:, 0].tolist(),
            name="standardise",
            dtype=SINGLE,  # levels of some -60 dB, less a mean near by
        )
        features = self.body(standardise(inputs))
        features = keras.layers.Dropout(self.params.dropout, seed=self.params.seed)(features)
        outputs = keras.layers.Dense(
            len(self.signature.genres),
            activation="softmax",
            name=OUTPUT,
            dtype=SINGLE,  # probabilities near 1 have no digits left in half precision
        )(features)
        return keras.Model(inputs, outputs, name=self.signature.model)

    def _to_single(self) -> None:
        """Put the weights into a network that computes in single precision, as all that is kept."""
        weights = self.network.get_weights()
        keras.utils.clear_session()
        self.network = self._build(*self._bands)
        self.network.set_weights(weights)


class _Epochs(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Draw each epoch's windows, measure validation at its end, and log a line.

    Validation goes through ``predict_proba``, so that the network is traced once for all that
    is not training, and gives each track the same say.
    """

    def __init__(
        self,
        model: KerasModel[Any],
        batches: WindowBatches,
        valid: Examples | None,
        schedule: Any,
    ) -> None:
        super().__init__()
        self._owner = model
        self._batches = batches
        self._valid = valid and valid.spread(VALIDATION_WINDOWS)
        self._schedule = schedule

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._batches.start_epoch(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self._valid:
            self._validate(self._valid, logs)
        last_step = (epoch + 1) * len(self._batches) - 1
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self._schedule(last_step)))
        log.info(
            "epoch %d: %s",
            epoch + 1,
            ", ".join(f"{name} {logs[name]:.3f}" for name in CURVES[:4] if name in logs),
        )

    def _validate(self, valid: Examples, logs: dict[str, float]) -> None:
        probabilities = self._owner.predict_all(valid)
        right = np.take_along_axis(probabilities, valid.label[:, np.newaxis], axis=1)[:, 0]
        hit = probabilities.argmax(axis=1) == valid.label
        loss = -np.log(np.maximum(right, _FLOOR))
        weight = valid.weight(self._owner.params.class_weight)
        logs["val_loss"] = float(np.average(loss, weights=weight))
        logs["val_accuracy"] = float(np.average(hit, weights=weight))


def learning_rate(peak: float, steps: int) -> Any:
    """Return a schedule that rises to `peak` and falls to zero as a cosine."""
    warm_up = int(WARM_UP * steps)
    return keras.optimizers.schedules.CosineDecay(
        peak / 10, max(1, steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )


def band_statistics(train: Examples) -> tuple[Floats, Floats]:
    """Return mean and variance of each mel band, both (frequency, 1), each track alike."""
    mean, variance = moments(
        train,
        collapse=lambda values: values.mean(axis=1, dtype=np.float64),
        weight=train.weight(),
    )
    variance = np.maximum(variance, 1.0)
    return mean.astype(np.float32), variance.astype(np.float32)


def normalise_batch(features: Any) -> Any:
    """Apply batch normalisation that suits short trainings."""
    return keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(features)
