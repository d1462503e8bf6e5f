"""The naive protocol claims more than is true, where windows betray their track."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import TrackFile
from genreflow.features.mel.extract import write
from genreflow.params import Naive, Params
from genreflow.store import tables
from genreflow.studies.naive import naive_protocol

pytestmark = pytest.mark.slow

PARAMS = Params.model_validate(
    {
        "audio": {"sample_rate": 8000},
        "features": {"mel": {"n_fft": 256, "hop_length": 128, "n_mels": 24}},
        "models": {"xgb_mel": {"n_estimators": 60, "colsample_bytree": 0.5}},
    }
)
TRACKS = 8


@pytest.fixture(scope="module")
def claim(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Two genres of noise, alike but for a hum of its own in every track."""
    folder = tmp_path_factory.mktemp("naive")
    rng = np.random.default_rng(0)
    hums = iter(rng.permutation(np.linspace(200, 3800, 2 * TRACKS)))
    shards, rows = [], []
    for genre in ("a", "b"):
        files = [_hum(folder / f"{genre}{i}.wav", next(hums), rng) for i in range(TRACKS)]
        listed = [TrackFile(f"{genre}/{path.name}", genre, path) for path in files]
        audio = folder / f"{genre}.arrow"
        write_audio(
            listed,
            genre,
            PARAMS.audio,
            audio,
            folder / f"{genre}.parquet",
            lineage.stamp("audio", PARAMS),
            [],
        )
        shards.append(folder / f"{genre}.npz")
        with AudioShard(audio, lineage.stamp("audio", PARAMS)) as shard:
            write(shard, PARAMS.at("features.mel"), shards[-1], lineage.stamp("mel", PARAMS))
        roles = ["train"] * 4 + ["valid"] * 2 + ["test"] * 2
        rows += [
            {"fold": "0", "track_id": file.track_id, "genre": genre, "group": "", "role": role}
            for file, role in zip(listed, roles, strict=True)
        ]
    splits = folder / "splits.parquet"
    tables.write_table(pd.DataFrame(rows), splits, lineage.stamp("splits", PARAMS))
    out = folder / "naive.json"
    naive_protocol(PARAMS, shards, splits, out)
    first = out.read_bytes()
    naive_protocol(PARAMS, shards, splits, out)
    assert out.read_bytes() == first
    return json.loads(first)


def _hum(path: Path, frequency: float, rng: np.random.Generator) -> Path:
    time = np.arange(8000 * 8) / 8000
    soundfile.write(
        path, 0.3 * np.sin(2 * np.pi * frequency * time) + 0.05 * rng.normal(size=time.size), 8000
    )
    return path


def test_it_recognises_tracks_whose_genre_cannot_be_heard(claim: dict) -> None:
    assert claim["accuracy"] > 0.75


def test_it_counts_the_tracks_on_both_sides(claim: dict) -> None:
    assert 0 < claim["n_shared"] <= claim["n_tracks"] <= 2 * TRACKS


def test_it_takes_as_many_windows_as_the_baseline_does(claim: dict) -> None:
    """Four tracks are tested, each of nine windows; the baseline draws at most eight."""
    assert claim["n"] == 4 * 8


def test_switched_off_nothing_is_trained(tmp_path: Path) -> None:
    off = PARAMS.model_copy(update={"naive": Naive(enabled=False)})
    out = tmp_path / "naive.json"
    naive_protocol(off, [], tmp_path / "splits.parquet", out)
    assert json.loads(out.read_bytes()) == {"skipped": "naive.enabled is false"}
