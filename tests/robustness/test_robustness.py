"""Changed test tracks: described as training's tracks were, and judged by their fold's models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from genreflow import lineage, registry
from genreflow.audio.cache import AudioShard
from genreflow.audio.decode import decode
from genreflow.features.mel.read import STORED
from genreflow.params import Params
from genreflow.registry import FEATURES
from genreflow.registry.changes import CHANGES, CLEAN, FAMILIES, FROM_SOURCE
from genreflow.robustness import write
from genreflow.robustness.apply import apply
from genreflow.robustness.cache import read_tracks
from genreflow.robustness.judge import judge
from genreflow.robustness.sources import SourceError, Sources
from genreflow.robustness.write import spread, write_changed
from genreflow.steps import kinds_in_use
from genreflow.store import tables
from genreflow.store.stamp import StaleArtifactError
from genreflow.training import train
from tests.synthetic_features import GENRES, Corpus, make_corpus, sound_of

pytestmark = pytest.mark.slow

TESTED = sorted(f"{genre}/{i}.wav" for genre in GENRES for i in (8, 9))


def asking(params: Params, **settings: Any) -> Params:
    """Return the parameters with other settings of `robustness`."""
    return params.model_copy(update={"robustness": params.robustness.model_copy(update=settings)})


@dataclass(frozen=True)
class Study:
    """A corpus, and where its changed tracks and their judgements go."""

    corpus: Corpus
    params: Params
    out: Path

    def asking(self, **settings: Any) -> Study:
        return replace(self, params=asking(self.params, **settings))

    @property
    def audio(self) -> list[Path]:
        return sorted((self.corpus.folder / "audio").glob("*.arrow"))

    def change(self, *changes: str, audio: list[Path] | None = None) -> list[Path]:
        """Make some changes; return the files of their families."""
        audio = audio or self.audio
        manifests = [shard.with_suffix(".parquet") for shard in audio]
        families = [family for family in FAMILIES if set(FAMILIES[family]) & set(changes)]
        for family in families:
            path = self.file(family)
            write_changed(family, self.params, audio, manifests, self.corpus.splits, path)
        return [self.file(family) for family in families]

    def file(self, family: str) -> Path:
        return self.out / "changed" / f"{family}.parquet"

    def tracks(self, change: str, kind: str) -> dict[str, np.ndarray]:
        """Return what is there of a change."""
        (family,) = (name for name, members in FAMILIES.items() if change in members)
        found = read_tracks(self.file(family), [kind], lineage.of_family(family, self.params))
        return {track.track_id: track.rows[kind] for track in found if track.change == change}

    def train(self, model: str) -> Path:
        features = self.corpus.features(*registry.entry(model).reads)
        folder = self.out / "models" / model / "0"
        train(model, "0", self.params, features, self.corpus.splits, folder, code="")
        return folder

    def judge(self, model: str) -> pd.DataFrame:
        path = self.out / "robustness" / f"{model}.parquet"
        judge(
            model,
            self.params,
            [self.file(family) for family in self.params.robustness.families],
            {"0": self.out / "models" / model / "0"},
            self.corpus.splits,
            path,
        )
        return tables.read_table(path, lineage.of_answers(model, self.params))

    def samples(self, track_id: str) -> np.ndarray:
        for path in self.audio:
            with AudioShard(path, lineage.stamp("audio", self.params)) as shard:
                if track_id in shard.track_id:
                    return shard.samples(shard.track_id.index(track_id)).copy()
        raise KeyError(track_id)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def study(corpus: Corpus, tmp_path: Path) -> Study:
    return Study(corpus, corpus.params, tmp_path)


def rows_of(samples: np.ndarray, params: Params, kind: str) -> np.ndarray:
    """Return what a model sees of samples."""
    extractor = import_module(FEATURES[kind].extractor)
    rate = params.audio.sample_rate
    rows: np.ndarray = extractor.rows_of(samples, rate, params.at(FEATURES[kind].section))
    return rows


@pytest.mark.parametrize("change", [change for change in CHANGES if change != FROM_SOURCE])
def test_every_change_that_can_be_asked_for_changes_a_track(change: str) -> None:
    track = sound_of("pulse", np.random.default_rng(0))
    samples = np.rint(track * 20_000).astype(np.int16)
    changed = apply(change, samples, 22050, 0, "a.wav")
    assert changed.dtype == np.int16
    assert not np.array_equal(changed, samples)
    factor = {"faster": 1 / 1.04, "slower": 1.04}.get(change, 1)
    silence = {"silence_25ms": 2 * 551, "silence_1s": 2 * 22050}.get(change, 0)
    assert len(changed) == round(len(samples) * factor) + silence


def test_chance_is_of_the_seed_the_change_and_the_track_and_of_nothing_else() -> None:
    samples = np.random.default_rng(0).normal(0, 1000, 8000).astype(np.int16)
    first = apply("noise", samples, 8000, 0, "a.wav")
    np.testing.assert_array_equal(apply("noise", samples, 8000, 0, "a.wav"), first)
    for seed, track in ((1, "a.wav"), (0, "b.wav")):
        assert not np.array_equal(apply("noise", samples, 8000, seed, track), first)


def test_unchanged_tracks_are_those_that_features_were_made_of(study: Study) -> None:
    study = study.asking(windows_per_track=100)
    study.change(CLEAN)
    for kind in kinds_in_use(study.params):
        reader = import_module(kind.reader)
        features = reader.open_rows(
            study.corpus.features(kind.name), lineage.stamp(kind.name, study.params)
        )
        found = study.tracks(CLEAN, kind.name)
        assert sorted(found) == TESTED
        for track, rows in found.items():
            own = np.flatnonzero(features.row_track == features.track_id.index(track))
            np.testing.assert_array_equal(rows, features.source.read(own).ravel())
        features.close()


@pytest.mark.parametrize("change", ["treble_down", "mp3_64", "slower", "noise"])
def test_a_changed_track_is_described_as_its_changed_samples_are(study: Study, change: str) -> None:
    study = study.asking(windows_per_track=100)
    study.change(change)
    for kind in kinds_in_use(study.params):
        for track, rows in study.tracks(change, kind.name).items():
            changed = apply(change, study.samples(track), 8000, 0, track)
            np.testing.assert_array_equal(rows, rows_of(changed, study.params, kind.name).ravel())


def test_the_precision_of_files_loses_nothing() -> None:
    assert np.dtype(FEATURES["mel"].stored) == STORED


def test_windows_are_evenly_spaced_and_as_far_from_both_ends() -> None:
    assert spread(9, 4).tolist() == [1, 3, 5, 7]
    assert spread(39, 4).tolist() == [4, 14, 24, 34]
    assert spread(3, 4).tolist() == [0, 1, 2]
    assert spread(1, 4).tolist() == [0]
    assert spread(0, 4).tolist() == []


def test_so_many_windows_of_a_track_are_judged_as_asked_for(study: Study) -> None:
    every, some = study.asking(windows_per_track=100), study.asking(windows_per_track=2)
    every.change(CLEAN)
    whole = {t: rows.reshape(-1, 31, 32) for t, rows in every.tracks(CLEAN, "mel").items()}
    some.change(CLEAN)
    for track, rows in some.tracks(CLEAN, "mel").items():
        chosen = whole[track][spread(len(whole[track]), 2)]
        np.testing.assert_array_equal(rows.reshape(-1, 31, 32), chosen)


def test_every_change_is_of_one_family() -> None:
    assert sorted(sum(FAMILIES.values(), ())) == sorted([CLEAN, *CHANGES])


def test_a_second_time_and_other_orders_give_the_same_bytes(study: Study) -> None:
    first = [path.read_bytes() for path in study.change(CLEAN, *CHANGES)]
    assert len(first) == len(FAMILIES)
    again = study.change(CLEAN, *CHANGES, audio=study.audio[::-1])
    assert [path.read_bytes() for path in again] == first


def test_a_change_does_not_depend_on_which_others_are_asked_for(study: Study) -> None:
    study.change("room")
    beside_others = study.tracks("room", "mel")
    alone = study.asking(changes=["room"])
    alone.change("room")
    assert alone.tracks("noise", "mel") == {}
    for track, rows in alone.tracks("room", "mel").items():
        np.testing.assert_array_equal(rows, beside_others[track])


def test_a_track_does_not_depend_on_who_else_is_tested(
    study: Study, corpus: Corpus, tmp_path: Path
) -> None:
    study.change("room")
    whole = study.tracks("room", "handcrafted")
    stamp = tables.read_stamp(corpus.splits)
    splits = tables.read_table(corpus.splits, stamp)
    splits.loc[splits["track_id"] == "hiss/8.wav", "role"] = "train"
    tables.write_table(splits, tmp_path / "splits.parquet", stamp)
    fewer = replace(study, corpus=Corpus(tmp_path, corpus.params), out=tmp_path / "fewer")
    fewer.change("room", audio=study.audio)
    part = fewer.tracks("room", "handcrafted")
    assert sorted(part) == [track for track in TESTED if track != "hiss/8.wav"]
    for track, rows in part.items():
        np.testing.assert_array_equal(rows, whole[track])


def test_what_a_change_leaves_too_short_or_silent_is_left_out(
    study: Study, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lost(change: str, samples: np.ndarray, rate: int, seed: int, track: str) -> np.ndarray:
        if track == TESTED[0]:
            return samples[: rate // 2]
        return samples * 0 if track == TESTED[1] else samples

    monkeypatch.setattr(write, "apply", lost)
    with caplog.at_level("INFO"):
        study.change("faster")
    assert sorted(study.tracks("faster", "mel")) == TESTED[2:]
    assert f"{TESTED[0]} is left out: after faster it lasts 0.5 s" in caplog.text
    assert f"{TESTED[1]} is left out: after faster it is silent" in caplog.text


def test_a_track_as_short_as_any_survives_every_change_that_keeps_its_length(
    study: Study, tmp_path: Path
) -> None:
    """As long as a window: what makes it shorter makes it too short, and nothing crashes."""
    root = tmp_path / "genres"
    rate = 8000
    for genre in GENRES:
        (root / genre).mkdir(parents=True)
    short = asking(study.params)
    samples = study.samples(TESTED[0])[: short.audio.sample_rate]
    lengths = {}
    for change in CHANGES:
        if change != FROM_SOURCE:
            track = write._Track("a.wav", "drone", samples)
            try:
                changed = write._changed(track, change, short, Sources(short, []))
            except write.RejectedError as error:
                lengths[change] = str(error)
            else:
                for kind in kinds_in_use(short):
                    assert len(rows_of(changed, short, kind.name)) >= 1
    assert list(lengths) == ["faster"]
    assert rate == short.audio.sample_rate


# One channel alone


def in_stereo(study: Study, tmp_path: Path, left: float = 0.1) -> Study:
    """Return a study whose hiss is stereo: a drone on the left, and the hiss on the right."""
    corpus = make_corpus(tmp_path / "stereo")
    rng = np.random.default_rng(5)
    folder = corpus.folder / "genres/hiss"
    for i in range(10):
        channels = [left * sound_of("drone", rng), sound_of("hiss", rng)]
        soundfile.write(folder / f"{i}.wav", np.stack(channels, axis=1), 8000, subtype="PCM_16")
    return replace(study, corpus=redecoded(corpus), params=corpus.params)


def redecoded(corpus: Corpus) -> Corpus:
    """Decode a corpus anew, and let its splits know."""
    from genreflow.audio.write import write_audio
    from genreflow.corpus.scan import list_shards, scan_shard

    stamp = lineage.stamp("audio", corpus.params)
    digests = {}
    for shard in list_shards(GENRES, 1).values():
        scan = scan_shard(corpus.folder / "genres", shard)
        arrow = corpus.folder / "audio" / f"{shard.name}.arrow"
        manifest = arrow.with_suffix(".parquet")
        write_audio(scan.files, shard.name, corpus.params.audio, arrow, manifest, stamp, [])
        with AudioShard(arrow, stamp) as audio:
            digests[shard.name] = audio.digest
    stamp = tables.read_stamp(corpus.splits)
    splits = tables.read_table(corpus.splits, stamp)
    tables.write_table(splits, corpus.splits, stamp.with_facts(audio=digests))
    return corpus


def test_one_channel_is_the_sources_first_one(study: Study, tmp_path: Path) -> None:
    study = in_stereo(study, tmp_path).asking(windows_per_track=100)
    study.change(FROM_SOURCE)
    alone, mixed = (study.tracks(change, "mel") for change in (FROM_SOURCE, CLEAN))
    assert sorted(alone) == TESTED
    for track, rows in alone.items():
        if not track.startswith("hiss"):
            np.testing.assert_array_equal(rows, mixed[track])
            continue
        path = study.corpus.track(track)
        left = decode(path, study.params.audio, channel=0).samples
        np.testing.assert_array_equal(rows, rows_of(left, study.params, "mel").ravel())
        assert not np.array_equal(rows, mixed[track])


def test_a_channel_without_a_sound_is_left_out(study: Study, tmp_path: Path) -> None:
    study = in_stereo(study, tmp_path, left=0)
    study.change(FROM_SOURCE)
    assert sorted(study.tracks(FROM_SOURCE, "mel")) == [t for t in TESTED if "hiss" not in t]


@pytest.mark.parametrize("change", ["gone", "replaced"])
def test_a_recording_that_is_another_one_now_is_not_judged_in_silence(
    study: Study, tmp_path: Path, change: str
) -> None:
    study = in_stereo(study, tmp_path)
    path = study.corpus.track("hiss/9.wav")
    if change == "gone":
        path.unlink()
    else:
        soundfile.write(path, np.stack([sound_of("pulse", np.random.default_rng(0))] * 2, 1), 8000)
    said = "can't be read any more" if change == "gone" else "has changed"
    with pytest.raises(SourceError, match=rf"hiss/9\.wav: {said} since it was decoded.*rerun"):
        study.change(FROM_SOURCE)
    assert not study.file("level").exists()


def test_no_source_is_opened_where_all_are_mono(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genreflow.robustness.sources.decode", None)
    monkeypatch.setattr("genreflow.robustness.sources.read_layout", None)
    study.change(FROM_SOURCE)
    assert sorted(study.tracks(FROM_SOURCE, "mel")) == TESTED


# What may be read


def test_tracks_made_with_other_parameters_are_refused(study: Study) -> None:
    study.change("noise")
    with pytest.raises(StaleArtifactError, match=r"robustness\.seed=0.*robustness\.seed=1"):
        study.asking(seed=1).tracks("noise", "mel")
    with pytest.raises(StaleArtifactError, match=r"robustness\.changes="):
        study.asking(changes=["noise", "mp3_64"]).tracks("noise", "mel")
    # Other families are nothing to this one.
    study.asking(changes=FAMILIES["filter"]).tracks("noise", "mel")


def test_other_audio_than_that_of_the_splits_is_refused(study: Study, tmp_path: Path) -> None:
    other = make_corpus(tmp_path / "other", noisy_test_tracks=True)
    audio = sorted((other.folder / "audio").glob("*.arrow"))
    params = study.params.model_copy(update={"corpus": other.params.corpus})
    with pytest.raises(StaleArtifactError, match=r"is other audio than .*splits\.parquet was made"):
        replace(study, params=params).change(CLEAN, audio=audio)


def test_a_damaged_file_is_refused(study: Study) -> None:
    (path,) = study.change(CLEAN)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StaleArtifactError, match="can't be read"):
        study.tracks(CLEAN, "mel")


# Judgement


@pytest.fixture(params=["xgb_mel", "svm_mel", "svm_handcrafted"])
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_with_all_windows_a_model_says_of_unchanged_tracks_what_it_said_before(
    study: Study, model: str
) -> None:
    study = study.asking(windows_per_track=100, changes=["quieter"])
    folder = study.train(model)
    study.change(CLEAN)
    found = study.judge(model)
    found = found[found["change"] == CLEAN].set_index("track_id")
    stamp = lineage.of_predictions(model, study.params)
    table = tables.read_table(folder / "predictions.parquet", stamp)
    test = table[table["role"] == "test"].groupby("track_id")
    assert list(found.columns) == ["fold", "change", "genre", *GENRES]
    assert dict(found["genre"]) == dict(test["genre"].first())
    np.testing.assert_allclose(found.loc[TESTED, list(GENRES)], test[list(GENRES)].mean(), 1e-5)


def test_judgements_come_in_the_order_of_the_registry_and_with_the_same_bytes(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study.asking(changes=["quieter", "treble_up", "noise", "one_channel"])
    study.train("svm_mel")
    study.change(CLEAN, "noise")
    table = study.judge("svm_mel")
    changes = [CLEAN, *study.params.robustness.changes]
    assert table["change"].unique().tolist() == changes
    pd.testing.assert_frame_equal(
        table,
        table.assign(order=table["change"].map(changes.index))
        .sort_values(["fold", "order", "track_id"])
        .drop(columns="order"),
    )
    assert (table.groupby("change")["track_id"].agg(sorted).map(tuple) == tuple(TESTED)).all()
    assert not np.allclose(*(table.loc[table["change"] == c, GENRES[0]] for c in (CLEAN, "noise")))
    path = study.out / "robustness/svm_mel.parquet"
    first = path.read_bytes()
    study.judge("svm_mel")
    assert path.read_bytes() == first
    # However many tracks are read at a time.
    monkeypatch.setattr("genreflow.robustness.judge.READ_ROWS", 1)
    pd.testing.assert_frame_equal(study.judge("svm_mel"), table)


def test_a_model_of_other_parameters_is_refused(study: Study) -> None:
    study.train("xgb_mel")
    study.change(CLEAN)
    models = study.params.models
    deeper = models.model_copy(
        update={"xgb_mel": models.xgb_mel.model_copy(update={"max_depth": 3})}
    )
    other = replace(study, params=study.params.model_copy(update={"models": deeper}))
    with pytest.raises(StaleArtifactError, match=r"models/xgb_mel/0: the model was made with .*3"):
        other.judge("xgb_mel")


def test_further_seeds_leave_what_the_first_one_said_alone(study: Study) -> None:
    models = study.params.models
    more = models.model_copy(update={"xgb_mel": models.xgb_mel.model_copy(update={"seeds": 3})})
    params = study.params.model_copy(update={"models": more})
    assert lineage.of_answers("xgb_mel", params) == lineage.of_answers("xgb_mel", study.params)


def test_switched_off_nothing_is_changed_and_no_model_is_loaded(study: Study) -> None:
    study = study.asking(enabled=False)
    assert study.params.robustness.families == ["level"]
    study.change(CLEAN)
    assert study.tracks(CLEAN, "mel") == {}
    table = study.judge("xgb_mel")
    assert (list(table.columns), len(table)) == (["fold", "track_id", "change", "genre"], 0)


def test_genres_may_be_called_like_columns(tmp_path: Path) -> None:
    names = ("change", "fold", "genre")
    corpus = make_corpus(tmp_path / "corpus", genres=names)
    study = Study(corpus, corpus.params, tmp_path).asking(changes=["quieter"])
    study.train("xgb_mel")
    study.change(CLEAN)
    table = study.judge("xgb_mel")
    assert list(table.columns)[4:] == ["change_", "fold_", "genre_"]
    assert set(table["genre"]) == set(names)
