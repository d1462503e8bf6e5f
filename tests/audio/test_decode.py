"""Whatever file: right audio or a clear reason, and never a part of it without a word."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from genreflow.audio import ffmpeg
from genreflow.audio.decode import RejectedError, decode
from genreflow.params import Audio

PARAMS = Audio()
RATE = PARAMS.sample_rate
HAS_FFMPEG = shutil.which("ffmpeg") is not None
needs_ffmpeg = pytest.mark.skipif(not HAS_FFMPEG, reason="ffmpeg is not installed")


def tone(seconds=2.0, rate=RATE, channels=1, frequency=440.0, level=0.5):
    time = np.arange(int(seconds * rate)) / rate
    wave = level * np.sin(2 * np.pi * frequency * time)
    return np.stack([wave] * channels, axis=1)


def noise(seconds, rate=RATE):
    return np.random.default_rng(0).uniform(-0.5, 0.5, int(seconds * rate))


def save(path, wave, rate=RATE, **options):
    sf.write(path, wave, rate, **options)
    return path


def reason(path, params=PARAMS):
    with pytest.raises(RejectedError) as rejected:
        decode(path, params)
    return str(rejected.value)


def loudest_frequency(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * RATE / len(samples)


def encode(source, target, *options):
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, *options, target], check=True)
    return target


def piped(source, target, *options):
    """Encode to a pipe, so that the encoder can't go back and write how long it became."""
    command = ["ffmpeg", "-v", "error", "-i", source, *options, "-"]
    target.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    return target


def joined(target, *parts):
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


@pytest.mark.parametrize("suffix", ["wav", "flac", "au", "aiff"])
def test_16_bit_mono_at_the_same_rate_comes_through_sample_for_sample(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(-32768, 32768, 3 * RATE, dtype=np.int16)
    decoded = decode(save(tmp_path / f"a.{suffix}", noise, subtype="PCM_16"), PARAMS)
    assert decoded.samples.dtype == np.int16
    np.testing.assert_array_equal(decoded.samples, noise)
    assert decoded.source.seconds == 3.0


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "au"])
@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_any_rate_and_format_becomes_the_cache_rate(tmp_path, suffix, rate):
    path = save(tmp_path / f"a.{suffix}", tone(rate=rate, channels=2), rate)
    decoded = decode(path, PARAMS)
    assert len(decoded.samples) == pytest.approx(2 * RATE, rel=0.05)
    assert loudest_frequency(decoded.samples) == pytest.approx(440, abs=1)
    assert (decoded.source.sample_rate, decoded.source.channels) == (rate, 2)
    assert decoded.source.codec.startswith({"mp3": "MP3"}.get(suffix, suffix.upper()))


def test_mono_is_the_mean_of_the_channels(tmp_path):
    left, right = np.random.default_rng(0).integers(-9000, 9000, (2, 2 * RATE)) * 2
    path = save(tmp_path / "a.wav", np.stack([left, right], 1).astype(np.int16))
    np.testing.assert_array_equal(decode(path, PARAMS).samples, (left + right) // 2)


def test_no_more_is_decoded_than_max_seconds(tmp_path):
    path = save(tmp_path / "a.flac", tone(4.0, rate=44100), 44100)
    decoded = decode(path, Audio(max_seconds=2.5))
    assert len(decoded.samples) == int(2.5 * RATE)
    assert decoded.source.seconds == 4.0


def test_too_short_a_file_is_rejected_with_both_lengths(tmp_path):
    assert "decoded to 0.8 s; expected at least 1.5 s" in reason(
        save(tmp_path / "a.wav", tone(0.8))
    )
    assert len(decode(save(tmp_path / "b.wav", tone(1.5)), PARAMS).samples) == 33075


def test_a_file_without_samples_is_rejected(tmp_path):
    assert "decoded to 0 s" in reason(save(tmp_path / "a.wav", np.zeros(0)))
    (tmp_path / "b.wav").touch()
    assert "is empty (0 bytes)" in reason(tmp_path / "b.wav")


def test_silence_is_rejected_with_its_level(tmp_path):
    assert "is silent: the mono mix peaks at zero" in reason(
        save(tmp_path / "a.wav", np.zeros(2 * RATE))
    )
    assert "peaks at -66" in reason(save(tmp_path / "b.wav", tone(level=0.0005), subtype="FLOAT"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_samples_are_rejected(tmp_path, value):
    wave = tone(channels=2)
    wave[1000, 1] = value
    assert "NaN or infinite" in reason(save(tmp_path / "a.wav", wave, subtype="FLOAT"))


@needs_ffmpeg
def test_a_file_that_breaks_off_is_used_as_far_as_it_goes(tmp_path):
    whole = save(tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 10 * RATE))
    data = whole.read_bytes()
    cut = tmp_path / "b.flac"
    cut.write_bytes(data[: len(data) // 2])
    decoded = decode(cut, PARAMS)
    assert 2 < decoded.source.seconds < 6
    np.testing.assert_array_equal(
        decoded.samples, decode(whole, PARAMS).samples[: len(decoded.samples)]
    )
    cut.write_bytes(data[: len(data) // 100])
    assert "expected at least 1.5 s" in reason(cut)


def test_a_file_that_is_no_audio_is_rejected(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF but not really" * 100)
    assert "libsndfile can't read it" in reason(path)


def test_a_file_that_cannot_be_opened_is_rejected(tmp_path):
    (tmp_path / "a.wav").symlink_to(tmp_path / "nowhere.wav")
    assert "can't be opened (No such file" in reason(tmp_path / "a.wav")


def test_without_ffmpeg_the_reason_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _tool: None)
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(1000))
    assert "ffmpeg, which may read it, is not installed; install ffmpeg" in reason(path)


@needs_ffmpeg
def test_other_formats_are_decoded_by_ffmpeg(tmp_path):
    wav = save(tmp_path / "ä b.wav", tone(3.0, rate=44100, channels=2), 44100)
    path = wav.with_suffix(".m4a")
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, path], check=True)
    decoded = decode(path, Audio(max_seconds=2.0))
    assert (decoded.source.codec, decoded.source.decoder) == ("aac", "ffmpeg")
    assert (decoded.source.sample_rate, decoded.source.channels) == (44100, 2)
    assert decoded.source.seconds == pytest.approx(3.0, abs=0.1)
    assert len(decoded.samples) == 2 * RATE
    assert loudest_frequency(decoded.samples) == pytest.approx(440, abs=1)


@needs_ffmpeg
def test_ffmpeg_rejects_what_it_cannot_read(tmp_path):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"no audio" * 100)
    with pytest.raises(ffmpeg.FfmpegError, match="ffmpeg finds no audio stream"):
        ffmpeg.FfmpegStream(path)


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A wave file of 12 s, nowhere alike, whose beginning takes more bits than the rest."""
    time = np.arange(10 * 44100) / 44100
    rising = 0.5 * np.sin(2 * np.pi * (200 + 100 * time) * time)
    wave = np.concatenate([noise(2, 44100), rising])
    return save(tmp_path_factory.mktemp("music") / "music.wav", wave, 44100)


@pytest.fixture(params=["no_xing", "cut", "joined"])
def mp3(request, music, tmp_path):
    """An mp3 whose header doesn't tell how long it is, and its length."""
    whole = encode(music, tmp_path / "whole.mp3", "-q:a", "4")
    if request.param == "no_xing":
        return encode(music, tmp_path / "a.mp3", "-q:a", "4", "-write_xing", "0"), 12
    if request.param == "cut":
        cut = ["-ss", "1", "-t", "9", "-c", "copy", "-write_xing", "0"]
        return encode(whole, tmp_path / "a.mp3", *cut), 9
    other = encode(music, tmp_path / "other.mp3", "-q:a", "4", "-af", "areverse")
    return joined(tmp_path / "a.mp3", whole, other), 24


@needs_ffmpeg
def test_an_mp3_whose_header_does_not_tell_is_read_to_its_end(mp3):
    path, seconds = mp3
    decoded = decode(path, PARAMS)
    assert len(decoded.samples) == pytest.approx(seconds * RATE, abs=0.15 * RATE)
    assert decoded.source.decoder == "ffmpeg"
    assert decoded.source.decoded_seconds == pytest.approx(seconds, abs=0.15)


@needs_ffmpeg
def test_the_middle_is_found_where_the_header_does_not_tell(mp3):
    path, seconds = mp3
    whole = decode(path, PARAMS).samples
    middle = decode(path, Audio(start="middle", max_seconds=4.0)).samples
    places = np.correlate(whole.astype(float), middle[:4000].astype(float), "valid")
    assert np.argmax(places) == pytest.approx((seconds - 4) / 2 * RATE, abs=0.15 * RATE)


def test_without_ffmpeg_such_an_mp3_is_set_aside_and_not_shortened(mp3, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _tool: None)
    assert "Xing" in (why := reason(mp3[0]))
    assert "install ffmpeg" in why


@needs_ffmpeg
@pytest.mark.parametrize("options", [[], ["-b:a", "128k"], ["-q:a", "0"]])
def test_an_mp3_with_a_header_needs_no_ffmpeg(music, tmp_path, monkeypatch, options):
    path = encode(music, tmp_path / "a.mp3", *options)
    monkeypatch.setattr(shutil, "which", lambda _tool: None)
    decoded = decode(path, PARAMS)
    assert decoded.source.seconds == pytest.approx(12, abs=0.05)
    assert (decoded.source.decoder, decoded.source.remark) == ("libsndfile", "")


@needs_ffmpeg
def test_junk_before_an_mp3_adds_nothing_to_its_length(music, tmp_path):
    path = encode(music, tmp_path / "a.mp3", "-q:a", "4")
    path.write_bytes(np.random.default_rng(0).bytes(300_000) + path.read_bytes())
    assert decode(path, PARAMS).source.seconds == pytest.approx(12, abs=0.1)


@needs_ffmpeg
def test_a_recording_whose_header_was_never_finished_is_read_whole(music, tmp_path):
    data = bytearray(music.read_bytes())
    at = data.find(b"data") + 4
    data[4:8] = data[at : at + 4] = struct.pack("<I", 0)
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    decoded = decode(path, PARAMS)
    np.testing.assert_array_equal(decoded.samples, decode(music, PARAMS).samples)
    assert decoded.source.seconds == 12


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["libvorbis", "libopus"])
def test_chained_ogg_streams_are_read_to_the_last(music, tmp_path, codec):
    short = encode(music, tmp_path / "short.ogg", "-t", "1", "-c:a", codec)
    long = encode(music, tmp_path / "long.ogg", "-c:a", codec)
    decoded = decode(joined(tmp_path / "a.ogg", short, long), PARAMS)
    assert decoded.source.seconds == pytest.approx(13, abs=0.1)
    if codec == "libvorbis":
        assert decoded.source.claimed_seconds == pytest.approx(1, abs=0.1)
        assert decoded.source.remark == "holds 13 s; its header claims 1 s"


@needs_ffmpeg
@pytest.mark.parametrize("seconds", [2.5, 12])
def test_a_flac_from_a_pipe_is_read_whole_and_its_length_is_known(music, tmp_path, seconds):
    options = ["-t", str(seconds), "-ar", str(RATE), "-f", "flac"]
    decoded = decode(piped(music, tmp_path / "a.flac", *options), PARAMS)
    assert len(decoded.samples) == seconds * RATE
    assert decoded.source.seconds == seconds
    assert decoded.source.claimed_seconds is None


@needs_ffmpeg
def test_the_length_of_a_flac_from_a_pipe_is_what_was_decoded(music, tmp_path):
    path = piped(music, tmp_path / "a.flac", "-f", "flac")
    assert decode(path, Audio(max_seconds=5.0)).source.seconds == 5.0


@needs_ffmpeg
def test_a_short_flac_that_breaks_off_is_used_as_far_as_it_goes(music, tmp_path):
    data = encode(music, tmp_path / "a.flac", "-t", "2.5", "-ar", str(RATE)).read_bytes()
    (tmp_path / "b.flac").write_bytes(data[: len(data) * 9 // 10])
    source = decode(tmp_path / "b.flac", PARAMS).source
    assert 1.7 < source.seconds < 2.4
    assert source.claimed_seconds == 2.5
    assert "its header claims 2.5 s" in source.remark


def test_a_wave_file_that_breaks_off_says_so(tmp_path):
    path = save(tmp_path / "a.wav", tone(4.0))
    path.write_bytes(path.read_bytes()[: 44 + 2 * 3 * RATE])
    source = decode(path, PARAMS).source
    assert source.seconds == 3.0
    assert source.claimed_seconds == pytest.approx(4.0, abs=0.001)
    assert source.remark == "holds 3 s; its header claims 4 s"


@needs_ffmpeg
def test_a_wave_file_after_another_is_missed_with_a_remark(music, tmp_path):
    source = decode(joined(tmp_path / "a.wav", music, music), PARAMS).source
    assert source.seconds == 12
    assert "Only the first can be read" in source.remark


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["wav", "au"])
def test_the_size_that_a_pipe_makes_unknown_is_no_claim(music, tmp_path, kind):
    source = decode(piped(music, tmp_path / f"a.{kind}", "-f", kind), PARAMS).source
    assert (source.seconds, source.decoder, source.remark) == (12.0, "libsndfile", "")


@needs_ffmpeg
def test_a_large_chunk_after_the_samples_does_no_harm(tmp_path):
    path = save(tmp_path / "a.wav", noise(3))
    before = decode(path, PARAMS).samples
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 200_000) + bytes(200_000))
    np.testing.assert_array_equal(decode(path, PARAMS).samples, before)


def test_whole_numbers_in_a_float_file_are_refused(tmp_path):
    path = save(tmp_path / "a.wav", 32767 * tone(), subtype="FLOAT")
    assert "peaks at +84.3 dB above full scale" in reason(path)


def test_one_damaged_sample_does_not_make_the_rest_inaudible(tmp_path):
    wave = tone()
    wave[5000] = 1e6
    samples = decode(save(tmp_path / "a.wav", wave, subtype="FLOAT"), PARAMS).samples
    assert np.abs(samples[:4000]).max() == pytest.approx(32768 * 0.05, rel=0.01)


def test_what_overshoots_full_scale_is_brought_down_in_shape(tmp_path):
    right = decode(save(tmp_path / "a.wav", tone(level=1.0), subtype="FLOAT"), PARAMS).samples
    loud = decode(save(tmp_path / "b.wav", tone(level=1.3), subtype="FLOAT"), PARAMS).samples
    np.testing.assert_allclose(loud, right, atol=2)


def test_channels_that_cancel_are_heard_one_at_a_time(tmp_path):
    wave = tone(channels=2) * [0.8, -1]
    decoded = decode(save(tmp_path / "a.wav", wave), PARAMS)
    np.testing.assert_allclose(decoded.samples, np.round(32768 * wave[:, 1]), atol=1)
    assert decoded.source.remark == "its channels cancel out; channel 2 was read alone"


def test_a_channel_can_be_heard_alone(tmp_path):
    wave = np.concatenate([tone(frequency=440), tone(frequency=880, level=0.2)], axis=1)
    path = save(tmp_path / "a.wav", wave, subtype="PCM_16")
    for channel, frequency in enumerate((440, 880)):
        alone = decode(path, PARAMS, channel)
        expected = decode(save(tmp_path / "b.wav", wave[:, channel], subtype="PCM_16"), PARAMS)
        np.testing.assert_array_equal(alone.samples, expected.samples)
        assert loudest_frequency(alone.samples) == pytest.approx(frequency, abs=1)
        assert alone.source.remark == ""
    path = save(tmp_path / "c.wav", tone(channels=2) * [0, 1])
    with pytest.raises(RejectedError, match="is silent"):
        decode(path, PARAMS, channel=0)


def test_channels_that_differ_are_mixed(tmp_path):
    rng = np.random.default_rng(0)
    decoded = decode(save(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, (2 * RATE, 2))), PARAMS)
    assert decoded.source.remark == ""
    one_sided = decode(save(tmp_path / "b.wav", tone(channels=2) * [1, 0]), PARAMS)
    assert np.abs(one_sided.samples).max() == pytest.approx(32768 / 4, abs=1)


@pytest.mark.parametrize("offset", [0.3, -0.9])
def test_nothing_but_a_constant_offset_is_silence(tmp_path, offset):
    path = save(tmp_path / "a.wav", np.full(2 * RATE, offset))
    assert "is silent: without its constant offset, the mono mix peaks at zero" in reason(path)


def test_a_sample_rate_that_no_sound_has_is_refused(tmp_path):
    path = save(tmp_path / "a.wav", tone())
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", 2_000_000_000)
    path.write_bytes(data)
    assert "claims a sample rate of 2000000000 Hz" in reason(path)


@needs_ffmpeg
def test_an_encoding_without_a_name_is_refused(tmp_path):
    path = save(tmp_path / "a.wav", tone())
    data = bytearray(path.read_bytes())
    data[20:22] = struct.pack("<H", 0xBEEF)
    path.write_bytes(data)
    assert "libsndfile can't read it" in reason(path)


def ramp(seconds):
    """Samples that tell where they are."""
    return np.arange(int(seconds * RATE), dtype=np.int32) // 20 + 100


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize(
    ("start", "begin"), [("beginning", 0), ("middle", 3.0), (2, 2.0), (2.5, 2.5), (9, 6.0)]
)
def test_the_excerpt_begins_where_it_was_asked_for(tmp_path, suffix, start, begin):
    path = save(tmp_path / f"a.{suffix}", ramp(10).astype(np.int16), subtype="PCM_16")
    decoded = decode(path, Audio(start=start, max_seconds=4.0))
    wanted = ramp(10)[int(begin * RATE) : int((begin + 4) * RATE)]
    np.testing.assert_array_equal(decoded.samples, wanted)
    assert (decoded.source.seconds, decoded.source.decoded_seconds) == (10.0, 4.0)


@pytest.mark.parametrize("start", ["beginning", "middle", 1.0])
def test_a_track_shorter_than_the_excerpt_is_taken_whole(tmp_path, start):
    path = save(tmp_path / "a.flac", ramp(3).astype(np.int16), subtype="PCM_16")
    np.testing.assert_array_equal(
        decode(path, Audio(start=start, max_seconds=4.0)).samples, ramp(3)
    )


@needs_ffmpeg
def test_the_middle_through_ffmpeg_is_the_middle(tmp_path):
    wave = save(tmp_path / "a.wav", ramp(10).astype(np.int16), subtype="PCM_16")
    params = Audio(start="middle", max_seconds=4.0)
    decoded = decode(encode(wave, tmp_path / "a.m4a", "-c:a", "alac"), params)
    np.testing.assert_array_equal(decoded.samples, decode(wave, params).samples)


def after_silence(path, silent, sounding, **options):
    return save(path, np.concatenate([np.zeros(int(silent * RATE)), noise(sounding)]), **options)


@pytest.mark.parametrize("suffix", ["wav", "flac", pytest.param("m4a", marks=needs_ffmpeg)])
def test_a_quiet_intro_is_passed_over(tmp_path, suffix):
    path = after_silence(tmp_path / "a.wav", 9.3, 5)
    if suffix != "wav":
        codec = {"m4a": "alac", "flac": "flac"}[suffix]
        path = encode(path, tmp_path / f"a.{suffix}", "-c:a", codec)
    decoded = decode(path, Audio(max_seconds=4.0))
    expected = decode(save(tmp_path / "b.wav", noise(5)), Audio(max_seconds=4.0))
    np.testing.assert_array_equal(decoded.samples, expected.samples)
    assert decoded.source.remark == "heard from 9.3 s on: silent before"


def test_silence_before_the_music_stays_where_enough_music_follows(tmp_path):
    path = after_silence(tmp_path / "a.wav", 2, 5)
    assert not decode(path, Audio(max_seconds=4.0)).samples[: 2 * RATE].any()
    # Nothing follows that would be gained.
    short = after_silence(tmp_path / "b.wav", 3, 1)
    assert len(decode(short, Audio(max_seconds=4.0)).samples) == 4 * RATE


def test_too_little_after_a_long_silence_is_rejected(tmp_path):
    path = after_silence(tmp_path / "a.wav", 6, 0.5)
    assert "decoded to 0.5 s after 6 s of silence" in reason(path, Audio(max_seconds=4.0))


@needs_ffmpeg
@pytest.mark.parametrize("layout", ["5.1", "7.1", "quad"])
def test_many_channels_are_mixed(music, tmp_path, layout):
    path = encode(music, tmp_path / "a.wav", "-t", "3", "-af", f"pan={layout}|c0=c0|c1=c0")
    assert len(decode(path, PARAMS).samples) == 3 * RATE


@needs_ffmpeg
@pytest.mark.parametrize("options", [["-f", "au", "-c:a", "pcm_alaw"], ["-f", "au"]])
def test_au_files_of_old_are_read(music, tmp_path, options):
    assert len(decode(encode(music, tmp_path / "a.au", *options), PARAMS).samples) == 12 * RATE


@needs_ffmpeg
def test_a_wrong_extension_and_a_large_tag_do_no_harm(music, tmp_path):
    path = encode(music, tmp_path / "a.mp3", "-q:a", "4")
    size = 6_000_000
    synchsafe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    (tmp_path / "b.wav").write_bytes(
        b"ID3\x04\x00\x00" + synchsafe + bytes(size) + path.read_bytes()
    )
    decoded = decode(tmp_path / "b.wav", PARAMS)
    assert decoded.source.seconds == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize("name", ["jazz.00054.wav", "song.mp3", "song.ogg"])
def test_bytes_that_are_no_audio_are_not_called_missing(tmp_path, name):
    path = tmp_path / name
    for content in (np.random.default_rng(0).bytes(1_321_967), b"a letter, renamed\n" * 100):
        path.write_bytes(content)
        assert "libsndfile can't read it (Format not recognised)" in reason(path)


@needs_ffmpeg
def test_ffmpeg_that_hangs_is_stopped_with_a_reason(music, tmp_path, monkeypatch):
    path = encode(music, tmp_path / "a.m4a", "-c:a", "alac")
    stuck = tmp_path / "bin" / "ffmpeg"
    stuck.parent.mkdir()
    stuck.write_text("#!/bin/sh\nexec sleep 60\n")
    stuck.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stuck.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(ffmpeg, "SECONDS_TO_WAIT", 3)
    assert "ffmpeg did not finish within 3 s" in reason(path)


@needs_ffmpeg
def test_no_ffmpeg_stays_behind_when_enough_was_heard(music, tmp_path):
    path = encode(music, tmp_path / "a.m4a", "-c:a", "alac")
    decode(path, Audio(max_seconds=2.0))
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    if children.exists():
        assert children.read_text().split() == []


@pytest.mark.real_audio
@pytest.mark.skipif("GENREFLOW_REAL_AUDIO" not in os.environ, reason="no real audio")
def test_real_clips_come_through_sample_for_sample():
    for path in sorted(Path(os.environ["GENREFLOW_REAL_AUDIO"]).glob("*/*.00000.*")):
        samples, rate = sf.read(path, dtype="int16")
        if rate == RATE and samples.ndim == 1:
            wanted = samples[: int(PARAMS.max_seconds * RATE)]
            np.testing.assert_array_equal(decode(path, PARAMS).samples, wanted)
