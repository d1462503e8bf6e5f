"""What the recording chain leaves in the samples, measured on sounds whose chain is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal
import soxr
from hypothesis import given
from hypothesis import strategies as st

from genreflow.audio import chain
from genreflow.audio.samples import Samples
from genreflow.audio.traces import measure

RATE = 22050
NYQUIST = RATE / 2


def music(seconds: float = 2.0, seed: int = 0) -> chain.Amplitudes:
    """Return tones over noise whose level falls by 6 dB per octave, rising and falling."""
    rng = np.random.default_rng(seed)
    noise = np.cumsum(rng.normal(size=round(seconds * RATE)))
    noise -= np.convolve(noise, np.ones(400) / 400, "same")
    time = np.arange(len(noise)) / RATE
    tones = sum(np.sin(2 * np.pi * pitch * time) for pitch in rng.uniform(100, 2000, 4))
    swell = 0.2 + np.abs(np.sin(2 * np.pi * time * rng.uniform(0.5, 2)))
    y = (noise / np.abs(noise).max() + 0.2 * tones) * swell
    return (0.7 * y / np.abs(y).max()).astype(np.float32)


def pcm(y: chain.Amplitudes) -> Samples:
    return chain.to_pcm(y)


CUT: dict[str, tuple[Callable[[chain.Amplitudes], chain.Amplitudes], float, float]] = {
    "stored at 16 kHz": (lambda y: chain.band_limit(y, RATE, 16000), 7250, 8000),
    "stored at 11 kHz": (lambda y: chain.band_limit(y, RATE, 11025), 5000, 5500),
    "stored at 8 kHz": (lambda y: chain.band_limit(y, RATE, 8000), 3500, 4000),
    "mp3 at 32 kbit/s": (lambda y: chain.through_codec(y, RATE, "mp3", 32), 7500, 8500),
    "mp3 at 64 kbit/s": (lambda y: chain.through_codec(y, RATE, "mp3", 64), 9000, 10250),
}


@pytest.mark.parametrize("how", CUT)
def test_a_cut_off_is_found_where_filters_and_codecs_make_it(how: str) -> None:
    changed, lowest, highest = CUT[how]
    for seed in range(3):
        assert lowest <= measure(pcm(changed(music(seed=seed))), RATE).bandwidth_hz <= highest


def test_music_that_only_falls_off_has_no_cut_off() -> None:
    for seed in range(5):
        y = music(seed=seed)
        for softer in (y, chain.tilt(y, RATE, -12), chain.gain(y, -20), chain.gain(y, -40)):
            assert measure(pcm(softer), RATE).bandwidth_hz == NYQUIST


def test_a_gap_with_music_above_it_is_no_cut_off() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE)
    gap = scipy.signal.butter(8, (5000, 7000), "bandstop", fs=RATE, output="sos")
    y = scipy.signal.sosfilt(gap, noise).astype(np.float32)
    assert measure(pcm(y), RATE).bandwidth_hz == NYQUIST


def test_tones_with_nothing_between_them_are_no_band() -> None:
    time = np.arange(2 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in np.arange(500, 5000, 500))
    assert measure(pcm((0.1 * chord).astype(np.float32)), RATE).bandwidth_hz == NYQUIST


def test_a_cache_of_a_low_rate_has_no_band_to_look_in() -> None:
    low = soxr.resample(music(), RATE, 4000)
    assert measure(pcm(low), 4000).bandwidth_hz == 2000


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_steps_coarser_than_16_bit_are_counted(bits: int) -> None:
    step = 2 ** (16 - bits)
    coarse = (pcm(music()) // step * step).astype(np.int16)
    assert measure(coarse, RATE).bits == bits


def test_a_constant_offset_is_told_from_the_lows_of_music() -> None:
    time = np.arange(2 * RATE) / RATE
    lows = 0.3 * np.sin(2 * np.pi * 1.3 * time + 0.4).astype(np.float32)
    for y in (music(), chain.gain(music(seed=1), -20)):
        assert measure(pcm(y + lows), RATE).offset == 0
        assert measure(pcm(y) + np.int16(300), RATE).offset == pytest.approx(300, abs=30)


@given(decibels=st.floats(-30, -0.1))
def test_the_floor_and_the_bandwidth_do_not_know_the_gain(decibels: float) -> None:
    y = chain.band_limit(music(), RATE, 16000)
    y /= np.abs(y).max()
    before, after = measure(pcm(y), RATE), measure(pcm(chain.gain(y, decibels)), RATE)
    assert after.peak_db == pytest.approx(before.peak_db + decibels, abs=0.01)
    assert after.floor_db == pytest.approx(before.floor_db, abs=0.1)
    assert after.bandwidth_hz == before.bandwidth_hz


def test_clipping_and_digital_silence_are_shares() -> None:
    y = music(seconds=4)
    clipped = np.clip(pcm(y), -8000, 8000)
    share = np.mean(np.abs(pcm(y).astype(int)) >= 8000)
    assert measure(clipped, RATE).clipped == pytest.approx(share, abs=1e-4)
    assert measure(pcm(y), RATE).clipped < 1e-4
    silent = pcm(chain.silence(y, RATE, 1.0, 0.0)) + np.int16(5)
    assert measure(silent, RATE).silent == pytest.approx(0.2, abs=0.01)
    assert measure(pcm(y), RATE).silent == 0


def test_frames_of_full_swing_are_not_silent() -> None:
    square = np.tile(np.repeat(np.int16([-32768, 32767]), 100), 200)
    found = measure(square, RATE)
    assert (found.silent, found.peak_db) == (0, 0)
