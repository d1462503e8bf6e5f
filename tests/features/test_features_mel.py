import os
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import TrackFile
from genreflow.features.mel.extract import (
    cut_windows,
    log_mel,
    window_geometry,
    window_starts,
    write,
)
from genreflow.features.mel.read import MelWindows
from genreflow.features.stft import mel_filters
from genreflow.params import Audio, Params, parse
from genreflow.registry.mel import Mel
from genreflow.store.stamp import StaleArtifactError

RATE = 22050
MEL = Mel(normalise=False, skip_silence=False, floor_db=-100)
AUDIO_STAMP = lineage.stamp("audio", Params())
STAMP = lineage.stamp("mel", Params())


def noise(seconds, seed=0, level=8000):
    random = np.random.default_rng(seed)
    return np.clip(random.normal(0, level, round(seconds * RATE)), -32768, 32767).astype(np.int16)


def reference(samples, rate, params):
    mel = librosa.feature.melspectrogram(
        y=samples / np.float32(32768),
        sr=rate,
        n_fft=params.n_fft,
        hop_length=params.hop_length,
        n_mels=params.n_mels,
        fmin=params.fmin,
        fmax=params.fmax,
    )
    return librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None).T


@pytest.mark.filterwarnings("ignore:Empty filters")
@pytest.mark.parametrize("bands", [8, 64, 128, 229])
@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize(("fmin", "fmax"), [(0.0, None), (50.0, 3500.0)])
def test_mel_filters_are_those_of_librosa(bands, rate, fmin, fmax):
    expected = librosa.filters.mel(sr=rate, n_fft=1024, n_mels=bands, fmin=fmin, fmax=fmax)
    found = mel_filters(rate, 1024, bands, fmin, fmax).toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


signals = st.builds(
    lambda seed, length, level, tones, pause: np.where(
        np.arange(length) % 20000 < pause,
        0,
        np.clip(
            np.random.default_rng(seed).normal(0, level, length)
            + sum(
                amplitude * np.sin(2 * np.pi * frequency / RATE * np.arange(length))
                for frequency, amplitude in tones
            ),
            -32768,
            32767,
        ),
    ).astype(np.int16),
    seed=st.integers(0, 1000),
    length=st.integers(2048, 50000),
    level=st.sampled_from([0.0, 1.0, 300.0, 20000.0]),
    tones=st.lists(st.tuples(st.floats(20, 11000), st.floats(1, 30000)), max_size=3),
    pause=st.sampled_from([0, 5000, 15000]),
)


@settings(max_examples=40, deadline=None)
@given(
    samples=signals,
    rate=st.sampled_from([16000, 22050, 44100]),
    n_fft=st.sampled_from([512, 1000, 1024, 2048]),
    hop=st.sampled_from([200, 256, 512]),
)
def test_log_mel_equals_librosa_within_single_precision(samples, rate, n_fft, hop):
    params = Mel(
        n_fft=n_fft,
        hop_length=hop,
        n_mels=40,
        fmin=30.0,
        normalise=False,
        skip_silence=False,
        floor_db=-100,
    )
    found = log_mel(samples, rate, params)
    expected = reference(samples, rate, params)
    assert found.shape == expected.shape
    # A float32 transform errs by some millionths of its loudest bin, wherever the error lands, and
    # that bin may lie below the lowest band: 5e-6 of the loudest band is the most found so far.
    amplitude, wanted = (10 ** (levels / 20) for levels in (found, expected))
    loudest = np.max(wanted, axis=1, keepdims=True)
    assert np.all(np.abs(amplitude - wanted) <= 1e-5 * wanted + 1e-5 * loudest)


def test_log_mel_of_noise_equals_librosa_within_a_thousandth_of_a_decibel():
    samples = noise(5.0)
    np.testing.assert_allclose(
        log_mel(samples, RATE, MEL), reference(samples, RATE, MEL), atol=1e-3
    )


def test_silence_has_the_lowest_level():
    levels = log_mel(np.zeros(5000, np.int16), RATE, MEL)
    np.testing.assert_allclose(levels, -100, atol=1e-4)


def test_the_default_window_has_129_frames_and_a_30_s_clip_has_39_windows():
    assert window_geometry(RATE, MEL) == (129, 64)
    frames = log_mel(noise(30.0), RATE, MEL)
    assert cut_windows(frames, 129, 64).shape == (39, 129, 128, 1)


def test_the_shortest_track_has_a_window():
    shortest = log_mel(noise(Params().audio.min_seconds), RATE, MEL)
    assert shortest.shape == (130, 128)
    assert len(cut_windows(shortest, 129, 64)) == 1


@given(
    rate=st.integers(4000, 96000),
    window=st.floats(0.2, 5),
    overlap=st.floats(0, 0.95),
    extra=st.floats(0, 10),
)
def test_windows_cover_a_track_but_for_less_than_a_hop(rate, window, overlap, extra):
    params = Mel(window_seconds=window, overlap=overlap)
    size, hop = window_geometry(rate, params)
    frames = 1 + int((window + extra) * rate) // params.hop_length
    starts = window_starts(frames, size, hop)
    assert starts[0] == 0
    assert starts[-1] + size <= frames < starts[-1] + size + hop
    assert hop <= size


def make_shard(folder, name, tracks):
    """Write the mel shard `name` of `tracks`, {track_id: samples}."""
    files = []
    for track_id, samples in tracks.items():
        path = folder / "corpus" / track_id
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, samples, RATE)
        files.append(TrackFile(track_id, Path(track_id).parts[0], path))
    arrow, manifest = folder / f"{name}.arrow", folder / f"{name}.parquet"
    write_audio(files, name, Audio(augment=[]), arrow, manifest, AUDIO_STAMP, [])
    with AudioShard(arrow, AUDIO_STAMP) as shard:
        write(shard, MEL, folder / f"{name}.npz", STAMP)
    return folder / f"{name}.npz"


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mel")
    tracks = {
        "blues": {"blues/a.flac": noise(4.0, 1), "blues/ö.flac": noise(1.5, 2)},
        "empty": {"empty/short.wav": noise(0.5)},
        "rock": {"rock/c.flac": noise(3.2, 3)},
    }
    return [make_shard(folder, name, files) for name, files in tracks.items()], tracks


@pytest.fixture
def windows(shards):
    with MelWindows(shards[0], STAMP) as windows:
        yield windows


def test_the_reader_knows_tracks_windows_and_audio(windows):
    assert windows.track_id == ["blues/a.flac", "blues/ö.flac", "rock/c.flac"]
    assert windows.genre == ["blues", "blues", "rock"]
    assert windows.window_track.tolist() == [0, 0, 0, 0, 1, 2, 2, 2]
    assert windows.window_index.tolist() == [0, 1, 2, 3, 0, 0, 1, 2]
    assert windows.shape == (8, 129, 128, 1)
    assert list(windows.audio_digests) == ["blues", "empty", "rock"]
    assert len(set(windows.audio_digests.values())) == 3


def test_stored_windows_are_those_that_prediction_cuts(windows, shards):
    samples = [s for tracks in shards[1].values() for s in tracks.values() if len(s) > 33000]
    expected = np.concatenate([cut_windows(log_mel(s, RATE, MEL), 129, 64) for s in samples])
    np.testing.assert_array_equal(windows.read(np.arange(len(windows))), expected)
    np.testing.assert_array_equal(windows.read([7, 0, 0, 4]), expected[[7, 0, 0, 4]])
    assert windows.read([3]).dtype == np.float32
    assert windows.read([]).shape == (0, 129, 128, 1)


def test_a_window_that_does_not_exist_is_an_error(windows):
    with pytest.raises(IndexError, match="window 8 was asked for; there are 8"):
        windows.read([0, 8])
    with pytest.raises(IndexError, match="window -1"):
        windows.read([-1])


def test_the_reader_survives_pickling_and_threads(windows):
    everything = windows.read(np.arange(8))
    with pickle.loads(pickle.dumps(windows)) as copy, ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(copy.read([5, 2]), everything[[5, 2]])
        for i, window in enumerate(pool.map(lambda i: copy.read([i % 8]), range(64))):
            np.testing.assert_array_equal(window[0], everything[i % 8])


def test_closing_closes_every_file(shards):
    def open_files():
        return sum(str(p.resolve()).endswith(".npz") for p in Path("/proc/self/fd").iterdir())

    before = open_files()
    windows = MelWindows(shards[0], STAMP)
    assert open_files() == before + 3
    windows.close()
    assert open_files() == before


def test_the_artifact_is_a_plain_npz_that_stores_overlap_once(shards):
    blues = shards[0][0]
    with np.load(blues) as archive:
        n_windows = len(archive["window_start"])
        assert archive["frames"].dtype == np.float16
        assert archive["offsets"].tolist() == [0, 345, 475]
        assert len(archive["frames"]) == 475
        assert (archive["window_frames"], archive["hop_frames"]) == (129, 64)
    long = make_shard(blues.parent, "long", {"long/a.flac": noise(30.0)})
    assert long.stat().st_size <= 0.3 * 39 * 129 * 128 * 4
    assert n_windows == 5


def test_no_small_member_is_announced_as_large(shards):
    """Python before 3.11.4 wrote other bytes for these."""
    with zipfile.ZipFile(shards[0][0]) as archive:
        assert {info.extract_version for info in archive.infolist()} == {20}


def test_a_second_write_makes_the_same_bytes(shards):
    blues, tracks = shards[0][0], shards[1]["blues"]
    before = blues.read_bytes()
    assert make_shard(blues.parent, "blues", tracks).read_bytes() == before


def test_a_shard_made_with_other_parameters_is_stale(shards):
    other = lineage.stamp("mel", parse({"features": {"mel": {"n_mels": 64}}}))
    with pytest.raises(StaleArtifactError, match=r"n_mels=128 but .*n_mels=64"):
        MelWindows(shards[0], other)


def test_a_file_that_is_no_archive_is_stale(tmp_path):
    path = tmp_path / "blues.npz"
    path.write_bytes(b"PK no archive")
    with pytest.raises(StaleArtifactError, match="not a zip file"):
        MelWindows([path], STAMP)


@pytest.mark.real_audio
@pytest.mark.skipif("GENREFLOW_REAL_AUDIO" not in os.environ, reason="no real audio here")
def test_log_mel_of_music_equals_librosa_within_storage_precision():
    for path in sorted(Path(os.environ["GENREFLOW_REAL_AUDIO"]).glob("*/*.00000.*")):
        samples, rate = sf.read(path, dtype="int16")
        found, expected = log_mel(samples, rate, MEL), reference(samples, rate, MEL)
        np.testing.assert_allclose(found, expected, atol=1 / 16)
        loud = expected > expected.max(axis=1, keepdims=True) - 60
        np.testing.assert_allclose(found[loud], expected[loud], atol=1e-3)
