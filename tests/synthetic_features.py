"""Features of a few invented tracks, in the files that the feature steps write."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import list_shards, scan_shard
from genreflow.fingerprints import write as fingerprints
from genreflow.params import Params, parse
from genreflow.registry import MODELS
from genreflow.steps import kinds_in_use
from genreflow.store import tables
from genreflow.tracks.manifest import collect_tracks
from tests.tiny_encoder import tiny_encoder

GENRES = ("drone", "hiss", "pulse")
RATE = 8000
_ROLES = ("train",) * 6 + ("valid",) * 2 + ("test",) * 2
_SMALL_GRID = {"inner_folds": 2, "selected_fraction": [0.5]}
_SMALL_NETWORK = {"epochs": 2, "batch_size": 8, "windows_per_epoch": 40}
_PARAMS = {
    "audio": {"sample_rate": RATE, "min_seconds": 1.0},
    "features": {
        "mel": {"n_mels": 32, "n_fft": 512, "window_seconds": 1.0},
        "handcrafted": {"n_fft": 512, "hop_length": 512},
    },
    "models": {
        "svm_mel": {"n_components": 8, "n_landmarks": 20, "windows_per_track": 2},
        "xgb_mel": {"n_estimators": 4, "windows_per_track": 2},
        "svm_handcrafted": {**_SMALL_GRID, "C": [1.0], "gamma_scale": [1.0]},
        "xgb_handcrafted": {**_SMALL_GRID, "n_estimators": [3], "max_depth": [2]},
        "cnn": {**_SMALL_NETWORK, "filters": [4, 4, 4, 4, 4]},
        "lstm": {**_SMALL_NETWORK, "filters": [4, 4, 4], "units": [4]},
        "resnet50": {**_SMALL_NETWORK, "epochs": 1, "input_bands": 32, "optimizer": "sgd"},
        "svm_embedding": {"inner_folds": 2, "C": [1.0]},
        "mlp_embedding": {"epochs": 8, "batch_size": 8, "units": 16},
        "svm_fusion": {"inner_folds": 2, "C": [1.0]},
    },
    "evaluation": {"models": list(MODELS)},
}


@dataclass(frozen=True)
class Corpus:
    """Tracks of three genres, their features and one fold."""

    folder: Path
    params: Params

    @property
    def splits(self) -> Path:
        return self.folder / "splits.parquet"

    def features(self, *kinds: str) -> list[Path]:
        return [p for kind in kinds for p in sorted((self.folder / "features" / kind).glob("*.*"))]

    def track(self, name: str) -> Path:
        return self.folder / "genres" / name


def list_tracks(corpus: Corpus, prints: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fingerprint the corpus in the folder `prints`, list its tracks and look for duplicates."""
    audio, expected = (lineage.stamp(step, corpus.params) for step in ("audio", "fingerprints"))
    shards = sorted((corpus.folder / "audio").glob("*.arrow"))
    paths = [prints / shard.name for shard in shards]
    for shard, path in zip(shards, paths, strict=True):
        with AudioShard(shard, audio) as opened:
            fingerprints.write(opened, path, expected)
    manifests = [shard.with_suffix(".parquet") for shard in shards]
    return collect_tracks(manifests, shards, paths, audio, expected, corpus.params.tracks)


def make_corpus(
    folder: Path,
    *,
    noisy_test_tracks: bool = False,
    sounds: tuple[str, ...] = GENRES,
    genres: tuple[str, ...] | None = None,
    augment: tuple[str, ...] = (),
) -> Corpus:
    """Synthesise, decode and describe the tracks; test tracks may differ, and nothing else.

    `genres` are the names of the genres that sound like `sounds`; `augment` names the copies.
    """
    genres = genres or sounds
    root = folder / "genres"
    audio_params = {**_PARAMS["audio"], "augment": augment}
    embedding = {"encoder": [tiny_encoder()]}
    params = parse(
        _PARAMS
        | {
            "corpus": {"root": str(root)},
            "audio": audio_params,
            "features": {**_PARAMS["features"], "embedding": embedding},
        }
    )
    rng = np.random.default_rng(0)
    digests = {}
    rows = []
    for sound, genre in zip(sounds, genres, strict=True):
        for i, role in enumerate(_ROLES):
            wave = sound_of(sound, rng)
            if noisy_test_tracks and role == "test":
                wave = wave + np.random.default_rng(i).normal(0, 0.1, len(wave))
            path = root / genre / f"{i}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, wave, RATE, subtype="PCM_16")
            track = f"{genre}/{i}.wav"
            rows.append(("0", track, genre, track, role))
    for shard in list_shards(genres, 1).values():
        scan = scan_shard(root, shard)
        arrow, manifest = (folder / "audio" / f"{shard.name}.{s}" for s in ("arrow", "parquet"))
        audio_stamp = lineage.stamp("audio", params)
        write_audio(
            scan.files, shard.name, params.audio, arrow, manifest, audio_stamp, scan.ignored
        )
        with AudioShard(arrow, audio_stamp) as audio:
            digests[shard.name] = audio.digest
            for kind in kinds_in_use(params):
                import_module(kind.extractor).write(
                    audio,
                    params.at(kind.section),
                    folder / kind.artifact(shard.name),
                    lineage.stamp(kind.name, params),
                )
    splits = pd.DataFrame(rows, columns=["fold", "track_id", "genre", "group", "role"])
    corpus = Corpus(folder, params)
    stamp = lineage.stamp("splits", params).with_facts(audio=digests)
    tables.write_table(splits, corpus.splits, stamp)
    return corpus


def sound_of(genre: str, rng: np.random.Generator) -> np.ndarray:
    """Return two seconds, at no two tracks the same."""
    time = np.arange(2 * RATE) / RATE
    noise = rng.normal(0, 0.02, len(time))
    if genre == "drone":
        return noise + 0.2 * np.sin(2 * np.pi * rng.uniform(150, 250) * time)
    if genre == "hiss":
        return 5 * noise
    return noise + 0.25 * (time % rng.uniform(0.2, 0.3) < 0.02) * np.sin(4000 * time)
