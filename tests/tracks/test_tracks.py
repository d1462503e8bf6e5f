import numpy as np
import pytest
import soundfile

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import find_genres, list_shards, scan_shard
from genreflow.fingerprints.write import write
from genreflow.params import Params
from genreflow.store.stamp import StaleArtifactError
from genreflow.tracks.manifest import COLUMNS, TracksError, collect_tracks

PARAMS = Params()
STAMP = lineage.stamp("audio", PARAMS)
PRINTS = lineage.stamp("fingerprints", PARAMS)


def noise(seed, seconds=2.0):
    """Noise bursts: an onset every quarter of a second gives landmarks to compare."""
    rng = np.random.default_rng(seed)
    n = int(22050 * seconds)
    envelope = np.exp(-8 * (np.arange(n) % 5512) / 22050)
    return 0.3 * rng.standard_normal(n) * envelope


@pytest.fixture
def corpus(tmp_path):
    """Six good tracks in two genres; tests add to them."""
    root = tmp_path / "corpus"
    for genre, seed in (("blues", 0), ("rock & roll", 10)):
        (root / genre).mkdir(parents=True)
        for n in range(3):
            soundfile.write(root / genre / f"{n}.wav", noise(seed + n), 22050)
    return root


def make(root, out, *, shards=1, **changes):
    params = PARAMS.tracks.model_copy(update=changes)
    shards = list_shards(find_genres(root), shards)
    for name, shard in shards.items():
        scan = scan_shard(root, shard)
        write_audio(
            scan.files,
            name,
            PARAMS.audio,
            out / f"{name}.arrow",
            out / f"{name}.parquet",
            STAMP,
            scan.ignored,
        )
        if params.near_duplicates:
            with AudioShard(out / f"{name}.arrow", STAMP) as shard:
                write(shard, out / f"{name}.prints.arrow", PRINTS)
    return collect(shards, out, params)


def collect(shards, out, params):
    suffixes = ("parquet", "arrow", "prints.arrow")
    paths = [[out / f"{name}.{suffix}" for name in shards] for suffix in suffixes]
    return collect_tracks(*paths, STAMP, PRINTS, params)


def test_every_file_is_listed_once_with_its_facts(corpus, tmp_path):
    (corpus / "blues" / "cover.png").write_bytes(b"no audio")
    tracks, facts = make(corpus, tmp_path / "out")
    assert list(tracks.columns) == COLUMNS
    assert tracks["track_id"].tolist() == [
        f"{genre}/{n}.wav" for genre in ("blues", "rock & roll") for n in range(3)
    ]
    assert (tracks["status"] == "ok").all()
    assert facts["ignored"] == ["blues/cover.png"]
    assert set(facts["audio"]) == {"blues", "rock & roll"}


def test_a_bad_file_is_set_aside_and_stays_in_the_manifest(corpus, tmp_path):
    (corpus / "blues" / "broken.wav").write_bytes(b"RIFF nothing")
    tracks, _ = make(corpus, tmp_path / "out", max_rejected_fraction=0.5)
    row = tracks.set_index("track_id").loc["blues/broken.wav"]
    assert row["status"] == "rejected"
    assert row["reason"]


def test_too_many_bad_files_stop_the_run_with_the_list(corpus, tmp_path):
    (corpus / "blues" / "broken.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(TracksError, match=r"1 of 7 files.*\n  blues/broken\.wav: "):
        make(corpus, tmp_path / "out", max_rejected_fraction=0.1)


def test_a_genre_without_a_usable_file_is_named(corpus, tmp_path):
    (corpus / "zydeco").mkdir()
    (corpus / "zydeco" / "broken.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(TracksError, match="genre zydeco: none of its files is usable"):
        make(corpus, tmp_path / "out", max_rejected_fraction=0.5)


def test_equal_samples_are_exact_duplicates_across_genres_and_formats(corpus, tmp_path):
    samples, _ = soundfile.read(corpus / "blues" / "1.wav", dtype="int16")
    soundfile.write(corpus / "rock & roll" / "copy.flac", samples, 22050)
    tracks, _ = make(corpus, tmp_path / "out")
    both = tracks[tracks["duplicate_kind"] == "exact"]
    assert both["track_id"].tolist() == ["blues/1.wav", "rock & roll/copy.flac"]
    assert set(both["duplicate_group"]) == {"blues/1.wav"}


def test_a_quieter_excerpt_is_a_near_duplicate_unless_switched_off(corpus, tmp_path):
    samples, _ = soundfile.read(corpus / "blues" / "1.wav")
    soundfile.write(corpus / "blues" / "part.wav", 0.3 * samples[3001:], 22050)
    tracks, _ = make(corpus, tmp_path / "on")
    near = tracks.loc[tracks["duplicate_kind"] == "near", "track_id"].tolist()
    assert near == ["blues/1.wav", "blues/part.wav"]
    tracks, _ = make(corpus, tmp_path / "off", near_duplicates=False)
    assert (tracks["duplicate_kind"] == "").all()


def test_fingerprints_of_other_audio_are_refused(corpus, tmp_path):
    make(corpus, tmp_path / "before")
    soundfile.write(corpus / "blues" / "1.wav", noise(99), 22050)
    make(corpus, tmp_path / "after")
    (tmp_path / "before" / "blues.prints.arrow").replace(tmp_path / "after" / "blues.prints.arrow")
    with pytest.raises(StaleArtifactError, match=r"blues\.prints\.arrow: made from other audio"):
        collect(["blues", "rock & roll"], tmp_path / "after", PARAMS.tracks)


def test_duplicates_do_not_depend_on_how_tracks_are_divided_into_shards(corpus, tmp_path):
    samples, _ = soundfile.read(corpus / "blues" / "1.wav")
    soundfile.write(corpus / "rock & roll" / "part.wav", 0.3 * samples[3001:], 22050)
    marks = ["track_id", "duplicate_group", "duplicate_kind"]
    one, _ = make(corpus, tmp_path / "one")
    four, _ = make(corpus, tmp_path / "four", shards=4)
    assert one[marks].equals(four[marks])
    assert (one["duplicate_kind"] == "near").sum() == 2
