"""The music taggers of the package `musicnn`, rebuilt for inference in Keras 3.

Both architectures look at patches of 187 frames (3 s) of a log mel spectrum. `musicnn` hears
timbre (filters as high as 38 and 67 of 96 bands, wherever in frequency they respond most) and
rhythm (filters of 0.5 to 2 s along time), joins them by three layers, and pools all of it over
time; `vgg` stacks five small convolutions, as networks for images do.

References
----------
J. Pons, X. Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging",
late-breaking demo, ISMIR 2019.
J. Pons et al., "End-to-end learning for music audio tagging at scale", ISMIR 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np

from genreflow.audio.samples import Samples
from genreflow.features.embedding.weights import LAYERS, Weights
from genreflow.features.rows import Floats
from genreflow.features.stft import frame_count, mel_filters, power_blocks

SAMPLE_RATE = 16_000
"""[Hz]"""

N_FFT, HOP_LENGTH = 512, 256
BANDS = 96

PATCH_FRAMES = 187
"""Frames that a network looks at together: 3 s."""

_COMPRESSION = 10_000

_Tensors = dict[str, Any]


def log_mel(signal: Floats) -> Floats:
    """Return the log mel spectrum, (frames, 96), as the networks were trained on it.

    ``log10(1 + 10,000 mel)`` of power in 96 of Slaney's mel bands of equal area, up to 8 kHz, from
    centred periodic Hann windows of 32 ms, every 16 ms. The ends of the signal are mirrored, as by
    librosa 0.7, which the networks were trained with (``pad_mode="reflect"``; zeros since 0.9);
    it shows in the first and last frame. The package casts `mel` to half precision before it
    multiplies, so that loud bass (above 6.55) becomes infinite and takes the patch's tags with it;
    here all is in single precision.

    Parameters
    ----------
    signal
        (n,) float32 at 16 kHz; full scale is 1.

    Raises
    ------
    ValueError
        There are no samples.
    """
    edge = N_FFT // 2
    # The blocks pad with zeros by another half window. That makes one frame more at either end,
    # which is left out.
    mirrored = np.pad(np.asarray(signal, dtype=np.float32), edge, mode="reflect")
    filters = mel_filters(SAMPLE_RATE, N_FFT, BANDS)
    levels = np.empty((frame_count(len(mirrored), N_FFT, HOP_LENGTH), BANDS), dtype=np.float32)
    for where, power in power_blocks(cast(Samples, mirrored), N_FFT, HOP_LENGTH, scale=1.0):
        levels[where] = (filters @ power).T
    levels *= np.float32(_COMPRESSION)
    levels += np.float32(1)
    return np.log10(levels, out=levels)[1:-1]


def build(weights: Weights) -> Any:
    """Return the network as a `keras.Model`, ready for inference.

    It takes (patches, 187, 96) float32, cut from what :func:`log_mel` returns, and returns a
    dictionary of float32 tensors:

    ``pools``
        `musicnn`: (patches, 1506), of each of 753 channels (timbre 408, rhythm 153, three middle
        layers of 64) the maximum and the mean over time, channel by channel. `vgg`: (patches, 768),
        of the last three pools in turn the mean and then the maximum of each of 128 channels.
    ``penultimate``
        What the last layer reads. `musicnn`: (patches, 200), after batch norm; `vgg`:
        (patches, 256), the last pool, flattened.
    ``tags``
        (patches, 50), the probability of each of ``weights.tags``.

    `musicnn` takes 30 MB for each patch of a batch.

    Every step of the computation is a layer with a name. Batch norms are layers that scale and
    shift by constants; dropout, which does nothing in inference, is left out.
    """
    import keras

    levels = keras.Input((PATCH_FRAMES, BANDS), dtype="float32", name="levels")
    layers = _Layers(weights)
    image = keras.layers.Reshape((PATCH_FRAMES, BANDS, 1), name="image")(levels)
    compute = {"musicnn": _musicnn, "vgg": _vgg}[weights.encoder.architecture]
    model = keras.Model(levels, compute(layers, layers.normed("input", image)))
    for layer in LAYERS[weights.encoder.architecture]:
        if layer.kernel:
            target = model.get_layer(layer.name)
            kernel = weights.arrays[f"{layer.name}.kernel"]
            # Along time alone, what was an image of one channel is a row of channels.
            shape = target.kernel.shape
            target.set_weights([kernel.reshape(shape), weights.arrays[f"{layer.name}.bias"]])
    model.trainable = False
    return model


class _Layers:
    """Makes layers that are to be given the weights of the same name."""

    def __init__(self, weights: Weights) -> None:
        from keras import layers

        self.make = layers
        self.encoder = weights.encoder
        self._arrays = weights.arrays
        # Zeros, which are replaced, draw nothing from the generator that trainings share.
        blank = {"kernel_initializer": "zeros"}
        self.conv1d: Callable[..., Any] = partial(layers.Conv1D, activation="relu", **blank)
        self.conv2d: Callable[..., Any] = partial(layers.Conv2D, activation="relu", **blank)
        self.dense: Callable[..., Any] = partial(layers.Dense, **blank)

    def normed(self, name: str, x: Any) -> Any:
        """Apply the batch norm that comes after the layer `name`, which is linear by now."""
        scale, offset = (self._arrays[f"{name}.{part}"] for part in ("scale", "offset"))
        return self.make.Rescaling(scale, offset, name=f"{name}_norm")(x)


def _musicnn(layers: _Layers, image: Any) -> _Tensors:
    make = layers.make
    front = make.Concatenate(name="front")(_timbral(layers, image) + _temporal(layers, image))
    joined = make.Concatenate(name="joined")([front, *_middle(layers, front)])
    pairs = [
        make.Reshape((-1, 1), name=f"{pool.name}_column")(pool(joined))
        for pool in (make.GlobalMaxPooling1D(name="max"), make.GlobalAveragePooling1D(name="mean"))
    ]
    pools = make.Flatten(name="pools")(make.Concatenate(name="pairs")(pairs))
    hidden = layers.dense(200, "relu", name="hidden")(layers.normed("pools", pools))
    penultimate = layers.normed("hidden", hidden)
    tags = layers.dense(50, "sigmoid", name="tags")(penultimate)
    return {"pools": pools, "penultimate": penultimate, "tags": tags}


def _timbral(layers: _Layers, image: Any) -> list[Any]:
    # Padded along time alone, since the maximum over frequency follows.
    padded = layers.make.ZeroPadding2D(((3, 3), (0, 0)), name="padded")(image)
    return [
        _loudest_band(
            layers, name, layers.conv2d(204, (7, bands), padding="valid", name=name)(padded)
        )
        for name, bands in (("timbral_38", 38), ("timbral_67", 67))
    ]


def _temporal(layers: _Layers, image: Any) -> list[Any]:
    return [
        _loudest_band(
            layers, name, layers.conv2d(51, (frames, 1), padding="same", name=name)(image)
        )
        for name, frames in (("temporal_128", 128), ("temporal_64", 64), ("temporal_32", 32))
    ]


def _loudest_band(layers: _Layers, name: str, x: Any) -> Any:
    """Return the maximum over frequency, (time, channels)."""
    # After the norm: many of its scales are negative, and turn maxima into minima.
    x = layers.normed(name, x)
    pooled = layers.make.MaxPooling2D((1, x.shape[2]), name=f"{name}_max")(x)
    return layers.make.Reshape((x.shape[1], x.shape[3]), name=f"{name}_row")(pooled)


def _middle(layers: _Layers, front: Any) -> list[Any]:
    """Return the three middle layers, (time, 64) each, of which two add to the one before."""
    outputs: list[Any] = []
    for name in ("middle_1", "middle_2", "middle_3"):
        below = outputs[-1] if outputs else front
        x = layers.normed(name, layers.conv1d(64, 7, padding="same", name=name)(below))
        outputs.append(layers.make.Add(name=f"{name}_residual")([x, below]) if outputs else x)
    return outputs


def _vgg(layers: _Layers, image: Any) -> _Tensors:
    make = layers.make
    pooled, summaries = image, []
    for number, (size, step) in enumerate(layers.encoder.pools, start=1):
        name = f"conv_{number}"
        x = layers.normed(name, layers.conv2d(128, 3, padding="same", name=name)(pooled))
        pooled = make.MaxPooling2D(size, step, padding="valid", name=f"pool_{number}")(x)
        if number >= 3:
            summaries += [
                make.GlobalAveragePooling2D(name=f"pool_{number}_mean")(pooled),
                make.GlobalMaxPooling2D(name=f"pool_{number}_max")(pooled),
            ]
    penultimate = make.Flatten(name="penultimate")(pooled)
    tags = layers.dense(50, "sigmoid", name="tags")(penultimate)
    return {
        "pools": make.Concatenate(name="pools")(summaries),
        "penultimate": penultimate,
        "tags": tags,
    }
