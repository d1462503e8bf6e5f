"""Whether the recording chain goes along with the genre: on corpora made so that it does or not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from genreflow import lineage
from genreflow.audio import chain
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import TrackFile
from genreflow.params import Params, parse
from genreflow.store import tables
from genreflow.store.stamp import StaleArtifactError
from genreflow.studies.chain_audit import audit, chain_audit
from genreflow.tracks.manifest import collect_tracks
from genreflow.tracks.splits import make_splits
from tests.audio.test_traces import RATE, music

pytestmark = pytest.mark.slow

_GENRES = ("jazz", "metal")
_EACH = 20
_PARAMS: dict[str, Any] = {"tracks": {"near_duplicates": False}}

Store = Callable[[Path, chain.Amplitudes, str, int], Path]


def _wav(path: Path, y: chain.Amplitudes, rate: int = RATE) -> Path:
    path = path.with_suffix(".wav")
    soundfile.write(path, y, rate, subtype="PCM_16")
    return path


def _all_alike(path: Path, y: chain.Amplitudes, genre: str, number: int) -> Path:
    return _wav(path, y)


def _jazz_once_at_16_khz(path: Path, y: chain.Amplitudes, genre: str, number: int) -> Path:
    return _wav(path, chain.band_limit(y, RATE, 16000) if genre == "jazz" else y)


def _jazz_as_mp3(path: Path, y: chain.Amplitudes, genre: str, number: int) -> Path:
    if genre == "metal":
        return _wav(path, y)
    path = path.with_suffix(".mp3")
    soundfile.write(path, y, RATE, format="MP3", compression_level=0.95)
    return path


def _some_of_both_as_mp3(path: Path, y: chain.Amplitudes, genre: str, number: int) -> Path:
    return _jazz_as_mp3(path, y, _GENRES[number % 2], number)


def _jazz_in_8_bit(path: Path, y: chain.Amplitudes, genre: str, number: int) -> Path:
    return _wav(path, np.round(y * 127) / 128 if genre == "jazz" else y)


def _jazz_quieter(path: Path, y: chain.Amplitudes, genre: str, number: int) -> Path:
    return _wav(path, chain.gain(y, -12 if genre == "jazz" else 0))


@dataclass(frozen=True)
class Corpus:
    folder: Path
    params: Params

    def found(self, **changes: Any) -> dict[str, Any]:
        out = self.folder / "chain.json"
        params = parse(_PARAMS | changes)
        audio = [self.folder / f"{genre}.arrow" for genre in _GENRES]
        tracks, splits = self.folder / "tracks.parquet", self.folder / "splits.parquet"
        chain_audit(params, audio, tracks, splits, out)
        found: dict[str, Any] = json.loads(out.read_bytes())
        return found


def make_corpus(folder: Path, store: Store) -> Corpus:
    """Store music of two genres that are alike."""
    params = parse(_PARAMS)
    stamp = lineage.stamp("audio", params)
    manifests, shards = [], []
    for genre in _GENRES:
        files = []
        for number in range(_EACH):
            seed = number + _EACH * _GENRES.index(genre)
            path = store(folder / f"{genre}{number}", music(seed=seed), genre, number)
            files.append(TrackFile(f"{genre}/{path.name}", genre, path))
        arrow, manifest = folder / f"{genre}.arrow", folder / f"{genre}.parquet"
        write_audio(files, genre, params.audio, arrow, manifest, stamp, [])
        manifests.append(manifest)
        shards.append(arrow)
    no_prints = lineage.stamp("fingerprints", params)
    table, _ = collect_tracks(manifests, shards, [], stamp, no_prints, params.tracks)
    tables.write_table(table, folder / "tracks.parquet", lineage.stamp("tracks", params))
    nothing = pd.DataFrame(columns=["track_id", "group", "role"], dtype=str)
    splits = make_splits(table, nothing, nothing, params.splits)
    tables.write_table(splits, folder / "splits.parquet", lineage.stamp("splits", params))
    return Corpus(folder, params)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("cut"), _jazz_once_at_16_khz)


def test_a_genre_that_was_once_stored_at_16_khz_is_told_by_its_bandwidth(cut: Corpus) -> None:
    found = cut.found()
    chain_alone = found["chain"]
    assert chain_alone["told"]
    assert chain_alone["low"] > 0.8
    assert chain_alone["p_value"] == pytest.approx(0.01)
    best = chain_alone["traces"][0]
    assert best["trace"] == "bandwidth_hz"
    assert best["alone"] > 0.95
    assert best["importance"] > 0.3
    assert best["values"]["jazz"]["value"] < 8000 < best["values"]["metal"]["value"]


def test_a_genre_stored_as_mp3_is_told_by_codec_and_bandwidth(tmp_path: Path) -> None:
    """Either says it all, so that to the tree one of them is of no importance."""
    found = make_corpus(tmp_path, _jazz_as_mp3).found()["chain"]
    assert found["told"]
    gains = {trace["trace"]: trace["gain"] for trace in found["traces"]}
    assert gains["codec"] > 0.4
    assert gains["bandwidth_hz"] > 0.4
    codecs = {trace["trace"]: trace.get("values") for trace in found["traces"]}["codec"]
    assert codecs == {
        "jazz": {"value": "MP3/MPEG_LAYER_III", "share": 1.0},
        "metal": {"value": "WAV/PCM_16", "share": 1.0},
    }


def test_a_genre_of_coarser_steps_is_told_by_its_bits(tmp_path: Path) -> None:
    found = make_corpus(tmp_path, _jazz_in_8_bit).found()["chain"]
    assert found["told"]
    assert found["traces"][0]["trace"] == "bits"


@pytest.mark.parametrize("store", [_all_alike, _some_of_both_as_mp3])
def test_a_chain_that_both_genres_share_is_no_warning(tmp_path: Path, store: Store) -> None:
    found = make_corpus(tmp_path, store).found()
    assert not found["chain"]["told"]
    assert found["chain"]["low"] < found["chance"]
    assert not found["level"]["told"]


def test_a_quieter_genre_shows_in_its_level_which_is_no_warning(tmp_path: Path) -> None:
    found = make_corpus(tmp_path, _jazz_quieter).found()
    assert not found["chain"]["told"]
    assert found["level"]["traces"][0]["trace"] == "peak_db"
    assert found["level"]["told"]


def test_where_nothing_varies_nothing_is_told(tmp_path: Path) -> None:
    table = _table(np.random.default_rng(0), 60)
    found = audit(table.assign(bandwidth_hz=11025.0, codec="FLAC/PCM_16"), 0.95)["chain"]
    assert found["traces"] == []
    assert (found["balanced_accuracy"], found["told"]) == (pytest.approx(1 / 3, abs=0.05), False)


def _table(rng: np.random.Generator, n: int, *, per_artist: int = 1) -> pd.DataFrame:
    """Return tracks of three genres; every artist has a chain of its own, whatever it plays."""
    artists = pd.DataFrame(
        {
            "bandwidth_hz": rng.choice([8000.0, 9750.0, 10250.0, 11025.0], n // per_artist),
            "codec": rng.choice(["FLAC/PCM_16", "MP3/MPEG_LAYER_III"], n // per_artist),
            "peak_db": rng.normal(-3, 2, n // per_artist),
        }
    )
    table = artists.loc[artists.index.repeat(per_artist)].reset_index(drop=True)
    artist = np.arange(len(table)) // per_artist
    return table.assign(
        track_id=[f"{row:04d}" for row in range(len(table))],
        genre=np.array(["blues", "jazz", "rock"])[artist % 3],
        group=[f"artist {name}" for name in artist],
        decoder="libsndfile",
        sample_rate=44100,
        channels=2,
        bits=16,
        offset=0.0,
        clipped=0.0,
        silent=0.0,
        floor_db=rng.normal(-10, 1, len(table)),
    )


def alarms(seeds: int, *, per_artist: int = 1, apart: bool = False) -> int:
    """Count warnings about tables in which genres have nothing to do with chains."""
    told = 0
    for seed in range(seeds):
        table = _table(np.random.default_rng(seed), 60, per_artist=per_artist)
        table = table.assign(peak_db=0.0, floor_db=0.0)
        if apart:
            table["group"] = table["track_id"]
        told += audit(table, 0.95)["chain"]["told"]
    return told


def test_false_alarms_are_rare() -> None:
    assert alarms(20) <= 1


def test_artists_that_have_chains_of_their_own_raise_no_alarm() -> None:
    """Their tracks, taken one by one, would."""
    assert alarms(20, per_artist=5) <= 1
    assert alarms(5, per_artist=5, apart=True) >= 3


def test_two_artists_of_a_genre_are_too_few_to_speak_for_it() -> None:
    """However well their chains tell them apart, and however many tracks they have."""
    table = _table(np.random.default_rng(0), 120, per_artist=20)
    table["bandwidth_hz"] = 8000.0 + 250 * (np.arange(120) // 20)
    assert not audit(table, 0.95)["chain"]["told"]


def test_rare_genres_count_like_common_ones() -> None:
    """All of a rare genre is MP3, and still most MP3s are of the common one."""
    row = np.arange(200)
    rare, mp3 = row < 20, (row < 20) | (row % 6 == 0)
    table = _table(np.random.default_rng(0), 200).assign(
        genre=np.where(rare, "rare", "common"),
        codec=np.where(mp3, "MP3/MPEG_LAYER_III", "FLAC/PCM_16"),
        bandwidth_hz=11025.0,
    )
    found = audit(table, 0.95)
    assert found["chance"] == 0.5
    assert found["chain"]["told"]
    assert found["chain"]["balanced_accuracy"] > found["chain"]["accuracy"]


def test_the_order_of_the_tracks_does_not_matter() -> None:
    table = _table(np.random.default_rng(1), 90)
    assert audit(table, 0.95) == audit(table.sample(frac=1, random_state=0), 0.95)


def test_the_interval_is_of_the_level_asked_for(cut: Corpus) -> None:
    wide, narrow = (
        cut.found(evaluation={"confidence": level})["chain"]["low"] for level in (0.99, 0.8)
    )
    assert wide < narrow


def test_switched_off_nothing_is_measured(cut: Corpus) -> None:
    off = cut.found(chain_audit={"enabled": False})
    assert off == {"skipped": "chain_audit.enabled is false"}


def test_a_second_run_writes_the_same_bytes(cut: Corpus) -> None:
    out = cut.folder / "chain.json"
    cut.found()
    before = out.read_bytes()
    cut.found()
    assert out.read_bytes() == before


def test_audio_of_other_parameters_is_refused(cut: Corpus) -> None:
    with pytest.raises(StaleArtifactError):
        cut.found(audio={"max_seconds": 20})


def test_tracks_of_a_single_group_are_nothing_to_compare(cut: Corpus, tmp_path: Path) -> None:
    splits = tables.read_table(cut.folder / "splits.parquet", lineage.stamp("splits", cut.params))
    for name in ("tracks.parquet", "jazz.arrow", "metal.arrow"):
        (tmp_path / name).symlink_to(cut.folder / name)
    one = splits.assign(group="one")
    tables.write_table(one, tmp_path / "splits.parquet", lineage.stamp("splits", cut.params))
    assert Corpus(tmp_path, cut.params).found() == {"skipped": "no genre has two groups to compare"}


def test_a_thousand_tracks_take_seconds() -> None:
    table = _table(np.random.default_rng(0), 999)
    table.loc[table.index % 2 == 0, "codec"] = "of " + table["genre"]
    started = time.process_time()
    assert audit(table, 0.95)["chain"]["told"]
    assert time.process_time() - started < 30
