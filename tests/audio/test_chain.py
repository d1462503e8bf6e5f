"""Changes of recordings do what they are called, and nothing else."""

import numpy as np
import pytest

from genreflow.audio import chain

RATE = 22050


def music(seconds=2.0, rate=RATE, hiss=0.02):
    """Falling tones over noise: something at every frequency, and a beat."""
    time = np.arange(int(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * f * time) for f in (110, 220, 440, 880, 1760))
    wave = 0.1 * tones * np.exp(-5 * (time % 0.5))
    wave += np.random.default_rng(0).normal(0, hiss, len(time))
    return wave.astype(np.float32)


def tone(frequency, seconds=2.0, rate=RATE):
    time = np.arange(int(seconds * rate)) / rate
    return (0.1 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def level(wave):
    """Return the level of the middle, where no filter rings [dB]."""
    part = wave[len(wave) // 4 : -len(wave) // 4].astype(np.float64)
    return 10 * np.log10(np.mean(np.square(part)))


def share_above(wave, hertz, rate=RATE):
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    return power[np.fft.rfftfreq(len(wave), 1 / rate) > hertz].sum() / power.sum()


def loudest_frequency(wave, rate=RATE):
    return np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax() * rate / len(wave)


def delay(changed, wave):
    """Return by how many samples `changed` lies behind."""
    n = len(wave)
    product = np.fft.rfft(changed, 2 * n) * np.conj(np.fft.rfft(wave, 2 * n))
    best = int(np.fft.irfft(product).argmax())
    return best if best < n else best - 2 * n


def correlation(one, other):
    return float(np.corrcoef(one, other)[0, 1])


def test_samples_become_amplitudes_and_samples_again_without_a_loss():
    samples = np.arange(-32768, 32768).astype(np.int16)
    np.testing.assert_array_equal(chain.to_pcm(chain.to_amplitudes(samples)), samples)


def test_what_is_louder_than_full_scale_is_brought_down_to_it_with_all_the_rest():
    louder = chain.gain(tone(440), 40)
    samples = chain.to_pcm(louder)
    assert np.abs(samples.astype(int)).max() == pytest.approx(32768, abs=2)
    assert correlation(samples, tone(440)) > 0.99999


@pytest.mark.parametrize("decibels", [-12.0, 12.0])
def test_a_gain_is_a_gain(decibels):
    assert level(chain.gain(music(), decibels)) - level(music()) == pytest.approx(decibels, 1e-4)


@pytest.mark.parametrize("stored", [16_000, 11_025])
def test_what_a_band_limit_takes_is_gone_and_the_rest_stays(stored):
    wave = music()
    limited = chain.band_limit(wave, RATE, stored)
    assert len(limited) == len(wave)
    assert share_above(wave, stored / 2) > 1e-3
    assert share_above(limited, stored / 2) < 1e-7
    assert delay(limited, wave) == 0
    low = tone(stored / 4)
    assert level(chain.band_limit(low, RATE, stored)) == pytest.approx(level(low), abs=0.01)


def test_storing_at_a_higher_rate_takes_nothing():
    np.testing.assert_array_equal(chain.band_limit(music(), RATE, 44_100), music())


CODECS = [("mp3", 128), ("mp3", 64), ("mp3", 32), ("opus", 32)]


@pytest.mark.parametrize("rate", [5_000, 8_000, 16_000, 22_050, 44_100, 96_000])
@pytest.mark.parametrize(("codec", "kbps"), CODECS)
def test_a_codec_keeps_the_length_and_the_waveform_at_any_rate(codec, kbps, rate):
    """Where frames have no room for the encoder's delay, it must not stay in front, either."""
    wave = music(rate=rate, hiss=0.002)
    coded = chain.through_codec(wave, rate, codec, kbps)
    assert len(coded) == len(wave)
    assert abs(delay(coded, wave)) <= 2
    assert correlation(coded, wave) > 0.9
    end = slice(-rate // 10, None)
    assert correlation(coded[end], wave[end]) > 0.8, "the end is there, too"
    assert not np.array_equal(coded, wave)


def test_fewer_bits_are_a_larger_error():
    wave = music()
    errors = [level(chain.through_codec(wave, RATE, "mp3", kbps) - wave) for kbps in (128, 64, 32)]
    assert errors == sorted(errors)
    assert errors[0] < level(wave) - 20


def test_a_codec_does_not_clip_what_is_above_full_scale():
    loud = chain.gain(music(hiss=0.002), 20)
    for codec, kbps in CODECS:
        assert level(chain.through_codec(loud, RATE, codec, kbps)) == pytest.approx(
            level(loud), abs=0.5
        )


@pytest.mark.parametrize("decibels", [-6.0, 6.0])
def test_a_tilt_is_half_done_at_1_khz_whole_far_above_and_nothing_far_below(decibels):
    def change(frequency):
        wave = tone(frequency)
        return level(chain.tilt(wave, RATE, decibels)) - level(wave)

    assert change(1000) == pytest.approx(decibels / 2, abs=0.01)
    assert change(30) == pytest.approx(0, abs=0.05)
    assert change(10_000) == pytest.approx(decibels, abs=0.05)


def test_a_tilt_undoes_the_opposite_one():
    back = chain.tilt(chain.tilt(music(), RATE, 6), RATE, -6)
    np.testing.assert_allclose(back, music(), atol=1e-5)


@pytest.mark.parametrize("factor", [1.04, 1 / 1.04])
def test_tempo_changes_the_length_and_not_the_pitch(factor):
    played = chain.tempo(tone(440, 4), RATE, factor)
    assert len(played) == pytest.approx(4 * RATE / factor, abs=1)
    assert loudest_frequency(played) == pytest.approx(440, abs=0.5)


@pytest.mark.parametrize("semitones", [0.25, -0.25])
def test_pitch_changes_the_pitch_and_not_the_length(semitones):
    played = chain.pitch(tone(440, 4), RATE, semitones)
    assert len(played) == 4 * RATE
    assert loudest_frequency(played) == pytest.approx(440 * 2 ** (semitones / 12), abs=0.5)


def test_speed_changes_both():
    played = chain.speed(tone(440, 4), 1.25)
    assert len(played) == pytest.approx(4 * RATE / 1.25, abs=1)
    assert loudest_frequency(played) == pytest.approx(550, abs=0.5)


@pytest.mark.parametrize("factor", [1.04, 1 / 1.04])
def test_tempo_leaves_beats_sharp(factor):
    """Of a click, more than nine tenths stay within 12 ms."""
    clicks = np.zeros(4 * RATE, np.float32)
    clicks[RATE // 4 :: RATE // 2] = 0.9
    energy = np.square(chain.tempo(clicks, RATE, factor))
    near = np.zeros(len(energy), bool)
    for beat in np.rint(np.flatnonzero(clicks) / factor).astype(int):
        near[beat - RATE * 12 // 1000 : beat + RATE * 12 // 1000] = True
    assert energy[near].sum() > 0.9 * energy.sum()


@pytest.mark.parametrize("length", [2048, 33_075, 70_000])
def test_tempo_takes_any_length(length):
    played = chain.tempo(music(4.0)[:length], RATE, 1.04)
    assert len(played) == round(length / 1.04)
    assert np.isfinite(played).all()


def test_silence_is_silence_and_the_rest_stays_sample_for_sample():
    wave = music()
    padded = chain.silence(wave, RATE, 0.025, 1.0)
    assert len(padded) == len(wave) + 551 + RATE
    np.testing.assert_array_equal(padded[551:-RATE], wave)
    assert not padded[:551].any()
    assert not padded[-RATE:].any()


def test_noise_lies_as_far_below_as_asked_for():
    wave = music()
    noisy = chain.noise(wave, 30, np.random.default_rng(0))
    assert level(wave) - level(noisy - wave) == pytest.approx(30, abs=1)
    # White: half of it in the upper half of the spectrum.
    assert share_above(noisy - wave, RATE / 4) == pytest.approx(0.5, abs=0.05)


def test_a_room_has_fallen_by_60_db_after_its_time():
    click = np.zeros(RATE, np.float32)
    click[0] = 1
    heard = chain.room(click, RATE, 0.3, np.random.default_rng(0))
    assert len(heard) == len(click)
    early, late = (
        np.square(heard[round(at * RATE) : round((at + 0.03) * RATE)]).mean() for at in (0.02, 0.27)
    )
    assert 10 * np.log10(early / late) == pytest.approx(60 * 0.25 / 0.3, abs=3)
    assert heard[0] == pytest.approx(1)
    assert np.square(heard[1:]).sum() == pytest.approx(1, rel=0.01), "as loud as what comes direct"


def test_what_is_random_comes_from_the_generator_alone():
    def changed(seed):
        rng = np.random.default_rng(seed)
        return chain.room(chain.noise(music(), 30, rng), RATE, 0.3, rng)

    np.testing.assert_array_equal(changed(1), changed(1))
    assert not np.array_equal(changed(1), changed(2))


@pytest.mark.parametrize(("codec", "kbps"), CODECS)
def test_a_codec_makes_the_same_each_time(codec, kbps):
    first, second = (chain.through_codec(music(), RATE, codec, kbps) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_no_change_writes_into_what_it_is_given():
    wave = music()
    wave.flags.writeable = False
    rng = np.random.default_rng(0)
    for changed in (
        chain.gain(wave, 3),
        chain.band_limit(wave, RATE, 16_000),
        chain.through_codec(wave, RATE, "mp3", 64),
        chain.tilt(wave, RATE, 3),
        chain.tempo(wave, RATE, 1.04),
        chain.pitch(wave, RATE, 0.25),
        chain.silence(wave, RATE, 0.1, 0.1),
        chain.noise(wave, 30, rng),
        chain.room(wave, RATE, 0.3, rng),
    ):
        assert changed.dtype == np.float32
        assert not np.shares_memory(changed, wave)
