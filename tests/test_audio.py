import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile as sf

from genreflow import lineage
from genreflow.audio import ffmpeg
from genreflow.audio.cache import AudioShard
from genreflow.audio.decode import RejectedError, decode
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import TrackFile
from genreflow.params import Audio, Params
from genreflow.store.stamp import StaleArtifactError
from genreflow.store.tables import stamp_of

PARAMS = Audio()
RATE = PARAMS.sample_rate
STAMP = lineage.stamp("audio", Params())


def tone(seconds=2.0, rate=RATE, channels=1, frequency=440.0, level=0.5):
    time = np.arange(int(seconds * rate)) / rate
    wave = level * np.sin(2 * np.pi * frequency * time)
    return np.stack([wave] * channels, axis=1)


def save(path, wave, rate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, wave, rate, **options)
    return path


def reason(path, params=PARAMS):
    with pytest.raises(RejectedError) as rejected:
        decode(path, params)
    return str(rejected.value)


def loudest_frequency(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * RATE / len(samples)


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


def test_amplitudes_beyond_full_scale_are_clipped(tmp_path):
    path = save(tmp_path / "a.wav", tone(level=3.0), subtype="FLOAT")
    samples = decode(path, PARAMS).samples
    assert (samples.max(), samples.min()) == (32767, -32768)


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
    opposite = tone(channels=2) * [1, -1]
    assert "is silent" in reason(save(tmp_path / "c.wav", opposite))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_samples_are_rejected(tmp_path, value):
    wave = tone(channels=2)
    wave[1000, 1] = value
    assert "NaN or infinite" in reason(save(tmp_path / "a.wav", wave, subtype="FLOAT"))


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


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_other_formats_are_decoded_by_ffmpeg(tmp_path):
    wav = save(tmp_path / "ä b.wav", tone(3.0, rate=44100, channels=2), 44100)
    path = wav.with_suffix(".m4a")
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, path], check=True)
    decoded = decode(path, Audio(max_seconds=2.0))
    assert decoded.source.codec == "ffmpeg/aac"
    assert (decoded.source.sample_rate, decoded.source.channels) == (44100, 2)
    assert decoded.source.seconds == pytest.approx(3.0, abs=0.1)
    assert len(decoded.samples) == 2 * RATE
    assert loudest_frequency(decoded.samples) == pytest.approx(440, abs=1)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_rejects_what_it_cannot_read(tmp_path):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"no audio" * 100)
    with pytest.raises(ffmpeg.FfmpegError, match="ffmpeg finds no audio stream"):
        ffmpeg.read(path, 30.0)


@pytest.fixture
def corpus(tmp_path):
    """Two files that can be used, one that is too short and one that is broken."""
    root = tmp_path / "corpus"
    save(root / "blues" / "añ o.flac", tone(2.0))
    save(root / "blues" / "b.wav", tone(2.5, rate=44100, channels=2, frequency=880), 44100)
    save(root / "blues" / "c.wav", tone(0.8))
    (root / "blues" / "d.mp3").write_bytes(b"broken" * 50)
    return [
        TrackFile(path.relative_to(root).as_posix(), "blues", path)
        for path in sorted((root / "blues").iterdir())
    ]


def write(files, folder, ignored=()):
    arrow, manifest = folder / "blues.arrow", folder / "blues.parquet"
    write_audio(files, "blues", PARAMS, arrow, manifest, STAMP, ignored)
    return arrow, manifest


def test_good_tracks_are_cached_and_every_file_is_in_the_manifest(corpus, tmp_path):
    arrow, manifest = write(corpus, tmp_path / "out")
    with AudioShard(arrow, STAMP) as shard:
        assert shard.track_id == ["blues/añ o.flac", "blues/b.wav"]
        assert (shard.genre, shard.sample_rate) == (["blues", "blues"], RATE)
        for i, file in enumerate(corpus[:2]):
            np.testing.assert_array_equal(shard.samples(i), decode(file.path, PARAMS).samples)
    table = pd.read_parquet(manifest)
    assert list(table.track_id) == [file.track_id for file in corpus]
    assert list(table.status) == ["ok", "ok", "rejected", "rejected"]
    assert list(table.reason != "") == [False, False, True, True]
    assert list(table.channels) == [1, 2, 1, 0]
    assert list(table.seconds) == [2.0, 2.5, 0.8, 0.0]
    assert table.source_sha256.str.len().eq(64).all()
    assert list(table.pcm_sha256.str.len()) == [64, 64, 0, 0]


def test_the_manifest_knows_what_was_ignored_and_what_the_shard_sounds_like(corpus, tmp_path):
    arrow, manifest = write(corpus, tmp_path / "out", ignored=["blues/cover.png"])
    facts = stamp_of(pq.read_schema(manifest), manifest).facts
    assert facts["ignored"] == ["blues/cover.png"]
    with AudioShard(arrow, STAMP) as shard:
        assert facts["audio"] == shard.digest
    fewer, _ = write(corpus[:1], tmp_path / "fewer")
    with AudioShard(fewer, STAMP) as shard:
        assert facts["audio"] != shard.digest


def test_samples_are_views_of_the_file(corpus, tmp_path):
    arrow, _ = write(corpus, tmp_path / "out")
    with AudioShard(arrow, STAMP) as shard:
        first = shard.samples(0)
        expected = first.copy()
        assert not first.flags.owndata
        assert not first.flags.writeable
        shard.samples(1)
    np.testing.assert_array_equal(first, expected)


def test_a_second_write_makes_the_same_bytes(corpus, tmp_path):
    first, second = (write(corpus, tmp_path / name) for name in "ab")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_a_shard_without_usable_tracks_is_a_shard(corpus, tmp_path):
    arrow, manifest = write(corpus[2:], tmp_path / "out")
    with AudioShard(arrow, STAMP) as shard:
        assert (len(shard), shard.track_id, shard.sample_rate) == (0, [], RATE)
    assert len(pd.read_parquet(manifest)) == 2


def test_a_shard_made_with_other_parameters_is_stale(corpus, tmp_path):
    arrow, _ = write(corpus, tmp_path / "out")
    other = lineage.stamp("audio", Params(audio=Audio(sample_rate=16000)))
    with pytest.raises(StaleArtifactError, match=r"sample_rate=22050 but .*sample_rate=16000"):
        AudioShard(arrow, other)


def test_files_are_only_read(corpus, tmp_path):
    before = {file.path: (file.path.read_bytes(), file.path.stat().st_mtime_ns) for file in corpus}
    write(corpus, tmp_path / "out")
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in before}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["blues.arrow", "blues.parquet"]


def test_the_audio_step_imports_neither_librosa_nor_scikit_learn():
    code = "import sys, json, genreflow.audio.write; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.check_output([sys.executable, "-c", code]))
    assert not {"librosa", "sklearn", "scipy", "numba", "keras", "matplotlib"} & set(modules)


@pytest.mark.real_audio
@pytest.mark.skipif("GENREFLOW_REAL_AUDIO" not in os.environ, reason="no real audio")
def test_real_clips_come_through_sample_for_sample():
    for path in sorted(Path(os.environ["GENREFLOW_REAL_AUDIO"]).glob("*/*.00000.*")):
        samples, rate = sf.read(path, dtype="int16")
        if rate == RATE and samples.ndim == 1:
            wanted = samples[: int(PARAMS.max_seconds * RATE)]
            np.testing.assert_array_equal(decode(path, PARAMS).samples, wanted)
