"""Fingerprints as files: what was written is read, and nothing else is taken for it."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from genreflow.fingerprints.constellations import constellations
from genreflow.fingerprints.layout import SCHEMA, open_fingerprints
from genreflow.fingerprints.prints import KEY_BITS, Fingerprints, Landmarks
from genreflow.fingerprints.read import CorpusPrints
from genreflow.fingerprints.write import fingerprint, save
from genreflow.store.stamp import StaleArtifactError, Stamp
from genreflow.store.tables import with_stamp

RATE = 22050
STAMP = Stamp("fingerprints", {"audio": {"sample_rate": RATE}})
MADE = STAMP.with_facts(audio="abc")


def bursts(seed):
    """Two seconds of noise with an onset every quarter of a second."""
    noise = np.random.default_rng(seed).normal(0, 3000, 2 * RATE)
    return (noise * np.exp(-(np.arange(2 * RATE) % 5512) / 2000)).astype(np.int16)


@pytest.fixture(scope="module")
def prints():
    """Of three tracks, the second of which is too short for a single frame."""
    return Fingerprints.of([fingerprint(x) for x in (bursts(0), bursts(1)[:100], bursts(2))])


@pytest.fixture
def path(prints, tmp_path):
    save(["a", "b", "c"], prints, tmp_path / "blues.arrow", MADE)
    return tmp_path / "blues.arrow"


def test_what_was_written_is_read(prints, path):
    shard = open_fingerprints(path, STAMP)
    assert (shard.track_id, shard.audio) == (["a", "b", "c"], "abc")
    assert len(shard.prints) == 3
    assert shard.prints.size == prints.size > 100
    for track in range(3):
        expected, found = prints.landmarks(track), shard.prints.landmarks(track)
        np.testing.assert_array_equal(found.hashes, expected.hashes)
        np.testing.assert_array_equal(found.frames, expected.frames)
    assert len(prints.landmarks(1).hashes) == 0


def test_the_same_tracks_are_the_same_bytes(prints, path, tmp_path):
    save(["a", "b", "c"], prints, tmp_path / "again.arrow", MADE)
    assert (tmp_path / "again.arrow").read_bytes() == path.read_bytes()


def test_a_shard_without_a_usable_track_has_fingerprints_of_none(tmp_path):
    save([], Fingerprints.of([]), tmp_path / "rock.arrow", MADE)
    assert len(open_fingerprints(tmp_path / "rock.arrow", STAMP).prints) == 0
    found = CorpusPrints({tmp_path / "rock.arrow": "abc"}, STAMP, {})
    assert len(found.between(0, 2**KEY_BITS).keys) == 0


def test_every_constellation_is_in_one_range_of_keys(path):
    found = CorpusPrints({path: "abc"}, STAMP, {"c": 0, "a": 1})
    whole = found.between(0, 2**KEY_BITS)
    assert len(whole.keys) == found.size
    assert set(whole.tracks) == {0, 1}
    bounds = [0, int(whole.keys[5]), int(whole.keys[5]) + 1, 2**61, 2**KEY_BITS]
    parts = [found.between(*ends).keys for ends in pairwise(bounds)]
    np.testing.assert_array_equal(np.concatenate(parts), whole.keys)
    np.testing.assert_array_equal(
        found.landmarks(1).hashes, open_fingerprints(path, STAMP).prints.landmarks(0).hashes
    )


def test_a_constellation_is_known_by_its_three_peaks_wherever_they_are():
    """Landmarks that begin at one peak, in any order, 40 frames later, beside others."""
    one = Landmarks(np.array([5 << 13 | 3, 5 << 13 | 70, 9 << 13 | 70]), np.array([10, 10, 10]))
    two = Landmarks(np.array([5 << 13 | 70, 7 << 13, 5 << 13 | 3]), np.array([50, 50, 50]))
    for bits in (0, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("genreflow.fingerprints.constellations.KEPT_BITS", bits)
            found = [constellations(marks) for marks in (one, two)]
        assert found[0].keys.tolist() == found[1].keys.tolist()
        assert [list(stars.frames) for stars in found] in ([[10], [50]], [[], []])
        if bits == 0:
            assert len(found[0].keys) == 1


def test_half_of_the_constellations_are_kept_and_their_keys_evenly_spread(monkeypatch):
    marks = fingerprint(bursts(0))[0]
    kept = constellations(marks).keys
    monkeypatch.setattr("genreflow.fingerprints.constellations.KEPT_BITS", 0)
    assert len(kept) == pytest.approx(len(constellations(marks).keys) / 2, rel=0.2)
    assert np.mean(kept / 2**KEY_BITS) == pytest.approx(0.5, abs=0.1)
    assert kept.min() >= 0


def test_fingerprints_of_other_parameters_other_audio_or_fewer_tracks_are_refused(path):
    with pytest.raises(StaleArtifactError, match="sample_rate"):
        open_fingerprints(path, Stamp("fingerprints", {"audio": {"sample_rate": 8000}}))
    with pytest.raises(StaleArtifactError, match=r"blues\.arrow: made from other audio"):
        CorpusPrints({path: "def"}, STAMP, {"a": 0})
    with pytest.raises(StaleArtifactError, match="lacks fingerprints of a track"):
        CorpusPrints({path: "abc"}, STAMP, {"a": 0, "d": 1})


def crafted(path, **columns):
    """Replace columns of the file's one row."""
    with pa.OSFile(str(path)) as file:
        row = pa.ipc.open_file(file).read_all().to_pylist()[0]
    schema = with_stamp(SCHEMA, MADE)
    table = pa.Table.from_pylist([row | columns], schema=schema)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table)


HARMFUL = {
    "landmarks beyond the others": {"start": [0, 5, 9, 10**9]},
    "landmarks before the others": {"start": [-3, 5, 9, 10]},
    "landmarks backwards": {"start": [0, 9, 5, 10], "hash": [1] * 10, "frame": [1] * 10},
    "other tracks": {"track_id": ["a"]},
    "constellations without a frame": {"star_frame": [1, 2]},
}


@pytest.mark.parametrize("what", HARMFUL)
def test_crafted_fingerprints_are_refused_and_the_file_named(what, path):
    crafted(path, **HARMFUL[what])
    with pytest.raises(StaleArtifactError, match=r"blues\.arrow: can't be read \(its"):
        open_fingerprints(path, STAMP)


def test_constellations_of_a_track_that_is_not_there_are_refused(path):
    crafted(path, key=[1, 2], star_track=[0, 99], star_frame=[0, 0])
    with pytest.raises(StaleArtifactError, match=r"blues\.arrow: a track isn't there"):
        CorpusPrints({path: "abc"}, STAMP, {"a": 0}).between(0, 2**KEY_BITS)


@pytest.mark.parametrize("left", [0, 10, 0.5, 0.9])
def test_fingerprints_that_break_off_are_refused_and_the_file_named(left, path):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole)) if left < 1 else left])
    with pytest.raises(StaleArtifactError, match=r"blues\.arrow"):
        open_fingerprints(path, STAMP)
