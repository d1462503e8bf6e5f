import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.ndimage import maximum_filter1d

from genreflow.fingerprints.landmarks import running_max
from genreflow.fingerprints.prints import HOP_LENGTH, Fingerprints
from genreflow.fingerprints.write import fingerprint
from genreflow.params import Tracks
from genreflow.tracks import candidates
from genreflow.tracks.duplicates import near_duplicates
from genreflow.tracks.groups import join_pairs

RATE = 22050
DEFAULT = Tracks().min_correlation


def music(seed, seconds=6.0, phases=None):
    """A melody of decaying partials over a little noise: peaks to hold on to."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    signal = 0.002 * rng.standard_normal(len(time))
    for start in np.arange(0, seconds, 0.18):
        for frequency in rng.choice(np.geomspace(110, 5000, 60), 3):
            begin = int(start * RATE)
            late = time[begin : begin + RATE] - start
            phase = phases.uniform(0, 2 * np.pi) if phases else 0.0
            tone = np.sin(2 * np.pi * frequency * late + phase) * np.exp(-6 * late)
            signal[begin : begin + RATE] += tone * rng.uniform(0.2, 1)
    return (signal / np.abs(signal).max() * 20000).astype(np.int16)


def as_mp3(samples):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="MP3", subtype="MPEG_LAYER_III")
    buffer.seek(0)
    return soundfile.read(buffer, dtype="int16")[0]


def matches(*tracks, min_correlation=DEFAULT):
    prints = Fingerprints.of([fingerprint(track) for track in tracks])
    return near_duplicates(prints, tracks.__getitem__, min_correlation)


def pairs(*tracks, **options):
    return [(m.first, m.second) for m in matches(*tracks, **options)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda x: x, id="equal"),
        pytest.param(lambda x: (0.2 * x).astype(np.int16), id="level"),
        pytest.param(lambda x: -x, id="polarity"),
        pytest.param(lambda x: x[31_111:], id="offset"),
        pytest.param(lambda x: x[20_001:90_000], id="excerpt"),
        pytest.param(as_mp3, id="codec"),
        pytest.param(lambda x: as_mp3((0.5 * x[10_007:]).astype(np.int16)), id="all"),
    ],
)
def test_the_same_recording_is_found(change):
    tracks = [music(seed) for seed in range(4)]
    assert pairs(*tracks, change(tracks[2])) == [(2, 4)]


def test_different_music_is_no_duplicate():
    assert pairs(*(music(seed) for seed in range(8))) == []


def test_the_offset_is_reported_in_frames():
    track = music(1)
    (match,) = matches(track, track[100 * HOP_LENGTH :])
    assert match.offset == 100
    assert match.share > 0.9
    assert match.correlation == pytest.approx(1, abs=1e-3)


def test_pairs_are_found_whichever_tracks_are_searched_together(monkeypatch):
    tracks = [music(seed) for seed in range(4)]
    tracks += [tracks[2][5_000:], tracks[0], tracks[3][20_000:]]
    expected = pairs(*tracks)
    assert expected == [(0, 5), (2, 4), (3, 6)]
    for at_a_time in (50, 1_000, 5_000):
        monkeypatch.setattr(candidates, "AT_A_TIME", at_a_time)
        assert pairs(*tracks) == expected


def test_a_recording_is_found_however_often_it_is_there(monkeypatch):
    """More often than a constellation is compared with others of its kind."""
    monkeypatch.setattr(candidates, "NEIGHBOURS", 2)
    track = music(1)
    copies = [track[100 * n :] for n in range(8)]
    found = pairs(*copies)
    assert set(join_pairs(found, len(copies))) == {0}
    assert len(found) < 8 * 7 / 2, "and not each with each"


def test_of_a_large_corpus_a_share_of_the_keys_is_enough(monkeypatch):
    tracks = [music(seed) for seed in range(6)]
    tracks += [as_mp3(tracks[2][5_000:]), tracks[0] // 2]
    prints = Fingerprints.of([fingerprint(track) for track in tracks])
    monkeypatch.setattr(candidates, "ALL_UP_TO", prints.size // 16)
    looked_up = sum(len(part.keys) for part in candidates._parts(prints))
    assert looked_up == pytest.approx(prints.size / 4, rel=0.1)
    assert [(m.first, m.second) for m in near_duplicates(prints, tracks.__getitem__, DEFAULT)] == [
        (0, 7),
        (2, 6),
    ]


def test_of_too_many_candidates_the_likeliest_are_compared(monkeypatch):
    tracks = [music(seed) for seed in range(6)]
    tracks += [tracks[2][5_000:]]
    monkeypatch.setattr(candidates, "MIN_AGREEING", 1)
    monkeypatch.setattr(candidates, "MIN_SHARE", 0.0)
    prints = Fingerprints.of([fingerprint(track) for track in tracks])
    assert len(candidates.candidates(prints)) > 1
    monkeypatch.setattr(candidates, "MOST", 0)
    monkeypatch.setattr(candidates, "MOST_PER_TRACK", 0)
    assert candidates.candidates(prints) == [(2, 6)], "and a clear one in any case"
    monkeypatch.setattr(candidates, "CLEAR_SHARE", 2.0)
    assert candidates.candidates(prints) == []
    monkeypatch.setattr(candidates, "MOST", 1)
    assert candidates.candidates(prints) == [(2, 6)]


def test_two_renditions_of_the_same_notes_are_no_duplicate():
    """The same melody, each note with a random phase: landmarks agree, waveforms don't."""
    one, two = music(3), music(3, phases=np.random.default_rng(99))
    assert pairs(one, two) == []


def test_different_music_over_one_loop_is_told_apart_by_a_higher_correlation():
    """A loop of four seconds, with another melody above it each time, 10 dB quieter."""
    loop = np.tile(music(0, 3.0), 2).astype(float)
    tracks = [(loop + 0.3 * music(seed)).astype(np.int16) // 2 for seed in range(1, 5)]
    assert len(pairs(*tracks)) == 6, "by default they count as one recording"
    assert pairs(*tracks, min_correlation=0.99) == []
    assert pairs(tracks[0], tracks[0] // 3, min_correlation=0.99) == [(0, 1)]


def test_silence_and_very_short_tracks_have_no_landmarks_that_match():
    assert pairs(np.zeros(RATE, np.int16), np.zeros(RATE, np.int16), np.zeros(10, np.int16)) == []


@pytest.mark.parametrize("size", [1, 3, 15, 21])
@pytest.mark.parametrize("rows", [1, 7, 40])
def test_the_running_maximum_is_scipys(rows, size):
    level = np.random.default_rng(0).normal(size=(rows, 5)).astype(np.float32)
    expected = maximum_filter1d(level, size, axis=0, mode="nearest")
    assert np.array_equal(running_max(level, size), expected)


def test_pairs_join_into_groups():
    labels = join_pairs([(0, 2), (2, 4)], 6)
    assert labels[0] == labels[2] == labels[4]
    assert len(set(labels)) == 4


@pytest.mark.real_audio
@pytest.mark.skipif("GENREFLOW_REAL_AUDIO" not in os.environ, reason="no real audio here")
def test_real_tracks_differ_and_their_degraded_copies_are_found():
    files = sorted(Path(os.environ["GENREFLOW_REAL_AUDIO"]).glob("*/*"))[::12][:40]
    tracks = [soundfile.read(path, dtype="int16", frames=5 * RATE)[0] for path in files]
    copies = [as_mp3((0.4 * track[3_333:]).astype(np.int16)) for track in tracks[::4]]
    expected = [(4 * n, len(tracks) + n) for n in range(len(copies))]
    assert sorted(pairs(*tracks, *copies)) == expected
