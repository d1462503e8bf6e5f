"""Copies of tracks train with their track; nobody else sees them, and nothing else changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.svm import SVC

from genreflow import lineage, registry
from genreflow.audio.augment import make_copy
from genreflow.audio.cache import AudioShard
from genreflow.audio.write import write_audio
from genreflow.corpus.scan import TrackFile
from genreflow.exploration.features import read_features
from genreflow.features.handcrafted.extract import extract
from genreflow.features.handcrafted.read import open_rows, read_handcrafted
from genreflow.features.mel import extract as mel_extract
from genreflow.features.mel.read import MelWindows
from genreflow.features.rows import FeatureRows, Matrix
from genreflow.models import grid
from genreflow.models.base import Examples, Signature
from genreflow.models.loading import load_model
from genreflow.models.metadata import read_metadata
from genreflow.models.neural.batches import draw
from genreflow.models.svm_tracks import TrackSvm
from genreflow.params import parse
from genreflow.prediction.load import load
from genreflow.registry.svm_tracks import SvmTracksSection
from genreflow.store import tables
from genreflow.studies.naive import naive_protocol
from genreflow.training import Fitted, fit, open_features, train
from tests.synthetic_features import GENRES, Corpus, list_tracks, make_corpus

pytestmark = pytest.mark.slow

CLASSICAL = ["svm_mel", "xgb_mel", "svm_handcrafted", "xgb_handcrafted"]
COPIES = ("band", "tone")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("copied"), augment=COPIES)


def shard_of(corpus: Corpus, genre: str) -> AudioShard:
    return AudioShard(
        corpus.folder / "audio" / f"{genre}.arrow", lineage.stamp("audio", corpus.params)
    )


def rows_of(corpus: Corpus, model: str) -> FeatureRows:
    features = corpus.features(*registry.entry(model).reads)
    return open_features(model, corpus.params, features, corpus.splits)


def fitted(corpus: Corpus, model: str) -> tuple[Fitted, FeatureRows]:
    found = rows_of(corpus, model)
    return fit(model, splits_of(corpus), corpus.params, found), found


def splits_of(corpus: Corpus) -> pd.DataFrame:
    return tables.read_table(corpus.splits, lineage.stamp("splits", corpus.params))


# The audio cache


def test_a_shard_shows_tracks_alone_unless_copies_are_asked_for(
    plain: Corpus, copied: Corpus
) -> None:
    with shard_of(plain, "hiss") as without, shard_of(copied, "hiss") as shard:
        assert (len(shard), shard.track_id) == (len(without), without.track_id)
        assert set(shard.copy) == {""}
        for i in range(len(shard)):
            np.testing.assert_array_equal(shard.samples(i), without.samples(i))


def test_copies_follow_their_track_and_are_made_of_it_alone(copied: Corpus) -> None:
    with shard_of(copied, "hiss") as shard:
        everything = shard.with_copies()
        assert everything.copy == ["", *COPIES] * len(shard)
        assert everything.track_id == [name for name in shard.track_id for _ in range(3)]
        assert everything.genre == ["hiss"] * 3 * len(shard)
        for i, (track, recipe) in enumerate(zip(everything.track_id, everything.copy, strict=True)):
            original = shard.samples(shard.track_id.index(track))
            expected = (
                make_copy(original, track, recipe, copied.params.audio) if recipe else original
            )
            np.testing.assert_array_equal(everything.samples(i), expected)


def test_what_a_shard_sounds_like_does_not_depend_on_its_copies(
    plain: Corpus, copied: Corpus
) -> None:
    with shard_of(plain, "hiss") as without, shard_of(copied, "hiss") as shard:
        assert without.digest == shard.digest == shard.with_copies().digest
    manifests = [corpus.folder / "audio/hiss.parquet" for corpus in (plain, copied)]
    assert pq.read_table(manifests[0]).equals(pq.read_table(manifests[1]))


def cached(
    corpus: Corpus, tracks: list[str], augment: list[str], out: Path
) -> dict[tuple[str, str], bytes]:
    """Cache some tracks of a corpus; return the samples by track and recipe."""
    params = parse({"audio": {"sample_rate": 8000, "augment": augment}})
    stamp = lineage.stamp("audio", params)
    files = [TrackFile(track, "any", corpus.track(track)) for track in tracks]
    out.mkdir()
    write_audio(files, "any", params.audio, out / "any.arrow", out / "any.parquet", stamp, [])
    with AudioShard(out / "any.arrow", stamp) as shard:
        shard = shard.with_copies()
        keys = zip(shard.track_id, shard.copy, strict=True)
        return {key: shard.samples(i).tobytes() for i, key in enumerate(keys)}


def test_a_copy_is_the_same_whatever_else_is_copied_and_in_whatever_order(
    plain: Corpus, tmp_path: Path
) -> None:
    alone = cached(plain, ["hiss/3.wav"], ["mix"], tmp_path / "alone")
    others = cached(
        plain,
        ["pulse/1.wav", "hiss/3.wav", "hiss/2.wav"],
        ["tone", "mix", "noise"],
        tmp_path / "others",
    )
    assert len(others) == 12
    assert alone.items() <= others.items()


def test_a_recipe_named_twice_makes_two_different_copies(plain: Corpus, tmp_path: Path) -> None:
    once = cached(plain, ["hiss/3.wav"], ["mix"], tmp_path / "once")
    twice = cached(plain, ["hiss/3.wav"], ["mix", "mix"], tmp_path / "twice")
    assert once.items() <= twice.items()
    assert {name for _, name in twice} == {"", "mix", "mix 2"}
    assert len(set(twice.values())) == 3


def test_the_order_of_the_names_does_not_matter(plain: Corpus, tmp_path: Path) -> None:
    one, other = (
        list(cached(plain, ["hiss/3.wav"], names, tmp_path / names[0]).items())
        for names in (["tone", "mix"], ["mix", "tone"])
    )
    assert one == other


def test_copies_are_searched_for_no_duplicates(copied: Corpus, tmp_path: Path) -> None:
    found, facts = list_tracks(copied, tmp_path)
    assert found["track_id"].is_unique
    assert set(found["duplicate_group"]) == {""}
    assert facts["audio"] == tables.read_stamp(copied.splits).facts["audio"]


# Features


def test_handcrafted_features_of_copies_are_those_of_their_samples(copied: Corpus) -> None:
    found = rows_of(copied, "svm_handcrafted")
    with shard_of(copied, "hiss") as shard:
        everything = shard.with_copies()
        for i in (0, 1, 2):
            track = found.track_id.index(everything.track_id[i])
            row = np.flatnonzero(found.row_track == track)[i]
            assert found.row_copy[row] == i
            params = copied.params.at("features.handcrafted")
            expected = extract(everything.samples(i), everything.sample_rate, params)
            np.testing.assert_array_equal(found.source.read([row])[0], expected)


def test_mel_windows_of_copies_are_those_of_their_samples(copied: Corpus) -> None:
    found = rows_of(copied, "xgb_mel")
    with shard_of(copied, "hiss") as shard:
        everything = shard.with_copies()
        for i in (0, 1, 2):
            track = found.track_id.index(everything.track_id[i])
            rows = np.flatnonzero((found.row_track == track) & (found.row_copy == i))
            params = copied.params.at("features.mel")
            expected = mel_extract.rows_of(everything.samples(i), everything.sample_rate, params)
            np.testing.assert_array_equal(found.source.read(rows), expected)
            assert found.row_window[rows].tolist() == list(range(len(rows)))
    found.close()


@pytest.mark.parametrize("model", ["xgb_mel", "svm_handcrafted"])
def test_where_no_copies_are_asked_for_there_are_none(plain: Corpus, model: str) -> None:
    assert plain.params.audio.augment == []
    found = rows_of(plain, model)
    assert not found.row_copy.any()
    windows = 1 if model == "svm_handcrafted" else 3
    assert np.bincount(found.row_track).tolist() == [windows] * 30
    found.close()


@pytest.mark.parametrize("model", ["xgb_mel", "svm_handcrafted"])
def test_rows_of_a_track_and_its_copies_lie_side_by_side(copied: Corpus, model: str) -> None:
    found = rows_of(copied, model)
    assert len(set(found.track_id)) == len(found.track_id) == 30
    place = np.stack([found.row_track, found.row_copy, found.row_window])
    np.testing.assert_array_equal(place, place[:, np.lexsort(place[::-1])])
    assert set(found.row_copy) == {0, 1, 2}
    found.close()


def test_who_reads_features_and_does_not_train_sees_tracks_alone(
    plain: Corpus, copied: Corpus
) -> None:
    stamps = [lineage.stamp("handcrafted", corpus.params) for corpus in (plain, copied)]
    with_copies, without = (
        read_handcrafted(corpus.features("handcrafted"), stamp)
        for corpus, stamp in zip((copied, plain), reversed(stamps), strict=True)
    )
    pd.testing.assert_frame_equal(with_copies, without)
    explored = read_features(copied.features("handcrafted"), stamps[1])
    assert explored.tracks["track_id"].is_unique
    with (
        MelWindows(copied.features("mel"), lineage.stamp("mel", copied.params)) as windows,
        MelWindows(plain.features("mel"), lineage.stamp("mel", plain.params)) as expected,
    ):
        assert (windows.track_id, windows.genre) == (expected.track_id, expected.genre)
        np.testing.assert_array_equal(windows.window_track, expected.window_track)
        np.testing.assert_array_equal(windows.window_index, expected.window_index)
        every = np.arange(len(expected))
        np.testing.assert_array_equal(windows.read(every), expected.read(every))


def test_features_of_a_kind_that_makes_no_copies_are_those_of_tracks(
    copied: Corpus, tmp_path: Path
) -> None:
    paths = copied.features("handcrafted")
    stamp = lineage.stamp("handcrafted", copied.params)
    bare = []
    for path in paths:
        table = pd.read_parquet(path).query("copy == ''").drop(columns="copy")
        bare.append(tmp_path / path.name)
        tables.write_table(table, bare[-1], tables.read_stamp(path))
    found = open_rows(bare, stamp)
    assert len(found.row_track) == 30
    assert not found.row_copy.any()


# Training


@pytest.mark.parametrize("model", ["svm_mel", "xgb_handcrafted"])
def test_copies_train_with_their_track_and_neither_validate_nor_test(
    plain: Corpus, copied: Corpus, model: str
) -> None:
    (ours, rows), (other, _) = fitted(copied, model), fitted(plain, model)
    for role in ("valid", "test"):
        part = ours.parts[role]
        assert not rows.row_copy[part.rows].any()
        assert not part.copy.any()
        np.testing.assert_array_equal(part.track, other.parts[role].track)
        np.testing.assert_array_equal(part.label, other.parts[role].label)
        every = np.arange(len(part))
        np.testing.assert_array_equal(part.read(every), other.parts[role].read(every))
    train_part = ours.parts["train"]
    assert len(train_part) == 3 * len(other.parts["train"])
    np.testing.assert_array_equal(train_part.copy, rows.row_copy[train_part.rows])
    assert ours.n_tracks("train") == other.n_tracks("train") == 18
    told = pd.DataFrame({"track": train_part.track, "group": train_part.group})
    assert told.groupby("track")["group"].nunique().max() == 1
    # What a copy is of: the track of its row, whatever its place.
    fold = splits_of(copied).query("role == 'train'").sort_values("track_id")
    of_row = np.array(rows.track_id)[rows.row_track[train_part.rows]]
    assert (of_row == fold["track_id"].to_numpy()[train_part.track]).all()


@pytest.mark.parametrize("name", CLASSICAL)
def test_training_on_copies_goes_from_audio_to_a_model_that_predicts(
    plain: Corpus, copied: Corpus, name: str, tmp_path: Path
) -> None:
    tested = []
    for corpus in (copied, plain):
        out = tmp_path / corpus.folder.name
        features = corpus.features(*registry.entry(name).reads)
        train(name, "0", corpus.params, features, corpus.splits, out)
        stamp = lineage.of_predictions(name, corpus.params)
        tested.append(tables.read_table(out / "predictions.parquet", stamp))
        metadata = read_metadata(out)
        assert (metadata.n_train, metadata.n_valid) == (18, 6)
        load_model(out)
    ours, without = tested
    index = ["track_id", "window", "genre", "role"]
    pd.testing.assert_frame_equal(ours[index], without[index])
    assert not ours[list(GENRES)].equals(without[list(GENRES)])
    files = [copied.track(f"{genre}/9.wav") for genre in GENRES]
    assert np.isfinite(load(tmp_path / copied.folder.name).predict_proba(files)).all()


def test_the_naive_protocol_divides_no_copies(
    plain: Corpus, copied: Corpus, tmp_path: Path
) -> None:
    claims = []
    for corpus in (plain, copied):
        out = tmp_path / f"{corpus.folder.name}.json"
        naive_protocol(corpus.params, corpus.features("mel"), corpus.splits, out)
        claims.append(json.loads(out.read_text()))
    assert claims[0] == claims[1]


# A track's say


def examples(versions: list[list[int]], group: list[int] | None = None) -> Examples:
    """Return the examples of tracks whose versions have so many windows; values are rows."""
    track = np.concatenate([[i] * sum(counts) for i, counts in enumerate(versions)])
    copy = np.concatenate([np.repeat(np.arange(len(counts)), counts) for counts in versions])
    rows = np.arange(len(track))
    group_of = np.array(group or range(len(versions)))
    return Examples(
        Matrix(rows[:, np.newaxis].astype(np.float32)),
        rows,
        track % 2,
        track,
        group_of[track],
        copy,
    )


def windows_of(part: Examples) -> np.ndarray:
    """Return the number of each example within its version."""
    key = part.track * 100 + part.copy
    return np.arange(len(key)) - np.searchsorted(key, key)


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=6),
    st.integers(1, 7),
    st.integers(1, 14),
)
def test_kept_windows_are_spread_over_versions_and_over_time(
    lengths: list[int], copies: int, wanted: int
) -> None:
    part = examples([[n] * copies for n in lengths])
    kept = part.spread(wanted)
    assert (np.diff(kept.rows) > 0).all(), "in their order, none twice"
    window = windows_of(part)[kept.rows]
    for track, length in enumerate(lengths):
        own = kept.track == track
        assert own.sum() == min(wanted, length * copies)
        per_version = np.bincount(kept.copy[own], minlength=copies)
        assert np.ptp(per_version) <= 1 or own.sum() == length * copies
        if own.sum() == wanted <= length:
            assert len(set(window[own])) == wanted, "as far apart as those of one version"


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(1, 14))
def test_kept_windows_of_tracks_without_copies_are_evenly_spaced(
    lengths: list[int], wanted: int
) -> None:
    part = examples([[n] for n in lengths])
    kept = windows_of(part)[part.spread(wanted).rows].tolist()
    assert kept == [i * n // min(n, wanted) for n in lengths for i in range(min(n, wanted))]


def test_with_more_versions_than_wanted_each_is_heard_of_some_track() -> None:
    kept = examples([[39] * 7] * 14).spread(2)
    assert set(kept.copy) == set(range(7))


def test_versions_of_other_lengths_are_heard_to_their_end() -> None:
    part = examples([[39, 41, 37]])
    kept = part.spread(12)
    window = windows_of(part)[kept.rows]
    assert len(kept) == 12
    for version, length in enumerate([39, 41, 37]):
        own = window[kept.copy == version]
        assert len(own) == 4
        assert np.diff(own).min() >= 9
        assert own.max() >= 0.7 * length


def test_a_track_with_copies_has_the_say_of_one_without() -> None:
    part = examples([[4, 4, 4], [4]])
    say = np.bincount(part.track, weights=part.weight())
    np.testing.assert_allclose(say, len(part) / 2, rtol=1e-6)
    assert len(part.spread(3)) == 6
    drawn = draw(part, 6, np.random.default_rng(0))
    assert np.bincount(part.track[drawn]).tolist() == [3, 3]


def test_an_epoch_of_a_network_is_as_long_with_copies_as_without() -> None:
    part = examples([[2, 2, 2], [1, 2]])
    drawn = draw(part, 100, np.random.default_rng(0))
    assert len(drawn) == np.count_nonzero(part.copy == 0) == 3


# The grid search


def test_candidates_of_the_grid_search_are_compared_on_tracks_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def fold(tracks: Examples, params: SvmTracksSection) -> grid.Folds:
        seen.append(tracks)
        return inner_folds(tracks, params)

    inner_folds = grid.inner_folds
    monkeypatch.setattr(grid, "inner_folds", fold)
    part = examples([[1, 1, 1]] * 10)
    part = replace(part, source=Matrix(np.random.default_rng(0).normal(size=(30, 4)).astype("f4")))
    section = SvmTracksSection(inner_folds=2, C=[1.0], gamma_scale=[1.0])
    for weight in (None, part.weight()):
        grid.search([("classify", SVC())], {"classify__C": [1.0]}, part, weight, section)
    for tracks in seen:
        assert tracks.track.tolist() == list(range(10))
        assert not tracks.copy.any()


def test_a_track_and_its_copies_share_the_say_of_one_in_the_machine() -> None:
    tracks = 30
    rng = np.random.default_rng(0)
    label = np.arange(tracks) % 3
    # Genres overlap, so that C decides how much a track on the wrong side may pull.
    values = (rng.normal(size=(tracks, 4)) + label[:, np.newaxis]).astype(np.float32)
    signature = Signature("svm_handcrafted", GENRES, (4,), ("a", "b", "c", "d"))
    section = SvmTracksSection(
        scaling="standard", selected_fraction=[1.0], C=[1.0], gamma_scale=[1.0]
    )
    found = []
    for copies in (1, 3):
        part = replace(
            examples([[1] * copies] * tracks),
            source=Matrix(np.repeat(values, copies, axis=0)),
            label=np.repeat(label, copies),
        )
        model = TrackSvm(section, signature)
        model.fit(part, part)
        whitened = model.prepare.transform(values) @ model.whitening
        found.append(model.machine.decision_function(whitened))
    np.testing.assert_allclose(found[1], found[0], atol=0.02)
