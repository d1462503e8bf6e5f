import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import TrackFile
from genreflow.features.handcrafted import extended as extended_set
from genreflow.features.handcrafted.extended import deltas
from genreflow.features.handcrafted.extract import extract, row_names, write
from genreflow.features.handcrafted.read import read_handcrafted
from genreflow.features.handcrafted.tonal import chroma_filters, tonnetz
from genreflow.features.rows import FeaturesError
from genreflow.params import Params, parse
from genreflow.registry.handcrafted import Handcrafted
from genreflow.store.stamp import StaleArtifactError
from genreflow.store.tables import stamp_of, write_table
from tests.conftest import ROOT

RATE = 22050
PLAIN = {"normalise": False, "skip_silence": False, "statistics": "plain", "range_db": 80.0}
CLASSIC = Handcrafted(set="classic", **PLAIN)
STAMP = lineage.stamp("handcrafted", Params())

_spec = importlib.util.spec_from_file_location(
    "reference", Path(__file__).parents[2] / "benchmarks" / "reference.py"
)
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)


def by_librosa(samples, rate=RATE):
    """Return the classic set as librosa computes it; the undefined is 0."""
    features = reference.handcrafted(samples / np.float32(32768), rate)
    return pd.Series({name: np.nan_to_num(value) for name, value in features.items()})


def by_genreflow(samples, rate=RATE, params=CLASSIC):
    return pd.Series(extract(samples, rate, params), index=row_names(params))


def assert_equal_to_librosa(samples, rate=RATE):
    """Compare with tolerances that single precision leaves.

    Values agree within a thousandth; kurtosis and skew, moments of deviations, within a
    hundredth; roll-off, where rounding can move a frame by one bin, within a bin. Valleys of the
    contrast lie up to 80 dB below the peaks, where rounding shows: 0.2 dB.
    """
    found, expected = by_genreflow(samples, rate), by_librosa(samples, rate)
    assert list(found.index) == list(expected.index)
    shape = found.index.str.endswith(("_kurtosis", "_skew"))
    close = np.where(shape, 1e-2 * (1 + expected.abs()), 1e-3 * expected.abs() + 1e-4)
    of_rolloff = found.index.str.match("rolloff_(max|min|mean|std)")
    of_contrast = found.index.str.match("contrast_(max|min|mean|std)")
    close = np.where(of_rolloff, rate / 1024, close) + np.where(of_contrast, 0.2, 0)
    close = close * np.where(found.index.str.startswith(("rolloff", "contrast")) & shape, 10, 1)
    error = (found - expected).abs()
    assert not (worst := error[error > close]).size, pd.DataFrame(
        {"found": found, "librosa": expected}
    ).loc[worst.index]


def music(seconds, rate=RATE, seed=0, noise=300.0, tones=((440.0, 8000.0),), beat=0.5):
    """Tones that decay at every beat, over noise."""
    time = np.arange(round(seconds * rate)) / rate
    decay = np.exp(-6 * (time % beat))
    wave = sum(level * np.sin(2 * np.pi * frequency * time) for frequency, level in tones)
    wave = wave * decay + np.random.default_rng(seed).normal(0, noise, len(time))
    return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


@settings(max_examples=12, deadline=None)
@given(
    seconds=st.floats(1.5, 3.0),
    rate=st.sampled_from([16000, 22050, 44100]),
    seed=st.integers(0, 100),
    noise=st.floats(30, 5000),
    tones=st.lists(st.tuples(st.floats(50, 7000), st.floats(10, 10000)), min_size=1, max_size=3),
    beat=st.floats(0.25, 1.0),
)
def test_features_equal_those_of_librosa(seconds, rate, seed, noise, tones, beat):
    assert_equal_to_librosa(music(seconds, rate, seed, noise, tones, beat), rate)


def test_silence_at_both_ends_is_measured_like_librosa_does():
    samples = np.concatenate([np.zeros(20000), music(2.0), np.zeros(9000)]).astype(np.int16)
    found, expected = by_genreflow(samples), by_librosa(samples)
    for name in ("silence_leading", "silence_trailing"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
    assert found.silence_leading == pytest.approx(20000 / RATE, abs=1024 / RATE)
    assert found.silence_trailing == pytest.approx(9000 / RATE, abs=1024 / RATE)


@pytest.mark.parametrize("bpm", [100, 120, 150])
def test_tempo_is_that_of_the_beat(bpm):
    found = by_genreflow(music(10.0, beat=60 / bpm)).tempo
    assert min(abs(found / bpm - ratio) for ratio in (0.5, 1, 2)) < 0.04


def test_the_classic_set_has_129_features():
    names = row_names(CLASSIC)
    assert len(names) == len(set(names)) == 129
    assert {"centroid_mean", "rolloff_std", "onset_max", "mfcc_13_skew", "tempo"} <= set(names)
    assert len(row_names(Handcrafted(set="classic", n_mfcc=20, skip_silence=False))) == 129 + 7 * 6


def test_the_extended_set_begins_with_the_classic_set():
    extended = Handcrafted(set="extended", **PLAIN)
    names = row_names(extended)
    assert len(names) == len(set(names)) == 403
    assert names[:129] == row_names(CLASSIC)
    samples = music(2.0)
    np.testing.assert_allclose(
        extract(samples, RATE, extended)[:129], extract(samples, RATE, CLASSIC), rtol=1e-6
    )


def test_the_counts_in_words_are_those_of_the_sets():
    classic, extended = len(row_names(CLASSIC)), len(row_names(Handcrafted(**PLAIN)))
    as_it_comes = len(row_names(Handcrafted()))
    said = Handcrafted.model_fields["set"].description
    both = f"{extended}, {as_it_comes} with `skip_silence`"
    assert said == f"classic: {classic} features of a track; extended: {both}."
    assert f": {extended - classic} features beside" in extended_set.__doc__
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"| {as_it_comes} features; `classic`: the {classic} of" in readme


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize("n_fft", [512, 1000, 1024])
def test_chroma_filters_are_those_of_librosa(rate, n_fft):
    expected = librosa.filters.chroma(sr=rate, n_fft=n_fft, tuning=0.0)
    np.testing.assert_allclose(chroma_filters(rate, n_fft), expected, atol=1e-6)


def test_tonal_centroids_and_deltas_are_those_of_librosa():
    series = np.random.default_rng(0).random((12, 50), dtype=np.float32)
    expected = librosa.feature.tonnetz(chroma=series, sr=RATE)
    np.testing.assert_allclose(tonnetz(series), expected, atol=1e-6)
    expected = librosa.feature.delta(series, mode="nearest")
    np.testing.assert_allclose(deltas(series), expected, atol=1e-6)


def test_extended_features_say_what_they_are_named_after():
    extended = Handcrafted(set="extended", **PLAIN)
    slow, fast = (by_genreflow(music(6.0, beat=b), params=extended) for b in (0.5, 0.25))
    assert slow["beat_120"] > slow["beat_240"]
    assert fast["beat_240"] > slow["beat_240"]
    slow, fast = (by_genreflow(music(6.0, beat=b), params=extended) for b in (0.4, 0.16))
    assert slow["modulation_2_2hz"] > slow["modulation_2_4.5hz"]
    assert fast["modulation_2_4.5hz"] > fast["modulation_2_2hz"]
    low = by_genreflow(music(3.0, tones=[(80.0, 9000.0)]), params=extended)
    high = by_genreflow(music(3.0, tones=[(5000.0, 9000.0)]), params=extended)
    assert low.mel_01_mean > high.mel_01_mean
    assert high.onset_4_mean > low.onset_4_mean
    noise = by_genreflow(music(3.0, noise=9000), params=extended)
    assert noise.rms_range_db < low.rms_range_db
    assert noise.irregularity_1_mean < low.irregularity_1_mean


@pytest.mark.parametrize("variant", ["classic", "extended"])
@pytest.mark.parametrize("rate", [4000, 8000, 22050, 96000])
@pytest.mark.parametrize("n_fft", [64, 1000, 2048])
def test_features_are_finite_whatever_the_parameters(variant, rate, n_fft):
    params = Handcrafted(set=variant, n_fft=n_fft, hop_length=300)
    features = extract(music(1.5, rate), rate, params)
    assert features.shape == (len(row_names(params)),)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("variant", ["classic", "extended"])
@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(RATE * 2),
        np.full(RATE * 2, 1000),
        np.where(np.arange(RATE * 2) == 9999, 32767, 0),
        np.where(np.arange(RATE * 2) % 2, -32768, 32767),
        np.rint(9000 * np.sin(np.arange(RATE * 2) * 0.1)),
    ],
    ids=["zeros", "constant", "click", "nyquist", "tone"],
)
def test_features_of_degenerate_signals_are_finite(variant, samples):
    features = by_genreflow(samples.astype(np.int16), params=Handcrafted(set=variant))
    assert np.isfinite(features).all()


def test_the_shape_of_a_constant_series_is_zero():
    features = by_genreflow(np.zeros(RATE * 2, np.int16))
    assert (features[features.index.str.endswith(("_kurtosis", "_skew"))] == 0).all()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 100), gain=st.sampled_from([0.25, 0.5, 2.0]))
def test_level_changes_only_what_measures_level(seed, gain):
    samples = 2 * (music(2.0, seed=seed, noise=2000) // 4)
    assume(np.abs(samples).max() < 16384)
    before, after = by_genreflow(samples), by_genreflow((samples * gain).astype(np.int16))
    for name in ("centroid_mean", "rolloff_mean", "bandwidth_mean", "tempo"):
        assert after[name] == pytest.approx(before[name], rel=2e-3)
    assert after.rms_mean == pytest.approx(gain * before.rms_mean, rel=2e-3)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Three shards, the second without a track, and the samples behind them."""
    folder = tmp_path_factory.mktemp("handcrafted")
    tracks = {
        "rock": {"rock/z.flac": music(2.0, seed=1), "rock/ä.flac": music(3.0, seed=2)},
        "empty": {},
        "blues": {"blues/a.flac": music(1.5, seed=3)},
    }
    for name, files in tracks.items():
        found = []
        for track_id, samples in files.items():
            path = folder / track_id
            path.parent.mkdir(exist_ok=True)
            sf.write(path, samples, RATE)
            found.append(TrackFile(track_id, name, path))
        stamp = lineage.stamp("audio", Params())
        arrow, manifest = folder / f"{name}.arrow", folder / f"{name}-manifest.parquet"
        write_audio(found, name, Params().audio, arrow, manifest, stamp, [])
        with AudioShard(arrow, stamp) as shard:
            write(shard, CLASSIC, folder / f"{name}.parquet", STAMP)
            write(shard, CLASSIC, folder / f"{name}-again.parquet", STAMP)
    return [folder / f"{name}.parquet" for name in tracks], tracks


def test_shards_are_read_as_one_table_sorted_by_track(shards):
    paths, tracks = shards
    table = read_handcrafted(paths, STAMP)
    assert list(table.columns) == ["track_id", "genre", *row_names(CLASSIC)]
    assert list(table.track_id) == ["blues/a.flac", "rock/z.flac", "rock/ä.flac"]
    assert list(table.genre) == ["blues", "rock", "rock"]
    assert (table.dtypes[2:] == np.float32).all()
    assert list(table.attrs["audio_digests"]) == ["rock", "empty", "blues"]
    expected = extract(tracks["rock"]["rock/z.flac"], RATE, CLASSIC)
    np.testing.assert_array_equal(table.iloc[1, 2:].to_numpy(np.float32), expected)


def test_a_second_write_makes_the_same_bytes(shards):
    for path in shards[0]:
        assert path.read_bytes() == path.with_stem(f"{path.stem}-again").read_bytes()


def test_a_shard_made_with_other_parameters_is_stale(shards):
    params = parse({"features": {"handcrafted": {"n_mfcc": 20}}})
    with pytest.raises(StaleArtifactError, match=r"n_mfcc=13 but .*n_mfcc=20"):
        read_handcrafted(shards[0], lineage.stamp("handcrafted", params))


def test_a_shard_with_other_columns_or_missing_values_is_an_error(shards, tmp_path):
    good = shards[0][0]
    table = pd.read_parquet(good)
    stamp = stamp_of(pq.read_schema(good), good)
    write_table(table.drop(columns="tempo"), tmp_path / "narrow.parquet", stamp)
    with pytest.raises(FeaturesError, match=r"narrow.parquet: columns differ .*tempo"):
        read_handcrafted([good, tmp_path / "narrow.parquet"], STAMP)
    write_table(table.assign(tempo=np.float32(np.nan)), tmp_path / "hollow.parquet", stamp)
    with pytest.raises(FeaturesError, match=r"hollow.parquet: holds missing values in \['tempo'\]"):
        read_handcrafted([good, tmp_path / "hollow.parquet"], STAMP)


def test_workers_import_no_librosa():
    code = """
import sys, json
import genreflow.features.handcrafted.extract, genreflow.features.mel.extract
print(json.dumps(sorted(sys.modules)))"""
    modules = json.loads(subprocess.check_output([sys.executable, "-c", code]))
    unwanted = {"librosa", "sklearn", "numba", "keras", "matplotlib", "scipy.stats"}
    assert not unwanted & set(modules)


@pytest.mark.real_audio
@pytest.mark.skipif("GENREFLOW_REAL_AUDIO" not in os.environ, reason="no real audio here")
def test_features_of_music_equal_those_of_librosa():
    for path in sorted(Path(os.environ["GENREFLOW_REAL_AUDIO"]).glob("*/*.000[01]0.*")):
        samples, rate = sf.read(path, dtype="int16")
        assert_equal_to_librosa(samples, rate)
