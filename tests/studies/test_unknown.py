"""Music of no genre that a model knows: it is less sure of it, if what it hears differs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from genreflow import lineage
from genreflow.corpus.strangers import list_strangers
from genreflow.models.familiarity import Familiarity
from genreflow.params import Unknown, parse
from genreflow.registry import PROBES
from genreflow.robustness.cache import read_tracks
from genreflow.robustness.strangers import write_strangers
from genreflow.store.tables import read_table
from genreflow.studies.listener import Heard, score
from genreflow.studies.unknown import left_out, unheard, unknown_music
from tests.synthetic_features import RATE, Corpus, make_corpus, sound_of

pytestmark = pytest.mark.slow

MODELS = {
    "xgb_mel": {"n_estimators": 30, "windows_per_track": 3, "colsample_bytree": 0.5},
    "svm_handcrafted": {"inner_folds": 2, "selected_fraction": [1.0], "C": [10.0]},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two genres of each sound but one, so that the pulses alone are like nothing else."""
    made = make_corpus(
        tmp_path_factory.mktemp("unknown"),
        sounds=("drone", "drone", "hiss", "hiss", "pulse"),
        genres=("drone", "hum", "hiss", "sea", "pulse"),
    )
    values = made.params.model_dump(mode="json")
    values["models"] |= {name: values["models"][name] | own for name, own in MODELS.items()}
    values["unknown"] |= {"folder": str(made.folder / "strangers")}
    return replace(made, params=parse(values))


def fold_of(corpus: Corpus) -> pd.DataFrame:
    return read_table(corpus.splits, lineage.stamp("splits", corpus.params))


def found(corpus: Corpus, **changes: Any) -> dict[str, Any]:
    params = parse(
        corpus.params.model_dump(mode="json")
        | {"unknown": corpus.params.section("unknown") | changes}
    )
    strangers, out = corpus.folder / "strangers.parquet", corpus.folder / "unknown.json"
    write_strangers(params, strangers)
    features = {kind: corpus.features(kind) for kind in ("handcrafted", "mel")}
    unknown_music(params, features, corpus.splits, strangers, out)
    said: dict[str, Any] = json.loads(out.read_bytes())
    return said


@pytest.fixture(scope="module")
def sounds(corpus: Corpus) -> Path:
    """Pulses, which one genre is made of, and clicks that no genre has."""
    folder = corpus.folder / "strangers"
    rng = np.random.default_rng(5)
    for name in ("pulses/one.wav", "pulses/two.wav", "loose.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, sound_of("pulse", rng), RATE, subtype="PCM_16")
    soundfile.write(folder / "pulses/short.wav", np.ones(RATE // 10), RATE)
    (folder / "notes.txt").write_text("no audio")
    return folder


@pytest.fixture(scope="module")
def study(corpus: Corpus, sounds: Path) -> dict[str, Any]:
    """What both probes say of every genre that they were trained without, and of the sounds."""
    models: dict[str, Any] = found(corpus)["models"]
    return models


def test_a_genre_like_no_other_is_less_sure_than_one_that_has_a_twin(study: dict[str, Any]) -> None:
    """Without drones, models are as sure of them as ever: hums sound the same."""
    assert set(study) == set(PROBES)
    for model, of_model in study.items():
        scores = {genre: scored["auroc"] for genre, scored in of_model["left_out"].items()}
        pulse = of_model["left_out"]["pulse"]
        assert pulse["auroc_familiarity"] > 0.9, model
        assert pulse["auroc_both"] >= scores["pulse"]
        assert pulse["unknown_unfamiliar"] == 0, "eight validation tracks show no rarer than 1 in 9"
        twins = [scores[genre] for genre in ("drone", "hum", "hiss", "sea")]
        assert scores["pulse"] > max(0.55, *twins), of_model
        assert of_model["auroc"] == pytest.approx(np.mean([*twins, scores["pulse"]]))


def test_all_tracks_of_the_genre_are_asked_for(study: dict[str, Any]) -> None:
    """And none of them trained; known tracks are test tracks of the other genres."""
    of_pulse = study["xgb_mel"]["left_out"]["pulse"]
    assert (of_pulse["n_unknown"], of_pulse["n_known"]) == (10, 8)


def test_a_group_that_trains_another_genre_is_not_unheard(corpus: Corpus) -> None:
    fold = fold_of(corpus)
    first = fold.index[(fold["genre"] == "pulse")][0]
    trained = fold.index[(fold["genre"] == "hiss") & (fold["role"] == "train")][0]
    fold.loc[first, "group"] = fold.loc[trained, "group"]
    assert fold.loc[first, "track_id"] not in unheard(fold, "pulse")
    assert len(unheard(fold, "pulse")) == 9


def test_the_largest_genres_are_left_out_first(corpus: Corpus) -> None:
    fold = fold_of(corpus)
    fold = fold.drop(fold.index[fold["genre"].isin(["sea", "drone"]) & (fold["role"] == "test")])
    assert left_out(fold, 2) == ["hiss", "hum"]
    assert left_out(fold, 10) == ["drone", "hiss", "hum", "pulse", "sea"]


def test_with_two_genres_nothing_is_left_to_tell_apart(corpus: Corpus) -> None:
    fold = fold_of(corpus)
    two = fold[fold["genre"].isin(["hiss", "pulse"])]
    assert left_out(two, 10) == []
    # Where one genre alone has validation tracks, no other can do without it.
    alone = fold.drop(fold.index[(fold["role"] == "valid") & (fold["genre"] != "hiss")])
    assert "hiss" not in left_out(alone, 10)
    assert "pulse" in left_out(alone, 10)


def test_scores_equal_a_count_of_pairs() -> None:
    rng = np.random.default_rng(0)
    known = Heard(rng.uniform(0.3, 1, 40), rng.uniform(0.02, 1, 40))
    unknown = Heard(rng.uniform(0.1, 0.9, 25), rng.uniform(0, 0.3, 25))
    known.confidence[3] = unknown.confidence[7]
    scored = score(known, unknown, Unknown())

    def pairs(of_known: np.ndarray, of_unknown: np.ndarray) -> float:
        return float(np.mean([(k > u) + 0.5 * (k == u) for k in of_known for u in of_unknown]))

    assert scored["auroc"] == pytest.approx(pairs(known.confidence, unknown.confidence))
    assert scored["auroc_familiarity"] == pytest.approx(
        pairs(known.familiarity, unknown.familiarity)
    )
    products = [heard.confidence * heard.familiarity for heard in (known, unknown)]
    assert scored["auroc_both"] == pytest.approx(pairs(*products))
    assert scored["known_unsure"] == sum(k < 0.6 for k in known.confidence) / 40
    assert scored["unknown_unfamiliar"] == sum(u < 0.05 for u in unknown.familiarity) / 25
    assert (scored["n_known"], scored["n_unknown"]) == (40, 25)


def test_familiarity_is_the_share_of_validation_tracks_that_lie_no_nearer() -> None:
    rng = np.random.default_rng(1)
    label = np.arange(60) % 3
    centres = rng.normal(0, 3, (3, 8))
    train, valid = (
        (centres[label] + rng.normal(size=(60, 8))).astype(np.float32) for _ in range(2)
    )
    found = Familiarity.learnt(train, label, valid)
    asked = np.concatenate([valid[:5], centres, 20 * centres]).astype(np.float32)

    def distance(row: np.ndarray) -> float:
        values = train.astype(float)
        z = (np.vstack([values, row]) - values.mean(axis=0)) / values.std(axis=0)
        z = np.clip(z, -5, 5)
        return min(((z[-1] - z[:-1][label == g].mean(axis=0)) ** 2).mean() for g in range(3))

    of_valid = np.array([distance(row) for row in valid])
    expected = [(np.sum(of_valid >= distance(row) - 1e-9) + 1) / 61 for row in asked]
    assert found.of(asked) == pytest.approx(expected)
    assert (found.of(asked)[:5] > 1 / 61).all()
    assert (found.of(asked)[5:8] == 1).all()
    assert (found.of(asked)[8:] == 1 / 61).all()


def test_of_tracks_like_the_corpus_few_are_unfamiliar_and_of_strangers_most() -> None:
    rng = np.random.default_rng(2)
    draw = lambda n, shift=0.0: rng.normal(shift, 1, (n, 20)).astype(np.float32)  # noqa: E731
    label = np.arange(400) % 4
    low = []
    for _ in range(40):
        found = Familiarity.learnt(draw(400), label, draw(59))
        low.append((found.of(draw(200)) < 0.05).mean())
    assert np.mean(low) <= 0.05 + 0.01
    assert (found.of(draw(200, 3.0)) < 0.05).mean() > 0.95


def test_a_feature_that_never_varies_makes_nobody_a_stranger() -> None:
    values = np.random.default_rng(3).normal(size=(30, 4)).astype(np.float32)
    values[:, 2] = 7
    found = Familiarity.learnt(values[:20], np.arange(20) % 2, values[20:])
    assert np.isfinite(found.of(values)).all()


def test_sounds_are_listed_by_their_kind(sounds: Path) -> None:
    listed = {file.track_id: file.genre for file in list_strangers(sounds)}
    assert listed == {
        "loose.wav": "strangers",
        "pulses/one.wav": "pulses",
        "pulses/short.wav": "pulses",
        "pulses/two.wav": "pulses",
    }
    assert list_strangers(sounds / "nowhere") == ()


def test_sounds_are_described_as_the_corpus_is(corpus: Corpus, tmp_path: Path) -> None:
    """A track of the corpus, taken for a sound of no genre, has the rows that it has there."""
    folder = corpus.folder / "genres"
    values = corpus.params.model_dump(mode="json")
    params = parse(values | {"unknown": values["unknown"] | {"folder": str(folder)}})
    write_strangers(params, tmp_path / "strangers.parquet")
    expected = lineage.stamp("strangers", params)
    tracks = list(read_tracks(tmp_path / "strangers.parquet", ("handcrafted", "mel"), expected))
    assert len(tracks) == 50
    from genreflow.features.handcrafted.read import open_rows as open_handcrafted
    from genreflow.features.mel.read import open_rows as open_mel

    for kind, open_rows in (("handcrafted", open_handcrafted), ("mel", open_mel)):
        rows = open_rows(corpus.features(kind), lineage.stamp(kind, params))
        for track in tracks:
            number = list(rows.track_id).index(track.track_id)
            of_track = rows.source.read(np.flatnonzero(rows.row_track == number))
            assert np.array_equal(track.rows[kind], of_track.ravel()), track.track_id
        rows.close()


def test_sounds_of_no_genre_are_scored_by_their_kind(study: dict[str, Any]) -> None:
    for of_model in study.values():
        of_kinds = of_model["strangers"]
        assert {kind: scored["n_unknown"] for kind, scored in of_kinds.items()} == {
            "pulses": 2,  # the third is too short to decode
            "strangers": 1,
        }
        assert all(0 <= scored["auroc"] <= 1 for scored in of_kinds.values())
        assert all(scored["n_known"] == 10 for scored in of_kinds.values())


def test_a_second_run_finds_the_same_of_fewer_genres_and_without_sounds(
    corpus: Corpus, study: dict[str, Any]
) -> None:
    again = found(corpus, genres=1, folder=str(corpus.folder / "nowhere"))["models"]
    for model, of_model in again.items():
        assert of_model["left_out"] == {"drone": study[model]["left_out"]["drone"]}
        assert of_model["strangers"] == {}


def test_switched_off_nothing_is_decoded_or_trained(corpus: Corpus, sounds: Path) -> None:
    assert found(corpus, enabled=False) == {"skipped": "unknown.enabled is false"}
    stamp = lineage.stamp("strangers", corpus.params)
    assert list(read_tracks(corpus.folder / "strangers.parquet", ("mel",), stamp)) == []
