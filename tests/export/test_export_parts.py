"""The parts of exported graphs, one by one, beside what they repeat."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import SelectPercentile, f_classif
from sklearn.pipeline import Pipeline

from genreflow.audio.decode import prepare
from genreflow.export import level
from genreflow.export.graph import Graph
from genreflow.export.preparation import prepared
from genreflow.export.statistics import describe
from genreflow.export.windows import mel_windows
from genreflow.features.mel.extract import rows_of
from genreflow.features.sounding import sounds, without_silence_around
from genreflow.models import grid
from genreflow.models.statistics import describe as describe_windows
from genreflow.params import Audio
from genreflow.registry.mel import Mel

RATE = 8000
MEL = {"n_fft": 512, "n_mels": 32, "window_seconds": 1.0}


def run(write, shape, *values, rank=1):
    """Compute what `write` makes of one input, an array of some rank, for each of `values`."""
    graph = Graph()
    graph.output(
        "y", graph.cast(write(graph, graph.input("x", shape)), np.float32), list("abc"[:rank])
    )
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString())
    found = [session.run(["y"], {"x": value})[0] for value in values]
    return found[0] if len(found) == 1 else found


def samples_of(name):
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.1, 3 * RATE)
    rest = np.zeros(RATE)
    sound = {
        "noise": noise,
        "in silence": np.concatenate([rest, noise, rest[:777]]),
        "with a gap": np.concatenate([noise, rest, rest, rest, noise]),
        "mostly silent": np.concatenate([rest, rest, noise[:900], rest]),
        "rising": noise * np.linspace(0, 1, len(noise)) ** 6,
        "one window": noise[:RATE],
    }[name]
    return sound.astype(np.float32)


@pytest.mark.parametrize(
    "name", ["noise", "in silence", "with a gap", "mostly silent", "rising", "one window"]
)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"normalise": False},
        {"skip_silence": False},
        {"n_fft": 600, "hop_length": 100, "fmin": 50.0, "fmax": 3000.0},
        {"n_fft": 255, "hop_length": 257, "overlap": 0.0},
        {"floor_db": -30.0, "overlap": 0.9},
    ],
    ids=str,
)
def test_windows_are_those_of_the_pipeline(name, params):
    mel, samples = Mel(**(MEL | params)), samples_of(name)
    expected = rows_of(prepare(samples.copy(), RATE, Audio(sample_rate=RATE)), RATE, mel)[..., 0]
    found = run(lambda graph, x: mel_windows(graph, x, RATE, mel), ["n"], samples, rank=3)
    assert found.shape == expected.shape
    # Levels are in half precision: one that lies between two steps may fall to either.
    difference = np.abs(found - expected)
    assert difference.max() <= 1 / 16
    assert (difference > 0).mean() < 0.01


def test_windows_shorter_than_a_block_are_found_too():
    mel = Mel(n_fft=64, hop_length=16, n_mels=8, window_seconds=0.02)
    samples = samples_of("noise")[:200]
    expected = rows_of(prepare(samples.copy(), RATE, Audio(sample_rate=RATE)), RATE, mel)[..., 0]
    found = run(lambda graph, x: mel_windows(graph, x, RATE, mel), ["n"], samples, rank=3)
    np.testing.assert_allclose(found, expected, atol=1 / 16)


@pytest.mark.parametrize("peak", [0.001, 0.5, 1.0, 1.7, 9.0])
def test_samples_are_rounded_to_16_bit_as_decoding_rounds_them(peak):
    wave = samples_of("noise")
    wave = np.clip(wave * np.float32(peak / np.abs(wave).max()), -peak, peak)
    expected = prepare(wave.copy(), RATE, Audio(sample_rate=RATE, silence_db=-90))
    np.testing.assert_array_equal(run(level.quantised, ["n"], wave), expected)


def test_a_click_beyond_all_measure_is_clipped_first():
    wave = samples_of("noise")
    wave[777] = 1e6
    expected = prepare(wave.copy(), RATE, Audio(sample_rate=RATE))
    np.testing.assert_array_equal(run(level.quantised, ["n"], wave), expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4000), st.integers(0, 4000), st.integers(0, 4000), st.integers(1, 3000))
def test_silence_is_left_out_at_the_same_sample(length, before, after, at_least):
    rng = np.random.default_rng(length)
    sound = rng.normal(0, 3000, length)
    track = np.concatenate([np.zeros(before), sound, np.zeros(after)]).astype(np.int16)
    expected = without_silence_around(track, at_least)
    found = run(
        lambda graph, x: level.without_silence_around(graph, x, at_least),
        ["n"],
        track.astype(np.float32),
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("count", [1, 2, 20, 21, 333])
def test_the_same_frames_sound(count):
    power = (10 ** np.random.default_rng(count).uniform(-8, 0, count)).astype(np.float32)
    silent = np.zeros_like(power)
    found = run(level.sounds, ["n"], power, silent)
    np.testing.assert_array_equal(found, [sounds(power), sounds(silent)])


@pytest.mark.parametrize(("time", "bands"), [(129, 128), (31, 33), (8, 2), (2, 1), (1, 4)])
def test_statistics_of_windows_are_those_of_the_models(time, bands):
    windows = np.random.default_rng(0).uniform(-70, 0, (5, time, bands)).astype(np.float32)
    found = run(lambda graph, x: describe(graph, x, (time, bands, 1)), ["n", time, bands], windows)
    np.testing.assert_allclose(found, describe_windows(windows[..., np.newaxis]), atol=1e-4)


@pytest.mark.parametrize("scaling", ["ranks", "standard"])
def test_features_are_scaled_and_selected_as_in_training(scaling):
    rng = np.random.default_rng(1)
    known = rng.normal(0, 3, (300, 12)).astype(np.float32)
    known[:, 1] = np.round(known[:, 1])  # several equal quantiles
    known[:, 2] = 0  # nothing but them
    known[:150, 3] = 4  # half of them
    known[:, 4] *= 1e6
    known[:, 5] *= 1e-6
    label = np.arange(300) % 3
    pipeline: Pipeline = grid.preparation(scaling, 0.75)
    with grid.one_thread():
        pipeline.fit(known, label)
    assert isinstance(pipeline["select"], SelectPercentile)
    assert pipeline["select"].score_func is f_classif
    rows = np.concatenate([known, 1.3 * known, known + 0.01, [[0.0] * 12], [[4.0] * 12]])
    rows = np.concatenate([rows, known[:1] - 1e9, known[:1] + 1e9]).astype(np.float32)
    found = run(lambda graph, x: prepared(graph, x, pipeline), ["n", 12], rows, rank=2)
    np.testing.assert_allclose(found, pipeline.transform(rows), atol=1e-5, rtol=1e-5)
