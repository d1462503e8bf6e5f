"""Embeddings in the house: files, models that read them, and what isn't there where nobody does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genreflow import lineage, registry
from genreflow.features.embedding import encoders, extract
from genreflow.features.embedding.encoders import EncoderError
from genreflow.features.embedding.read import mean_over_patches, open_rows
from genreflow.features.embedding.sound import Sound, cut, patch_starts
from genreflow.features.rows import FeatureRows, FeaturesError, Matrix, side_by_side
from genreflow.params import Params, ParamsError, parse
from genreflow.registry.embedding import Embedding
from genreflow.stages import StageError, check_encoders
from genreflow.store.stamp import StaleArtifactError
from tests.synthetic_features import RATE, Corpus, make_corpus, sound_of

READERS = ("svm_embedding", "mlp_embedding", "svm_fusion")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("embedded"), augment=("gain",))


def samples(genre: str = "pulse", seconds: float = 2.0) -> np.ndarray:
    whole = sound_of(genre, np.random.default_rng(0))
    return np.rint(np.resize(whole, round(seconds * RATE)) * 20_000).astype(np.int16)


def section(corpus: Corpus, **changes: object) -> Embedding:
    return Embedding.model_validate(corpus.params.section("features.embedding") | changes)


# Patches


@pytest.mark.parametrize(
    ("length", "overlap", "expected"),
    [
        (187, 0.0, [0]),
        (200, 0.0, [0]),
        (250, 0.0, [0, 63]),
        (374, 0.0, [0, 187]),
        (1876, 0.0, [round(i * 187.667 - 0.5) for i in range(10)]),
        (374, 0.5, [0, 93, 187]),
    ],
)
def test_patches_are_evenly_spaced_from_the_first_to_the_last_frame(length, overlap, expected):
    starts = patch_starts(length, 187, overlap)
    assert np.abs(starts - expected).max() <= 1
    assert (starts[0], starts[-1]) == (0, length - 187 if len(starts) > 1 else 0)


def test_what_is_shorter_than_a_patch_is_repeated():
    values = np.arange(5, dtype=np.float32)[:, np.newaxis]
    assert cut(values, 12, 0.0)[0, :, 0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


def test_all_tracks_are_equally_loud_unless_they_are_not_to_be():
    quiet, loud = samples() // 8, samples()
    at = {
        normalise: [
            float(np.square(Sound(x, RATE, Embedding(normalise=normalise)).at(16_000)).mean())
            for x in (quiet, loud)
        ]
        for normalise in (True, False)
    }
    assert at[True][0] == pytest.approx(at[True][1], rel=0.05)
    assert at[False][0] == pytest.approx(at[False][1] / 64, rel=0.05)


def test_silence_around_a_track_is_not_heard():
    quiet = np.zeros(RATE, dtype=np.int16)
    around = np.concatenate([quiet, samples(seconds=6), quiet])
    heard = Sound(around, RATE, Embedding()).at(RATE)
    assert len(heard) == pytest.approx(6 * RATE, rel=0.05)
    assert len(Sound(around, RATE, Embedding(skip_silence=False)).at(RATE)) == 8 * RATE


# Files


def test_a_file_holds_every_patch_of_every_track_and_copy(corpus):
    (path, *_) = corpus.features("embedding")
    with np.load(path, allow_pickle=False) as archive:
        assert archive["values"].dtype == np.float16
        assert archive["offsets"][-1] == len(archive["values"])
        assert archive["copy"].tolist() == ["", "gain"] * 10
        assert archive["values"].shape[1] == len(archive["names"])


def test_a_row_is_the_mean_over_the_patches_of_a_track_and_what_prediction_sees(corpus):
    stamp = lineage.stamp("embedding", corpus.params)
    found = open_rows(corpus.features("embedding"), stamp)
    assert found.shape == (len(found.names),)
    assert len(found.track_id) == 30
    assert found.row_copy.tolist() == [0, 1] * 30
    with np.load(corpus.features("embedding")[0]) as archive:
        first = archive["values"][: archive["offsets"][1]].astype(np.float32).mean(axis=0)
    np.testing.assert_allclose(found.source.read([0])[0], first, rtol=1e-6)


def test_means_are_over_the_patches_of_each_track():
    values = np.arange(10, dtype=np.float16).reshape(5, 2)
    assert mean_over_patches(values, [0, 2, 5]).tolist() == [[1, 2], [6, 7]]


def test_the_same_shard_makes_the_same_bytes(corpus, tmp_path):
    from genreflow.audio.cache import AudioShard

    (arrow, *_) = sorted((corpus.folder / "audio").glob("*.arrow"))
    stamps = [lineage.stamp(step, corpus.params) for step in ("audio", "embedding")]
    with AudioShard(arrow, stamps[0]) as shard:
        extract.write(shard, corpus.params.features.embedding, tmp_path / "again.npz", stamps[1])
    assert (tmp_path / "again.npz").read_bytes() == corpus.features("embedding")[0].read_bytes()


def test_other_parameters_are_refused(corpus):
    other = parse({"features": {"embedding": {"encoder": ["vgg-mtt"]}}})
    with pytest.raises(StaleArtifactError, match="encoder"):
        open_rows(corpus.features("embedding"), lineage.stamp("embedding", other))


@pytest.mark.parametrize("damage", ["cut", "flipped", "infinite", "offsets", "index"])
def test_a_damaged_file_is_named(corpus, tmp_path, damage):
    path = tmp_path / "drone.npz"
    content = corpus.features("embedding")[0].read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        place = content.index(b"NUMPY") + 200
        flipped = bytes([content[place] ^ 0xFF])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
    else:
        with np.load(corpus.features("embedding")[0]) as archive:
            members = {name: archive[name].copy() for name in archive.files}
        if damage == "infinite":
            members["values"][0, 0] = np.inf
        elif damage == "offsets":
            members["offsets"][1] = 99_999
        else:
            members["track_id"] = members["track_id"][1:]
        np.savez(path, **members)
    with pytest.raises(StaleArtifactError, match=r"drone\.npz: is damaged"):
        open_rows([path], lineage.stamp("embedding", corpus.params))


# Several kinds side by side


def rows(track_id: list[str], copy: list[int], values: np.ndarray, names: tuple[str, ...]):
    number = np.unique(track_id, return_inverse=True)[1]
    return FeatureRows(
        Matrix(values.astype(np.float32)),
        sorted(set(track_id)),
        number.astype(np.int64),
        np.array(copy, dtype=np.int64),
        np.full(len(track_id), -1),
        values.shape[1:],
        names,
        {"a": "digest"},
    )


def test_side_by_side_a_track_and_its_copy_keep_their_own_columns():
    left = rows(["x", "x", "y"], [0, 1, 0], np.array([[1], [2], [3]]), ("a",))
    right = rows(["x", "x", "y"], [0, 1, 0], np.array([[4, 5], [6, 7], [8, 9]]), ("b", "c"))
    both = side_by_side([left, right])
    assert (both.names, both.shape) == (("a", "b", "c"), (3,))
    assert both.source.read([1, 2]).tolist() == [[2, 6, 7], [3, 8, 9]]
    assert side_by_side([left]) is left


@pytest.mark.parametrize(
    ("tracks", "copies"), [(["x", "x", "z"], [0, 1, 0]), (["x", "x", "y"], [0, 2, 0])]
)
def test_kinds_of_other_tracks_or_copies_are_refused(tracks, copies):
    left = rows(["x", "x", "y"], [0, 1, 0], np.zeros((3, 1)), ("a",))
    right = rows(tracks, copies, np.zeros((3, 1)), ("b",))
    with pytest.raises(FeaturesError, match="other tracks, or of other copies"):
        side_by_side([left, right])


# Outside data


def test_models_say_which_outside_data_has_a_say():
    params = parse(
        {"features": {"embedding": {"encoder": ["vgg-msd", "onnx:some/where/net.onnx"]}}}
    )
    for name in READERS:
        assert params.outside_data_of(name) == ("vgg-msd", "onnx:net.onnx")
    for name in registry.WITHOUT_OUTSIDE_DATA:
        assert params.outside_data_of(name) == ()
    params = parse({"models": {"resnet50": {"weights": "imagenet"}}})
    assert params.outside_data_of("resnet50") == ("imagenet",)


def test_a_plain_run_needs_no_outside_data():
    assert set(Params().evaluation.models) == set(registry.BUILT_IN) - set(READERS)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (["clap"], "'clap' is no encoder; there are musicnn-msd, vgg-msd"),
        (["onnx:"], "'onnx:' is no encoder"),
        (["onnx:a/net.onnx", "onnx:b/net.onnx"], "have one name"),
        (["vgg-msd", "vgg-msd"], "have one name"),
        ([], "at least 1 item"),
    ],
)
def test_what_is_no_encoder_is_named_with_those_there_are(encoder, message):
    with pytest.raises(ParamsError, match=message):
        parse({"features": {"embedding": {"encoder": encoder}}})


def test_one_encoder_needs_no_brackets():
    assert Embedding.model_validate({"encoder": "vgg-mtt"}).encoder == ["vgg-mtt"]


@pytest.mark.slow
def test_weights_that_are_not_there_are_named_with_what_fetches_them(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderError, match=r"data/encoders/vgg-msd\.npz.*`make transfer`"):
        encoders.open_encoder("vgg-msd", Embedding())


def test_missing_weights_end_a_run_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = parse({"evaluation": {"models": ["xgb_mel", "svm_embedding"]}})
    with pytest.raises(StageError, match=r"musicnn-msd\.npz: isn't there.*`make transfer`"):
        check_encoders(asked, ["blues"], Path("results"))
    check_encoders(Params(), ["blues"], Path("results"))
    made = tmp_path / "results/features/embedding/blues.npz"
    made.parent.mkdir(parents=True)
    made.touch()
    check_encoders(asked, ["blues"], Path("results"))


def test_a_table_needs_robustness_switched_off_where_a_model_reads_it():
    features = {"embedding": {"encoder": ["table:mine.parquet"]}}
    asked = {"features": features, "evaluation": {"models": ["xgb_mel", "svm_embedding"]}}
    with pytest.raises(ParamsError, match=r"robustness\.enabled: false"):
        parse(asked)
    parse(asked | {"robustness": {"enabled": False}})
    parse({"features": features})


def test_a_table_gives_copies_the_row_of_their_track(corpus, tmp_path):
    tracks = sorted(f"{g}/{i}.wav" for g in ("drone", "hiss", "pulse") for i in range(10))
    table = pd.DataFrame({"track_id": tracks, "x": np.arange(30.0), "y": np.arange(30)})
    table.to_parquet(tmp_path / "mine.parquet")
    params = section(corpus, encoder=[f"table:{tmp_path / 'mine.parquet'}"])
    assert extract.row_names(params) == ("mine x", "mine y")
    assert extract.embed(samples(), RATE, params, tracks[7]).tolist() == [[7, 7]]
    with pytest.raises(EncoderError, match="no other file can be predicted"):
        extract.rows_of(samples(), RATE, params)
