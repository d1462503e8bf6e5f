import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile as sf

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.decode import decode
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


def test_a_track_that_vanished_since_it_was_found_keeps_its_line_and_a_reason(corpus, tmp_path):
    corpus[0].path.unlink()
    _, manifest = write(corpus, tmp_path / "out")
    rows = pd.read_parquet(manifest).set_index("track_id")
    assert "can't be opened (No such file or directory)" in rows.loc["blues/añ o.flac", "reason"]
    assert rows.loc["blues/b.wav", "status"] == "ok"


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
    assert list(table.claimed_seconds.fillna(-1)) == [2.0, 2.5, 0.8, -1]
    assert list(table.decoded_seconds) == [2.0, 2.5, 0.8, 0.0]
    assert list(table.decoder) == ["libsndfile"] * 3 + [""]
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


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_shard_that_is_cut_off_is_named(corpus, tmp_path, share):
    arrow, _ = write(corpus, tmp_path / "out")
    data = arrow.read_bytes()
    arrow.write_bytes(data[: int(share * len(data))])
    with pytest.raises(
        StaleArtifactError, match=r"blues\.arrow: is no whole Arrow file; delete it"
    ):
        AudioShard(arrow, STAMP)


def test_files_are_only_read(corpus, tmp_path):
    before = {file.path: (file.path.read_bytes(), file.path.stat().st_mtime_ns) for file in corpus}
    write(corpus, tmp_path / "out")
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in before}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["blues.arrow", "blues.parquet"]


def test_the_audio_step_imports_neither_librosa_nor_scikit_learn():
    code = "import sys, json, genreflow.audio.write; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(subprocess.check_output([sys.executable, "-c", code]))
    assert not {"librosa", "sklearn", "scipy", "numba", "keras", "matplotlib"} & set(modules)
