"""Side studies: what ignoring artists claims, and whether more data would help."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import TrackFile
from genreflow.params import Params, parse
from genreflow.registry import PROBES
from genreflow.steps import kinds_in_use
from genreflow.store import tables
from genreflow.studies.corpus_size import corpus_size_curve
from genreflow.studies.ungrouped import ungrouped_protocol
from genreflow.tracks.splits import make_splits

pytestmark = pytest.mark.slow

_RATE = 8000
_GENRES = ("a", "b")
_ARTISTS, _EACH = 4, 5
_PARAMS: dict[str, Any] = {
    "audio": {"sample_rate": _RATE},
    "features": {
        "mel": {"n_fft": 256, "hop_length": 128, "n_mels": 24},
        "handcrafted": {"n_fft": 512},
    },
    "splits": {"strategy": "kfold", "n_splits": 4},
    "models": {
        "xgb_mel": {"n_estimators": 20, "colsample_bytree": 0.5},
        "svm_handcrafted": {"inner_folds": 2, "selected_fraction": [1.0], "C": [10.0]},
    },
    "corpus_size": {"enabled": True, "fractions": [1.0, 0.5]},
}


@dataclass(frozen=True)
class Corpus:
    """Two genres of noise, alike but for a hum that each artist has."""

    folder: Path
    params: Params
    features: dict[str, list[Path]]

    @property
    def tracks(self) -> Path:
        return self.folder / "tracks.parquet"

    @property
    def splits(self) -> Path:
        return self.folder / "splits.parquet"

    def ungrouped(self, **changes: Any) -> dict[str, Any]:
        params = parse(_PARAMS | changes)
        out = self.folder / "ungrouped.json"
        ungrouped_protocol(params, self.features, self.tracks, self.splits, out)
        return json.loads(out.read_bytes())

    def curve(self, **changes: Any) -> dict[str, Any]:
        out = self.folder / "corpus_size.json"
        corpus_size_curve(parse(_PARAMS | changes), self.features, self.splits, out)
        return json.loads(out.read_bytes())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("studies"))


def make_corpus(folder: Path, *, artists_known: bool = True) -> Corpus:
    params = parse(_PARAMS)
    rng = np.random.default_rng(0)
    # The artists nearest in pitch play the other genre.
    hums = np.linspace(300, 3700, len(_GENRES) * _ARTISTS).reshape(_ARTISTS, -1).T
    rows, digests = [], {}
    features: dict[str, list[Path]] = {kind.name: [] for kind in kinds_in_use(params)}
    stamp = lineage.stamp("audio", params)
    for genre in _GENRES:
        files = []
        for artist in range(_ARTISTS):
            hum = hums[_GENRES.index(genre), artist]
            for number in range(_EACH):
                path = folder / f"{genre}{artist}{number}.wav"
                time = np.arange(4 * _RATE) / _RATE
                noise = 0.05 * rng.normal(size=time.size)
                soundfile.write(path, 0.3 * np.sin(2 * np.pi * hum * time) + noise, _RATE)
                track = f"{genre}/{path.name}"
                files.append(TrackFile(track, genre, path))
                rows.append((track, genre, f"{genre} artist {artist}"))
        arrow = folder / f"{genre}.arrow"
        write_audio(files, genre, params.audio, arrow, folder / f"{genre}.parquet", stamp, [])
        with AudioShard(arrow, stamp) as audio:
            digests[genre] = audio.digest
            for kind in kinds_in_use(params):
                out = folder / kind.name / f"{genre}{kind.suffix}"
                out.parent.mkdir(exist_ok=True)
                extractor = import_module(kind.extractor)
                extractor.write(
                    audio, params.at(kind.section), out, lineage.stamp(kind.name, params)
                )
                features[kind.name].append(out)
    table = pd.DataFrame(rows, columns=["track_id", "genre", "group"])
    table = table.assign(duplicate_group="", status="ok")
    groups = table[["track_id", "group"]] if artists_known else table[["track_id", "group"]][:0]
    made = Corpus(folder, params, features)
    tables.write_table(table.drop(columns="group"), made.tracks, lineage.stamp("tracks", params))
    splits = make_splits(
        table.drop(columns="group"),
        groups,
        pd.DataFrame({"track_id": [], "role": []}),
        params.splits,
    )
    facts = {"audio": digests, "n_grouped": len(groups)}
    tables.write_table(splits, made.splits, lineage.stamp("splits", params).with_facts(**facts))
    return made


def test_ignoring_artists_claims_what_keeping_them_apart_does_not(corpus: Corpus) -> None:
    """The genres can't be heard, the artists can."""
    claims = corpus.ungrouped()["models"]
    apart = {point["model"]: point for point in corpus.curve()["points"] if point["fraction"] == 1}
    assert set(claims) == set(apart) == set(PROBES)
    for model, claim in claims.items():
        assert claim["accuracy"] > 0.85
        assert apart[model]["accuracy"] < 0.65
        assert claim["n"] == len(_GENRES) * _ARTISTS * _EACH


def test_the_interval_of_a_point_is_over_artists_and_of_the_level_asked_for(corpus: Corpus) -> None:
    """Eight artists tell less than forty tracks of as many artists would."""
    widths = {}
    for confidence in (0.8, 0.95):
        point = corpus.curve(evaluation={"confidence": confidence})["points"][-1]
        assert point["low"] <= point["accuracy"] <= point["high"]
        widths[confidence] = point["high"] - point["low"]
    assert 0.2 < widths[0.8] < widths[0.95]


def test_without_artists_there_is_nothing_to_ignore(tmp_path: Path) -> None:
    assert make_corpus(tmp_path, artists_known=False).ungrouped() == {
        "skipped": "no artists are known"
    }


def test_switched_off_nothing_is_trained(corpus: Corpus) -> None:
    off = {"enabled": False}
    assert corpus.ungrouped(ungrouped=off) == {"skipped": "ungrouped.enabled is false"}
    assert corpus.curve(corpus_size=off) == {"skipped": "corpus_size.enabled is false"}


def test_the_curve_grows_by_whole_artists_and_keeps_every_genre(corpus: Corpus) -> None:
    points = pd.DataFrame(corpus.curve()["points"])
    assert points["fraction"].tolist() == [0.5, 1.0] * len(PROBES)
    half, whole = points["n_train"][:2]
    # Of three artists that train, less those that validate, half: one or two of each genre.
    assert half < whole
    assert half % _EACH == 0
    assert (points["n"] == len(_GENRES) * _ARTISTS * _EACH).all()


def test_a_second_run_finds_the_same(corpus: Corpus) -> None:
    assert corpus.ungrouped() == corpus.ungrouped()
