"""Embeddings of tracks by frozen encoders: a vector per patch of a few seconds.

References
----------
J. Pons, X. Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging",
ISMIR late-breaking demo 2019 (the built-in encoders, and the recipe: frozen features, a support
vector machine).
R. Yuan et al., "MARBLE: music audio representation benchmark for universal evaluation", NeurIPS
2023 (means over time of frozen encoders).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genreflow.audio.samples import Samples
from genreflow.features.embedding.encoders import Encoder, open_encoder
from genreflow.features.embedding.read import STORED, mean_over_patches
from genreflow.features.embedding.sound import Sound
from genreflow.features.rows import FeaturesError, Floats
from genreflow.registry.embedding import Embedding
from genreflow.store.archive import member, new_archive

if TYPE_CHECKING:
    from genreflow.audio.cache import AudioShard
    from genreflow.store.stamp import Stamp


def _encoders(params: Embedding) -> tuple[Encoder, ...]:
    return _opened(params.model_dump_json(), params.folder)


@lru_cache(maxsize=1)
def _opened(settings: str, folder: Path) -> tuple[Encoder, ...]:
    """Open the encoders; those of the last asked for stay open, since each takes a second."""
    params = Embedding.model_validate_json(settings).located(folder)
    return tuple(open_encoder(name, params) for name in params.encoder)


def row_names(params: Embedding) -> tuple[str, ...]:
    """Return the names of the columns: encoder, layer and number."""
    return tuple(name for encoder in _encoders(params) for name in encoder.names)


def embed(samples: Samples, sample_rate: int, params: Embedding, track_id: str = "") -> Floats:
    """Return the embeddings of a track, (patches, n), as they are stored: in half precision.

    Encoders with other patches than the first are averaged over time, and stand beside each of its
    patches.

    Parameters
    ----------
    samples
        (n,) int16.
    sample_rate
        Of the samples [Hz].
    params
        The section ``features.embedding``, with the encoders to use.
    track_id
        For embeddings that are looked up in a table.

    Returns
    -------
    ndarray of shape (patches, n)
        Of float16, without a unit; n is the sum over encoders and layers.

    Raises
    ------
    FeaturesError
        An encoder answers with what isn't finite.

    References
    ----------
    J. Pons, X. Serra, "musicnn: pre-trained convolutional neural networks for music audio
    tagging", ISMIR late-breaking demo 2019.
    """
    sound = Sound(samples, sample_rate, params)
    parts: list[Floats] = []
    for encoder in _encoders(params):
        part = encoder.embed(sound, track_id)
        if parts and len(part) != len(parts[0]):
            part = np.repeat(part.mean(axis=0, keepdims=True), len(parts[0]), axis=0)
        parts.append(part)
    largest = float(np.finfo(STORED).max)
    values = np.concatenate(parts, axis=1)
    if not np.isfinite(values).all():
        raise FeaturesError(
            f"{', '.join(params.encoder)}: an embedding of {track_id or 'a track'} isn't finite; "
            "take the encoder out of features.embedding.encoder"
        )
    return np.clip(values, -largest, largest).astype(STORED)


def rows_of(samples: Samples, sample_rate: int, params: Embedding) -> Floats:
    """Return the one row that a model sees of a track, (1, n)."""
    values = embed(samples, sample_rate, params)
    return mean_over_patches(values, [0, len(values)])


def write(shard: AudioShard, params: Embedding, out: Path, stamp: Stamp) -> None:
    """Write the embeddings of a shard.

    Members: values (patches of all tracks, n) float16; track_id, genre, copy (per track, and per
    copy of it, which follows), offsets (tracks + 1: where each track's patches begin), names (n,),
    stamp.
    """
    shard = shard.with_copies()
    names = row_names(params)
    parts = [
        embed(shard.samples(i), shard.sample_rate, params, shard.track_id[i])
        for i in range(len(shard))
    ]
    members = {
        "values": np.concatenate([*parts, np.empty((0, len(names)), dtype=STORED)]),
        "track_id": np.array(shard.track_id, dtype=np.str_),
        "genre": np.array(shard.genre, dtype=np.str_),
        "copy": np.array(shard.copy, dtype=np.str_),
        "offsets": np.cumsum([0, *map(len, parts)], dtype=np.int64),
        "names": np.array(names, dtype=np.str_),
        "stamp": np.str_(shard.stamped(stamp).to_json()),
    }
    with new_archive(out) as archive:
        for name, values in members.items():
            with member(archive, f"{name}.npy", size=values.nbytes) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)
