"""Which tracks of the corpus a song sounds like."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from genreflow import lineage
from genreflow.audio.decode import RejectedError
from genreflow.cli import app
from genreflow.features.rows import FeaturesError
from genreflow.params import parse
from genreflow.prediction.similar import Neighbourhood, SimilarError
from genreflow.store import tables
from genreflow.store.stamp import StaleArtifactError
from tests.synthetic_features import GENRES, RATE, list_tracks, make_corpus, sound_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    corpus = make_corpus(tmp_path_factory.mktemp("corpus"), augment=("tone",))
    tracks, facts = list_tracks(corpus, tmp_path_factory.mktemp("prints"))
    made_with = lineage.stamp("tracks", corpus.params).with_facts(**facts)
    tables.write_table(tracks, corpus.folder / "tracks.parquet", made_with)
    return corpus


def params_of(corpus, kind):
    """Return the parameters of a run that makes embeddings, or none."""
    values = corpus.params.model_dump(mode="json")
    if kind == "handcrafted":
        values["evaluation"]["models"] = ["svm_handcrafted", "xgb_mel"]
    return parse(values)


@pytest.fixture(params=["handcrafted", "embedding"])
def neighbourhood(corpus, request):
    return Neighbourhood(corpus.folder, params_of(corpus, request.param))


def test_the_measure_names_the_features(corpus):
    for kind, named in (("handcrafted", "handcrafted features"), ("embedding", "embeddings")):
        measure = Neighbourhood(corpus.folder, params_of(corpus, kind)).measure
        assert named in measure
        assert "30 tracks" in measure, "copies are none"


def test_a_track_is_nearest_to_itself(corpus, neighbourhood, tmp_path):
    copy = tmp_path / "under another name.wav"
    copy.write_bytes(corpus.track("hiss/4.wav").read_bytes())
    for song in (corpus.track("hiss/4.wav"), copy):
        first, second, *_ = found = neighbourhood.nearest(song, 30)
        assert (first.track_id, first.distance) == ("hiss/4.wav", 0)
        assert second.distance > 0
        assert len({track.track_id for track in found}) == 30
        distances = [track.distance for track in found]
        assert distances == sorted(distances)


def test_a_new_song_is_near_tracks_that_sound_like_it(corpus, tmp_path):
    neighbourhood = Neighbourhood(corpus.folder, params_of(corpus, "handcrafted"))
    for genre in GENRES:
        soundfile.write(tmp_path / "new.wav", sound_of(genre, np.random.default_rng(99)), RATE)
        found = neighbourhood.nearest(tmp_path / "new.wav", 5)
        assert [track.genre for track in found] == [genre] * 5
        assert all(0 < track.distance < 2 for track in found)


def test_a_long_song_is_the_mean_of_its_stretches(corpus, neighbourhood, tmp_path):
    wave, _ = soundfile.read(corpus.track("hiss/4.wav"), dtype="int16")
    fifteen = np.tile(wave, 15)
    soundfile.write(tmp_path / "one.wav", fifteen, RATE, subtype="PCM_16")
    longer = np.concatenate([fifteen, fifteen, np.zeros_like(fifteen)])
    soundfile.write(tmp_path / "long.wav", longer, RATE, subtype="PCM_16")
    one, long = (neighbourhood.nearest(tmp_path / name, 30) for name in ("one.wav", "long.wav"))
    assert [track.track_id for track in one] == [track.track_id for track in long]
    np.testing.assert_allclose(
        [track.distance for track in one], [track.distance for track in long], rtol=1e-3, atol=1e-5
    )


def test_a_song_that_cannot_be_used_is_named(corpus, neighbourhood, tmp_path):
    with pytest.raises(RejectedError, match=r"missing\.mp3: can't be opened"):
        neighbourhood.nearest(tmp_path / "missing.mp3", 3)
    (tmp_path / "broken.mp3").write_bytes(b"no music")
    with pytest.raises(RejectedError, match=r"broken\.mp3: libsndfile can't read it"):
        neighbourhood.nearest(tmp_path / "broken.mp3", 3)


def test_results_of_other_parameters_are_refused(corpus):
    values = params_of(corpus, "handcrafted").model_dump(mode="json")
    values["features"]["handcrafted"]["n_mfcc"] = 12
    with pytest.raises(StaleArtifactError, match="n_mfcc"):
        Neighbourhood(corpus.folder, parse(values))
    values["audio"]["min_seconds"] = 1.25
    with pytest.raises(StaleArtifactError, match="min_seconds"):
        Neighbourhood(corpus.folder, parse(values))


def test_features_of_other_audio_are_refused(corpus, tmp_path):
    for path in corpus.folder.glob("features/handcrafted/*"):
        (tmp_path / "features/handcrafted").mkdir(parents=True, exist_ok=True)
        (tmp_path / path.relative_to(corpus.folder)).write_bytes(path.read_bytes())
    params = params_of(corpus, "handcrafted")
    stamp = lineage.stamp("tracks", params)
    tracks = tables.read_table(corpus.folder / "tracks.parquet", stamp)
    audio = tables.read_stamp(corpus.folder / "tracks.parquet").facts["audio"]
    tables.write_table(
        tracks, tmp_path / "tracks.parquet", stamp.with_facts(audio=audio | {"hiss": "other"})
    )
    with pytest.raises(FeaturesError, match=r"hiss\.parquet: is of other audio"):
        Neighbourhood(tmp_path, params)


def test_before_the_first_run_the_message_says_what_to_do(corpus, tmp_path):
    with pytest.raises(SimilarError, match=r"tracks\.parquet: isn't there.*snakemake"):
        Neighbourhood(tmp_path, params_of(corpus, "handcrafted"))


def test_the_command_lists_them(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results").symlink_to(corpus.folder)
    values = params_of(corpus, "handcrafted").model_dump(mode="json")
    Path("params.yaml").write_text(yaml.safe_dump(values))

    def run(*arguments):
        done = CliRunner().invoke(app, ["similar", *map(str, arguments)])
        assert done.exit_code == 0, done.output
        return done.stdout

    song = corpus.track("hiss/4.wav")
    header, first, *others = run(song).splitlines()
    assert header.startswith("distance: 1 - cosine between handcrafted features")
    assert first == "0.000  hiss/4.wav (hiss)"
    assert len(others) == 9
    told = [json.loads(line) for line in run(song, "--json", "--count", 2).splitlines()]
    assert told[0] == {"track_id": "hiss/4.wav", "genre": "hiss", "distance": 0}
    rows = list(csv.DictReader(io.StringIO(run(song, "--csv", "-n", 2))))
    assert [row["track_id"] for row in rows] == [track["track_id"] for track in told]
    done = CliRunner().invoke(app, ["similar", "missing.mp3"])
    assert done.exit_code == 1
    assert done.stderr == "error: missing.mp3: can't be opened (No such file or directory)\n"
