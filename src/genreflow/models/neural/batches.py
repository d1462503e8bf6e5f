"""Training batches: windows drawn anew each epoch, warped, filtered, mixed and masked on the way.

Everything random is drawn from a generator seeded by (seed, epoch, batch): a batch is the same
whichever thread makes it and in whichever order.

References
----------
J. Schlüter, T. Grill, "Exploring data augmentation for improved singing voice detection with
neural networks", ISMIR 2015 (pitch and tempo, on spectrograms).
D. Park et al., "SpecAugment: a simple data augmentation method for automatic speech
recognition", Interspeech 2019 (without time warping).
H. Nam et al., "FilterAugment: an acoustic environmental data augmentation method", ICASSP 2022
(its linear type).
H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018.
"""

from __future__ import annotations

import keras
import numpy as np

from genreflow.features.rows import Floats, Integers
from genreflow.models.base import Examples
from genreflow.registry.neural import NeuralSection

_CORNERS = 3
"""Most corners of a random filter between the lowest and the highest frequency."""


class WindowBatches(keras.utils.PyDataset):  # type: ignore[misc]  # keras is untyped
    """Batches of windows and one-hot genres.

    Parameters
    ----------
    examples
        All training windows.
    params
        Batch size, windows per track, augmentation, seed.
    n_genres
        Width of the labels.
    fill
        (frequency, 1) level that masked bins take [dB]: the training mean of their band.
    """

    def __init__(
        self, examples: Examples, params: NeuralSection, n_genres: int, fill: Floats
    ) -> None:
        super().__init__()
        self._examples = examples
        self._params = params
        self._identity = np.eye(n_genres, dtype=np.float32)
        self._fill = fill
        self._genre_weight = genre_weight(examples, n_genres, params.class_weight)
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the windows of an epoch, counted from 0."""
        self._epoch = epoch
        rng = np.random.default_rng((self._params.seed, epoch))
        self._order = draw(self._examples, self._params.windows_per_epoch, rng)

    def __len__(self) -> int:
        # The last batch is dropped unless it is the only one: they all have one shape, and
        # tomorrow's draw has other windows in it.
        return max(1, len(self._order) // self._params.batch_size)

    def __getitem__(self, index: int) -> tuple[Floats, ...]:
        """Return windows and genres; and their weights, where genres aren't to weigh the same."""
        size = self._params.batch_size
        chosen = self._order[index * size : (index + 1) * size]
        values = self._examples.read(chosen)
        target = self._identity[self._examples.label[chosen]]
        rng = np.random.default_rng((self._params.seed, self._epoch, index))
        values = warp(values, self._params.pitch_shift, self._params.time_stretch, rng)
        if self._params.filter_db:
            n, _, frequency, _ = values.shape
            gains = curves((n, frequency), self._params.filter_db, rng)
            values += gains[:, np.newaxis, :, np.newaxis]
        if self._params.mixup:
            mix(values, target, self._params.mixup, rng)
        masked = mask(values.shape[:3], self._params.time_mask, self._params.frequency_mask, rng)
        np.copyto(values, self._fill, where=masked[..., np.newaxis])
        if self._genre_weight is None:
            return values, target
        return values, target, target @ self._genre_weight


def genre_weight(examples: Examples, n_genres: int, class_weight: str) -> Floats | None:
    """Return (n_genres,) weights of mean 1 over tracks, inverse to a genre's tracks, or None."""
    if class_weight == "none":
        return None
    first, _ = examples.tracks()
    count = np.bincount(examples.label[first], minlength=n_genres)
    weight: Floats = (len(first) / (n_genres * count)).astype(np.float32)
    return weight


def draw(examples: Examples, most: int, rng: np.random.Generator) -> Integers:
    """Choose the windows of an epoch, shuffled; return their positions.

    They are as many as the tracks have without their copies, but at most `most`: as many of each
    track, however long it is, and of the track as it is and of its copies alike.
    """
    starts, counts = examples.tracks()
    total = min(most, int((examples.copy == 0).sum()))
    share, rest = divmod(total, len(starts))
    shares = np.full(len(starts), share)
    shares[rng.permutation(len(starts))[:rest]] += 1
    chosen = [
        start + np.resize(rng.permutation(count), n)
        for start, count, n in zip(starts, counts, shares, strict=True)
    ]
    return rng.permutation(np.concatenate(chosen))


def warp(values: Floats, most_bands: int, most_left_out: float, rng: np.random.Generator) -> Floats:
    """Return each window at another pitch and tempo.

    A part of it, anywhere, is stretched to the whole, and all of it moves along the mel bands; what
    is at the edge then is repeated.

    Parameters
    ----------
    values
        (n, time, frequency, 1) [dB].
    most_bands
        Bands are moved by at most so many, up or down.
    most_left_out
        Largest share of the frames that is left out.
    """
    n, time, frequency, _ = values.shape
    if not (most_bands or most_left_out):
        return values
    length = (time - 1) * (1 - rng.uniform(0, most_left_out, (n, 1)))
    at = rng.uniform(0, 1, (n, 1)) * (time - 1 - length) + length * np.linspace(0, 1, time)
    before = np.minimum(at.astype(np.int64), max(time - 2, 0))
    after = np.minimum(before + 1, time - 1)
    share = (at - before).astype(np.float32)[:, :, np.newaxis, np.newaxis]
    moved = rng.integers(-most_bands, most_bands + 1, (n, 1))
    band = np.clip(np.arange(frequency) - moved, 0, frequency - 1)
    warped = np.empty_like(values)
    # Window by window and axis by axis: one index over all axes takes five times as long.
    for i in range(n):
        window = values[i].take(before[i], axis=0)
        window += share[i] * (values[i].take(after[i], axis=0) - window)
        window.take(band[i], axis=1, out=warped[i], mode="clip")
    return warped


def curves(shape: tuple[int, ...], largest: float, rng: np.random.Generator) -> Floats:
    """Return (n, frequency) gains [dB] of a random filter for each window.

    In decibels, a filter adds to each band what it amplifies it by. Its gains are straight lines
    between two to five frequencies, of which the lowest and the highest band are two.

    Parameters
    ----------
    shape
        (n, frequency).
    largest
        Gains are drawn from [-largest, largest] dB.
    """
    n, frequency = shape
    bands = np.arange(frequency)
    found = np.empty(shape, dtype=np.float32)
    for i, inner in enumerate(rng.integers(0, _CORNERS + 1, n)):
        at = np.concatenate([[0], np.sort(rng.uniform(0, frequency - 1, inner)), [frequency - 1]])
        found[i] = np.interp(bands, at, rng.uniform(-largest, largest, len(at)))
    return found


def mix(values: Floats, target: Floats, alpha: float, rng: np.random.Generator) -> None:
    """Blend each window with another of the batch, in shares drawn from Beta(alpha, alpha).

    The larger share is the window's own. Both arrays are (n, ...) and are changed in place, which
    takes half the time: fresh memory costs more than the sums.
    """
    n = len(values)
    share = rng.beta(alpha, alpha, n).astype(np.float32)
    share = np.maximum(share, 1 - share)
    partner = rng.permutation(n)
    for array in (values, target):
        own = share.reshape(n, *[1] * (array.ndim - 1))
        others = array[partner]
        others *= 1 - own
        array *= own
        array += others


def mask(
    shape: tuple[int, ...], longest: float, widest: float, rng: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return (n, time, frequency): a stretch of time and a band of frequencies per window.

    Parameters
    ----------
    shape
        (n, time, frequency).
    longest, widest
        Largest share of the time and of the frequency axis.
    """
    n, time, frequency = shape
    in_time = _stretch(n, time, longest, rng)[:, :, np.newaxis]
    return in_time | _stretch(n, frequency, widest, rng)[:, np.newaxis, :]


def _stretch(
    n: int, size: int, longest: float, rng: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    length = rng.integers(0, int(size * longest) + 1, (n, 1))
    start = rng.integers(0, size - length + 1)
    axis = np.arange(size)
    return (axis >= start) & (axis < start + length)
