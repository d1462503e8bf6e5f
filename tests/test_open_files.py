"""Many shards are read with few files open: macOS allows a process 256."""

import resource

import numpy as np
import pytest
import soundfile

from genreflow import lineage
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import TrackFile
from genreflow.features.mel import extract as mel
from genreflow.features.mel.read import MelWindows
from genreflow.fingerprints import write as fingerprints
from genreflow.params import parse
from genreflow.tracks.manifest import collect_tracks

pytestmark = pytest.mark.slow

SHARDS = 300
RATE = 8000
PARAMS = parse(
    {
        "audio": {"sample_rate": RATE, "min_seconds": 0.5},
        "features": {"mel": {"n_fft": 512, "n_mels": 16, "window_seconds": 0.5}},
    }
)
AUDIO, MEL, PRINTS = (lineage.stamp(step, PARAMS) for step in ("audio", "mel", "fingerprints"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A track in each shard; the last one is a louder copy of the first."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    sounds = [rng.normal(0, 0.05, RATE) for _ in range(SHARDS - 1)]
    # Long enough for a fingerprint.
    sounds[0] = rng.normal(0, 0.05, 8 * RATE) * np.exp(-(np.arange(8 * RATE) % 2000) / 500)
    for i, sound in enumerate([*sounds, 2 * sounds[0]]):
        name, path = f"g{i:03d}", folder / f"g{i:03d}.wav"
        soundfile.write(path, sound, RATE)
        files = [TrackFile(f"{name}/0.wav", name, path)]
        arrow = folder / f"{name}.arrow"
        write_audio(files, name, PARAMS.audio, arrow, arrow.with_suffix(".parquet"), AUDIO, [])
        with AudioShard(arrow, AUDIO) as audio:
            mel.write(audio, PARAMS.features.mel, folder / f"{name}.npz", MEL)
            fingerprints.write(audio, folder / f"prints/{name}.arrow", PRINTS)
    return folder


@pytest.fixture(autouse=True)
def at_most_256_files(folder):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def paths(folder, suffix):
    return sorted(folder.glob(f"g*{suffix}"))


def test_tracks_of_any_number_of_shards_are_listed_and_compared(folder):
    tracks, facts = collect_tracks(
        paths(folder, ".parquet"),
        paths(folder, ".arrow"),
        paths(folder / "prints", ".arrow"),
        AUDIO,
        PRINTS,
        PARAMS.tracks,
    )
    assert len(tracks) == len(facts["audio"]) == SHARDS
    repeated = tracks[tracks["duplicate_group"] != ""]
    assert repeated["track_id"].tolist() == ["g000/0.wav", f"g{SHARDS - 1}/0.wav"]


def test_windows_of_any_number_of_shards_are_read_in_any_order(folder):
    shards = paths(folder, ".npz")
    with MelWindows(shards, MEL) as windows:
        wanted = np.random.default_rng(0).permutation(len(windows))
        found = windows.read(wanted)
        for i in (0, len(wanted) // 2, -1):
            shard = windows.window_track[wanted[i]]
            with MelWindows([shards[shard]], MEL) as alone:
                (row,) = alone.read([windows.window_index[wanted[i]]])
            np.testing.assert_array_equal(found[i], row)
