import numpy as np
import pytest

from genreflow.features.gain import LEVEL, amplitude_scale
from genreflow.features.handcrafted.extract import extract, row_names
from genreflow.features.mel.levels import log_mel
from genreflow.registry.handcrafted import Handcrafted
from genreflow.registry.mel import Mel

RATE = 22050


def music(gain=1.0, seconds=4.0):
    """A beat of falling tones over noise, quantised to 16 bit after the gain."""
    time = np.arange(int(seconds * RATE)) / RATE
    wave = 5000 * np.sin(2 * np.pi * 440 * time) * np.exp(-5 * (time % 0.5))
    wave += np.random.default_rng(0).normal(0, 500, len(time))
    return np.rint(gain * wave).astype(np.int16)


def rms(wave):
    return np.sqrt(np.mean(np.square(wave)))


def test_the_parts_that_sound_get_the_same_level():
    samples = np.random.default_rng(0).normal(0, 700, 3 * RATE).astype(np.int16)
    assert rms(samples * amplitude_scale(samples, normalise=True)) == pytest.approx(LEVEL, rel=0.01)
    assert amplitude_scale(samples, normalise=False) == 1 / 32768


@pytest.mark.parametrize("silence", [551, RATE, 20 * RATE])
def test_silence_around_a_track_does_not_count(silence):
    plain = amplitude_scale(music(), normalise=True)
    padded = np.concatenate([np.zeros(silence, np.int16), music(), np.zeros(silence, np.int16)])
    assert amplitude_scale(padded, normalise=True) == pytest.approx(plain, rel=0.02)


def test_silence_has_no_level_to_be_brought_to():
    for length in (1, 500, 5000):
        assert amplitude_scale(np.zeros(length, np.int16), normalise=True) == 1 / 32768


def test_the_loudest_samples_do_not_overflow():
    samples = np.full(4096, -32768, np.int16)
    assert amplitude_scale(samples, normalise=True) == pytest.approx(LEVEL / 32768)


@pytest.mark.parametrize("gain", [0.25, 4.0])
def test_mel_windows_do_not_know_the_gain(gain):
    levels, louder = (log_mel(music(g), RATE, Mel()) for g in (1.0, gain))
    # Rounding to 16 bit adds noise of its own where there is next to nothing.
    assert np.abs(levels - louder).max() < 1
    assert np.abs(levels - louder).mean() < 0.02
    kept = [log_mel(music(g), RATE, Mel(normalise=False)) for g in (1.0, gain)]
    assert np.abs(kept[0] - kept[1]).mean() == pytest.approx(12.04, abs=0.1)


@pytest.mark.parametrize("gain", [0.25, 4.0])
@pytest.mark.parametrize("variant", ["classic", "extended"])
def test_handcrafted_features_do_not_know_the_gain(variant, gain):
    params = Handcrafted(set=variant)
    plain, louder = (extract(music(g), RATE, params) for g in (1.0, gain))
    for name, a, b in zip(row_names(params), plain, louder, strict=True):
        assert b == pytest.approx(a, rel=0.05, abs=0.05), name
