"""A trained model and songs for the tests of commands that hear files."""

import sys

import numpy as np
import soundfile

from genreflow import registry
from genreflow.training import train
from tests.synthetic_features import GENRES, RATE

COMMAND = [sys.executable, "-m", "genreflow", "predict"]


def trained(corpus, name, folder):
    """Train a model on a corpus of :mod:`tests.synthetic_features`."""
    out = folder / name / "0"
    features = corpus.features(*registry.entry(name).reads)
    train(name, "0", corpus.params, features, corpus.splits, out)
    return out


def make_songs(corpus, folder):
    """Write forty songs of a second and a half, and one that can't be used."""
    for i in range(40):
        wave, _ = soundfile.read(corpus.track(f"{GENRES[i % 3]}/{i % 10}.wav"))
        soundfile.write(folder / f"{i:02d}.wav", np.roll(wave, i)[: RATE * 3 // 2], RATE)
    (folder / "broken.mp3").write_bytes(b"no music")
    return folder
