"""Exported models on real music, with the front end of params.yaml."""

import os
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import soundfile

import genreflow
from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import list_shards, scan_shard
from genreflow.export.write import export
from genreflow.features.mel.extract import write
from genreflow.params import parse
from genreflow.store import tables
from genreflow.training import train

pytestmark = [
    pytest.mark.real_audio,
    pytest.mark.skipif("GENREFLOW_REAL_AUDIO" not in os.environ, reason="no real audio"),
]

MODELS = ("svm_mel", "xgb_mel", "cnn")
ROLES = ("train", "train", "valid", "test")
QUICK = {
    "svm_mel": {"n_landmarks": 100},
    "xgb_mel": {"n_estimators": 20},
    "cnn": {"epochs": 4, "filters": [8, 8, 16, 16, 16], "learning_rate": 0.01},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Describe four tracks of each genre, and divide them."""
    folder = tmp_path_factory.mktemp("corpus")
    root = folder / "genres"
    rows = []
    for genre in sorted(Path(os.environ["GENREFLOW_REAL_AUDIO"]).iterdir()):
        (root / genre.name).mkdir(parents=True)
        for path, role in zip(sorted(genre.iterdir())[::3], ROLES, strict=False):
            (root / genre.name / path.name).symlink_to(path.resolve())
            track = f"{genre.name}/{path.name}"
            rows.append(("0", track, genre.name, track, role))
    values = {"corpus": {"root": str(root)}, "audio": {"augment": []}, "models": QUICK}
    params = parse(values)
    stamp, digests = lineage.stamp("audio", params), {}
    for shard in list_shards(sorted(path.name for path in root.iterdir()), 1).values():
        scan = scan_shard(root, shard)
        arrow, manifest = (folder / f"{shard.name}.{suffix}" for suffix in ("arrow", "parquet"))
        write_audio(scan.files, shard.name, params.audio, arrow, manifest, stamp, scan.ignored)
        with AudioShard(arrow, stamp) as audio:
            digests[shard.name] = audio.digest
            mel = folder / "features/mel" / f"{shard.name}.npz"
            write(audio, params.features.mel, mel, lineage.stamp("mel", params))
    splits = pd.DataFrame(rows, columns=["fold", "track_id", "genre", "group", "role"])
    made = lineage.stamp("splits", params).with_facts(audio=digests)
    tables.write_table(splits, folder / "splits.parquet", made)
    return folder, params, splits


@pytest.mark.parametrize("name", MODELS)
def test_real_tracks_get_the_probabilities_that_genreflow_gives_them(name, corpus, tmp_path):
    folder, params, splits = corpus
    features = sorted((folder / "features/mel").iterdir())
    train(name, "0", params, features, folder / "splits.parquet", tmp_path / name / "0")
    classifier = genreflow.load(tmp_path / name / "0")
    written = export(tmp_path / name / "0", "onnx", tmp_path / f"{name}.onnx")
    runs = onnxruntime.InferenceSession(written.path)
    tracks = splits[splits["role"].isin(["valid", "test"])]
    assert len(tracks) >= 10
    assert tracks["genre"].nunique() == len(classifier.classes_)
    said, expected = [], []
    for track in tracks["track_id"]:
        path = folder / "genres" / track
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == classifier.sample_rate
        kept = samples[: round(rate * classifier.release.stretch_seconds)]
        said.append(runs.run(["probabilities"], {"samples": kept})[0])
        expected.append(classifier.hear(path, first=30.0).probabilities)
    np.testing.assert_allclose(said, expected, atol=1e-3, rtol=0)
    assert np.ptp(said, axis=0).max() > 0.1
