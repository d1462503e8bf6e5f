"""Encoders that users bring: ONNX files, models of transformers, tables."""

import json
import sys
from pathlib import Path

import librosa
import numpy as np
import onnx
import pandas as pd
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from genreflow.features.embedding.encoders import EncoderError, open_encoder
from genreflow.features.embedding.onnx_input import FromMel, htk_filters, log_mel
from genreflow.features.embedding.sound import Sound, cut
from genreflow.registry.embedding import Embedding

RATE = 16_000
PARAMS = Embedding(overlap=0.25, normalise=False, skip_silence=False)


def sound_of(seconds=2.3, rate=RATE):
    noise = np.random.default_rng(3).normal(0, 3000, round(seconds * rate))
    return Sound(noise.astype(np.int16), rate, PARAMS)


def opened(path, kind="onnx"):
    return open_encoder(f"{kind}:{path}", PARAMS)


def refused(path, *words, kind="onnx"):
    """Return the message of an encoder that can't be opened, all of whose words are in it."""
    with pytest.raises(EncoderError) as caught:
        opened(path, kind)
    message = str(caught.value)
    assert all(word in message for word in words), message
    return message


# ONNX


def save(path, nodes, shape, *, weights=None, outputs=("out",), kind=TensorProto.FLOAT):
    """Write a model of one input ``in``; axes of its outputs are whatever they are."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("in", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def describe(path, **fields):
    path.with_suffix(".yaml").write_text(yaml.safe_dump(fields), encoding="utf-8")


SAMPLES = {"sample_rate": 8000, "input": "samples", "patch_seconds": 0.1}
MEL = {
    "sample_rate": RATE,
    "input": "mel",
    "patch_seconds": 0.256,
    "n_fft": 512,
    "hop_length": 256,
    "n_mels": 24,
    "scale": "log10(1+10000x)",
}
WEIGHTS = np.random.default_rng(0).normal(size=(800, 5)).astype(np.float32)
TIMES = helper.make_node("MatMul", ["in", "w"], ["out"])
SAME = helper.make_node("Identity", ["in"], ["out"])


@pytest.fixture
def linear(tmp_path):
    """A usable model of amplitudes, and its description."""
    path = save(tmp_path / "linear.v1.onnx", [TIMES], ["n", 800], weights={"w": WEIGHTS})
    describe(path, **SAMPLES)
    return path


@pytest.mark.parametrize("batch", ["n", None, 1, 4, 64])
def test_an_onnx_model_hears_the_patches_of_a_track_whatever_its_batch(tmp_path, batch):
    path = save(tmp_path / "linear.v1.onnx", [TIMES], [batch, 800], weights={"w": WEIGHTS})
    describe(path, **SAMPLES)
    encoder, sound = opened(path), sound_of()
    found = encoder.embed(sound, "")
    patches = cut(sound.at(8000), 800, PARAMS.overlap)
    assert found.dtype == np.float32
    assert found.shape == (len(patches), 5)
    assert len(patches) % 16 != 0
    np.testing.assert_allclose(found, patches @ WEIGHTS, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found, opened(path).embed(sound_of(), ""))
    assert encoder.names == tuple(f"linear.v1 {i}" for i in range(5))


def test_a_track_shorter_than_a_patch_is_heard_repeated(linear):
    sound = sound_of(0.04, 8000)
    whole = np.tile(sound.at(8000), 3)[:800]
    np.testing.assert_allclose(opened(linear).embed(sound, ""), [whole @ WEIGHTS], rtol=1e-4)


@pytest.mark.parametrize("layout", [["time"], ["channel", "time"], ["batch", "channel", "time"]])
def test_amplitudes_may_have_a_channel_and_no_batch(tmp_path, layout):
    shape = [{"batch": "n", "channel": 1, "time": 800}[axis] for axis in layout]
    path = save(tmp_path / "linear.onnx", [TIMES], shape, weights={"w": WEIGHTS})
    describe(path, **SAMPLES, layout=layout)
    sound = sound_of()
    expected = cut(sound.at(8000), 800, PARAMS.overlap) @ WEIGHTS
    np.testing.assert_allclose(opened(path).embed(sound, ""), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layout", "shape", "values"),
    [
        (["batch", "time", "frequency"], ["n", 16, 24], "last"),
        (["batch", "time", "frequency"], [1, 16, 24], "last"),
        (["batch", "frequency", "time"], ["n", 24, 16], "first"),
        (["batch", "channel", "time", "frequency"], ["n", 1, 16, 24], "last"),
        (["batch", "frequency", "time", "channel"], [1, 24, 16, 1], "first"),
        (["time", "frequency"], [16, 24], "last"),
        (["frequency", "time"], ["bands", "frames"], "first"),
    ],
)
def test_mel_spectra_are_librosas_in_any_layout_and_the_output_is_averaged_over_time(
    tmp_path, layout, shape, values
):
    path = save(tmp_path / "mel.onnx", [SAME], shape)
    describe(path, **MEL, layout=layout, values=values)
    sound = sound_of()
    power = librosa.feature.melspectrogram(
        y=sound.at(RATE), sr=RATE, n_fft=512, hop_length=256, n_mels=24, pad_mode="constant"
    )
    expected = cut(np.log10(1 + 10_000 * power).T, 16, PARAMS.overlap).mean(axis=1)
    found = opened(path).embed(sound, "")
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spectrum", ["power", "magnitude"])
def test_decibels_are_librosas(spectrum):
    heard = FromMel(**MEL | {"scale": "decibels", "spectrum": spectrum, "fmin": 50, "fmax": 7000})
    amplitudes = sound_of().at(RATE)
    exponent = 2 if spectrum == "power" else 1
    bands = librosa.feature.melspectrogram(
        y=amplitudes, sr=RATE, n_fft=512, hop_length=256, n_mels=24, pad_mode="constant",
        power=exponent, fmin=50, fmax=7000,
    )  # fmt: skip
    convert = librosa.power_to_db if spectrum == "power" else librosa.amplitude_to_db
    expected = convert(bands, ref=1, amin=1e-10, top_db=None).T
    np.testing.assert_allclose(log_mel(amplitudes, heard), expected, atol=1e-3)


def test_the_mel_spectra_of_vggish_can_be_described():
    heard = FromMel(
        sample_rate=RATE, input="mel", patch_seconds=0.96, n_fft=512, window_length=400,
        hop_length=160, n_mels=64, fmin=125, fmax=7500, filters="htk", spectrum="magnitude",
        centred=False, scale="log", offset=0.01, mean=-4, deviation=2,
    )  # fmt: skip
    amplitudes = sound_of().at(RATE).astype(np.float64)
    starts = range(0, len(amplitudes) - 400 + 1, 160)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([amplitudes[start : start + 400] * window for start in starts])
    spectrum = np.abs(np.fft.rfft(frames, 512))
    mels = librosa.hz_to_mel(np.arange(257) * RATE / 512, htk=True)
    edges = librosa.hz_to_mel(np.array([125, 7500]), htk=True)
    edges = np.linspace(edges[0], edges[1], 66)
    filters = np.stack([np.interp(mels, edges[i : i + 3], [0, 1, 0]) for i in range(64)])
    np.testing.assert_allclose(htk_filters(RATE, 512, 64, 125, 7500).toarray(), filters, atol=1e-6)
    expected = (np.log(spectrum @ filters.T + 0.01) + 4) / 2
    found = log_mel(amplitudes.astype(np.float32), heard)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert heard.patch() == 96


def test_the_output_to_read_can_be_named(tmp_path):
    nodes = [
        helper.make_node("Identity", ["in"], ["tags"]),
        helper.make_node("MatMul", ["in", "w"], ["embedding"]),
    ]
    path = save(
        tmp_path / "two.onnx", nodes, ["n", 800], weights={"w": WEIGHTS},
        outputs=["tags", "embedding"],
    )  # fmt: skip
    describe(path, **SAMPLES)
    assert len(opened(path).names) == 800
    describe(path, **SAMPLES, output="embedding")
    assert len(opened(path).names) == 5
    describe(path, **SAMPLES, output="embeddings")
    refused(path, "two.yaml", "names the output embeddings", "tags, embedding")


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_networks_of_other_precisions_are_fed_in_theirs(tmp_path, kind):
    path = save(tmp_path / "other.onnx", [SAME], ["n", 800], kind=kind)
    describe(path, **SAMPLES)
    found = opened(path).embed(sound_of(), "")
    expected = cut(sound_of().at(8000), 800, PARAMS.overlap)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_missing_onnx_file_is_named(tmp_path):
    refused(tmp_path / "none.onnx", "none.onnx: isn't there", "features.embedding.encoder")


def test_a_missing_description_is_answered_with_what_belongs_into_it(linear):
    linear.with_suffix(".yaml").unlink()
    message = refused(linear, "linear.v1.yaml: can't be read (No such file or directory)")
    assert "input: samples or mel, sample_rate, patch_seconds" in message
    assert "of mel also n_fft, hop_length, n_mels, scale" in message


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"patch_seconds": -1}, "patch_seconds: Input should be greater than 0"),
        ({"sample_rate": None}, "sample_rate: Input should be a valid integer"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"n_mels": 64}, "n_mels: Extra inputs are not permitted"),
        ({"input": "sound"}, "Input tag 'sound'"),
        ({"layout": ["time", "frequency"]}, "layout: time, frequency is no order of axes"),
        ({"layout": ["batch", "batch", "time"]}, "expected time, each once"),
        ({**MEL, "n_mels": None}, "n_mels: Input should be a valid integer"),
        ({**MEL, "scale": "bark"}, "scale: Input should be 'log10(1+10000x)'"),
        ({**MEL, "layout": ["batch", "time"]}, "expected time and frequency"),
        ({**MEL, "fmax": 9000}, "at most half the sample rate, 8000 Hz"),
        ({**MEL, "fmin": 9000}, "fmin 9000.0 and fmax None hold no bands"),
        ({**MEL, "window_length": 600}, "window_length 600 is longer than n_fft"),
    ],
)
def test_a_wrong_description_is_answered_with_the_field_and_what_is_expected(
    linear, change, complaint
):
    describe(linear, **SAMPLES | change)
    refused(linear, "linear.v1.yaml: ", complaint, "expected input: samples or mel")


@pytest.mark.parametrize(
    "text", ["[", "just words", "", "- a", "a: 2024-13-45", "\x00", "a" * 200_000]
)
def test_what_is_no_description_is_answered_with_what_belongs_into_it(linear, text):
    linear.with_suffix(".yaml").write_text(text, encoding="utf-8")
    refused(linear, "linear.v1.yaml: ", "expected input: samples or mel")


def test_what_is_no_onnx_is_named(linear):
    linear.write_bytes(b"no network")
    refused(linear, "linear.v1.onnx: can't be opened", "expected an ONNX file")


def test_onnx_runtime_that_is_missing_is_named(linear, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(linear, "linear.v1.onnx: needs ONNX Runtime", "pip install onnxruntime", "extra onnx")


def test_an_onnx_runtime_that_reads_weights_from_anywhere_is_not_used(linear, monkeypatch):
    monkeypatch.setattr("onnxruntime.__version__", "1.23.2")
    refused(linear, "isn't opened by ONNX Runtime 1.23.2", "--upgrade")


@pytest.mark.parametrize(
    ("shape", "change", "theirs", "ours"),
    [
        (["n", 900], {}, "(n, 900)", "(batch, 800)"),
        ([None, 1, 800], {}, "(?, 1, 800)", "(batch, 800)"),
        (["n", 16, 30], MEL, "(n, 16, 30)", "(batch, 16, 24)"),
        (["n", 24, 16], MEL, "(n, 24, 16)", "(batch, 16, 24)"),
    ],
)
def test_an_input_that_contradicts_the_description_is_shown_beside_it(
    tmp_path, shape, change, theirs, ours
):
    path = save(tmp_path / "other.onnx", [SAME], shape)
    describe(path, **SAMPLES | change)
    refused(path, "other.onnx: its input in is", theirs, f"other.yaml makes {ours}", "correct")


def test_a_length_that_only_the_network_knows_is_found_out_with_a_patch_of_silence(tmp_path):
    path = save(tmp_path / "free.onnx", [TIMES], ["n", "length"], weights={"w": WEIGHTS[:-1]})
    describe(path, **SAMPLES)
    refused(path, "free.onnx: can't be computed for an input of (1, 800)", "free.yaml")


def test_a_network_of_something_else_than_numbers_is_refused(tmp_path):
    path = save(tmp_path / "words.onnx", [SAME], ["n", 800], kind=TensorProto.STRING)
    describe(path, **SAMPLES)
    refused(path, "words.onnx: has the inputs in: tensor(string)", "expected one")


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (helper.make_node("ReduceMean", ["in"], ["out"], keepdims=0), "()"),
        (helper.make_node("ReduceMean", ["in"], ["out"], axes=[1], keepdims=0), "(1)"),
        (helper.make_node("Flatten", ["in"], ["out"], axis=2), "(800, 1)"),
    ],
)
def test_an_output_without_a_vector_for_each_patch_is_refused(tmp_path, node, found):
    path = save(tmp_path / "rank.onnx", [node], ["n", 800])
    describe(path, **SAMPLES)
    refused(path, f"rank.onnx: its output out is {found} for 1 patches", "(patches, ..., values)")


def test_an_output_that_is_not_finite_is_named_with_its_track(tmp_path):
    path = save(tmp_path / "log.onnx", [helper.make_node("Log", ["in"], ["out"])], ["n", 800])
    describe(path, **SAMPLES)
    encoder = opened(path)
    with pytest.raises(EncoderError, match=r"log\.onnx: its output out isn't finite for blues/1"):
        encoder.embed(sound_of(), "blues/1")


@pytest.mark.parametrize("place", ["../secret.bin", "{folder}/secret.bin", "link.bin"])
def test_weights_outside_the_folder_of_the_onnx_file_are_not_read(tmp_path, place):
    (tmp_path / "secret.bin").write_bytes(WEIGHTS.tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "inside.bin").write_bytes(WEIGHTS.tobytes())
    (folder / "link.bin").symlink_to("../secret.bin")

    def stored(where):
        tensor = numpy_helper.from_array(WEIGHTS, "w")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=where)
        graph = helper.make_graph(
            [TIMES],
            "tiny",
            [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["n", 800])],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 5])],
            [tensor],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = folder / "outside.onnx"
        path.write_bytes(model.SerializeToString())
        describe(path, **SAMPLES)
        return path

    assert len(opened(stored("inside.bin")).names) == 5
    refused(stored(place.format(folder=tmp_path)), "outside.onnx: can't be opened")


def test_operators_that_no_standard_knows_are_not_looked_for(tmp_path):
    node = helper.make_node("Own", ["in"], ["out"], domain="mine")
    graph = helper.make_graph(
        [node],
        "tiny",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["n", 800])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 800])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    path = tmp_path / "own.onnx"
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    describe(path, **SAMPLES)
    refused(path, "own.onnx: can't be opened", "standard operators")


# Tables


def table(path, **columns):
    pd.DataFrame(columns).to_parquet(path)
    return path


def test_a_table_gives_each_track_its_row(tmp_path):
    path = table(tmp_path / "clap.v1.parquet", b=[1.5, 2], track_id=["x/1", "x/2"], a=[3, 4])
    encoder = opened(path, "table")
    assert encoder.names == ("clap.v1 b", "clap.v1 a")
    for track, row in {"x/1": [1.5, 3], "x/2": [2, 4]}.items():
        found = encoder.embed(sound_of(), track)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, [row])


def test_a_missing_table_is_named(tmp_path):
    refused(tmp_path / "none.parquet", "none.parquet: can't be read", "Parquet", kind="table")


def test_what_is_no_table_is_named(tmp_path):
    path = tmp_path / "words.parquet"
    path.write_text("track_id,a\nx/1,3\n")
    refused(path, "words.parquet: can't be read", "track_id and columns of numbers", kind="table")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"track": ["x/1"], "a": [1]}, ["has the columns track, a", "expected track_id and"]),
        ({"track_id": ["x/1"]}, ["has the columns track_id;"]),
        ({"track_id": ["x/1"], "a": [1.0], "b": ["one"]}, ["numbers alone, which b are not"]),
        ({"track_id": ["x/1"], "a": [True]}, ["numbers alone, which a are not"]),
        ({"track_id": ["x/1"], "a": [[1.0, 2.0]]}, ["numbers alone, which a are not"]),
        ({"track_id": ["x/1", "x/1"], "a": [1, 2]}, ["several rows of a track"]),
    ],
)
def test_a_table_that_cannot_be_used_is_answered_with_its_columns(tmp_path, columns, words):
    path = table(tmp_path / "wrong.parquet", **columns)
    refused(path, "wrong.parquet: ", *words, kind="table")


def test_a_track_that_is_not_in_the_table_is_named(tmp_path):
    encoder = opened(table(tmp_path / "t.parquet", track_id=["x/1"], a=[1]), "table")
    with pytest.raises(EncoderError, match=r"t\.parquet: has no row for x/2; add it"):
        encoder.embed(sound_of(), "x/2")


def test_a_table_embeds_no_file_that_is_not_of_the_corpus(tmp_path):
    encoder = opened(table(tmp_path / "t.parquet", track_id=["x/1"], a=[1]), "table")
    with pytest.raises(EncoderError, match="no other file can be predicted"):
        encoder.embed(sound_of(), "")


# Hugging Face


@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_a_missing_library_of_the_hub_is_named(tmp_path, monkeypatch, library):
    if library == "transformers":
        pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, library, None)
    refused(tmp_path, f"needs {library}, which isn't installed", "its extra hub", kind="hf")


@pytest.fixture(scope="module")
def hub():
    """The library, which mustn't look for anything on the network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        torch = pytest.importorskip("torch")
        transformers = pytest.importorskip("transformers")
        torch.manual_seed(0)
        yield transformers


SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
}  # fmt: skip


def made(hub, kind):
    """Return a tiny model, its extractor, and the length of its patches [s]."""
    if kind == "ast":
        config = hub.ASTConfig(**SMALL, max_length=64, num_mel_bins=32)
        extractor = hub.ASTFeatureExtractor(max_length=64, num_mel_bins=32)
        return hub.ASTModel(config), extractor, 0.655
    if kind.startswith("clap"):
        fusion = kind == "clap-fused"
        config = hub.ClapConfig(
            text_config={**SMALL, "vocab_size": 20, "projection_dim": 12},
            audio_config={
                "spec_size": 64, "num_mel_bins": 16, "window_size": 4, "patch_size": 4,
                "depths": [1, 1], "num_attention_heads": [2, 2], "num_hidden_layers": 2,
                "patch_embeds_hidden_size": 8, "hidden_size": 16, "projection_dim": 12,
                "enable_fusion": fusion, "num_classes": 4,
            },
            projection_dim=12,
        )  # fmt: skip
        extractor = hub.ClapFeatureExtractor(
            feature_size=16, max_length_s=0.5, sampling_rate=48_000,
            truncation="fusion" if fusion else "rand_trunc",
        )  # fmt: skip
        return hub.ClapModel(config), extractor, 0.5
    name = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert"}[kind]
    config = getattr(hub, f"{name}Config")(
        **SMALL, conv_dim=[8] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4
    )
    extractor = hub.Wav2Vec2FeatureExtractor(return_attention_mask=False)
    return getattr(hub, f"{name}Model")(config), extractor, 5.0


def saved(hub, kind, folder):
    model, extractor, seconds = made(hub, kind)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return model.eval(), extractor, seconds


def pooled(kind, model, heard):
    if kind.startswith("clap"):
        longer = heard["is_longer"] & False
        found = model.get_audio_features(heard["input_features"], longer)
        return found.pooler_output
    found = model(**heard)
    return found.pooler_output if kind == "ast" else found.last_hidden_state.mean(1)


@pytest.mark.parametrize("kind", ["ast", "clap", "clap-fused", "wav2vec2", "hubert"])
def test_a_model_of_transformers_says_of_patches_what_it_says_of_them_alone(hub, tmp_path, kind):
    folder = tmp_path / f"tiny-{kind}"
    model, extractor, seconds = saved(hub, kind, folder)
    rate = extractor.sampling_rate
    encoder, sound = opened(folder, "hf"), sound_of(3.1 * seconds)
    found = encoder.embed(sound, "")
    patches = cut(sound.at(rate), round(seconds * rate), PARAMS.overlap)
    assert len(patches) > 3
    expected = [
        pooled(
            kind, model, extractor(patch, sampling_rate=rate, return_tensors="pt")
        ).detach().numpy()[0]
        for patch in patches
    ]  # fmt: skip
    assert np.std(expected, axis=0).max() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found, opened(f"{folder}/", "hf").embed(sound, ""))
    assert found.dtype == np.float32
    assert encoder.names == tuple(f"tiny-{kind} {i}" for i in range(found.shape[1]))


def test_weights_in_half_precision_are_computed_in_single(hub, tmp_path):
    model, extractor, _ = made(hub, "wav2vec2")
    model.half().save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    assert opened(tmp_path, "hf").embed(sound_of(6), "").dtype == np.float32


def test_a_name_that_is_neither_a_folder_nor_in_the_cache_is_named(hub, tmp_path):
    refused("nobody/nothing", "hf:nobody/nothing: ", "there is no such folder", kind="hf")
    refused(tmp_path, f"hf:{tmp_path}: ", "save_pretrained of a model", kind="hf")


def test_a_model_that_hears_no_audio_is_refused(hub, tmp_path):
    hub.BertModel(hub.BertConfig(**SMALL, vocab_size=20)).save_pretrained(tmp_path)
    refused(tmp_path, "its configuration can't be read", kind="hf")


def test_weights_as_pickle_are_refused(hub, tmp_path):
    import torch

    model, _, _ = saved(hub, "wav2vec2", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    refused(
        tmp_path,
        "its weights as safetensors can't be read",
        "expected model.safetensors",
        kind="hf",
    )
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    refused(tmp_path, "pickles, which can run any code", "pytorch_model.bin is one", kind="hf")


def test_damaged_weights_are_named(hub, tmp_path):
    saved(hub, "wav2vec2", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    refused(tmp_path, "its weights as safetensors can't be read", kind="hf")


def edit(path: Path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_code_that_comes_with_a_model_is_refused_and_never_run(hub, tmp_path, file):
    saved(hub, "wav2vec2", tmp_path)
    ran = tmp_path / "ran"
    (tmp_path / "mine.py").write_text(f"open({str(ran)!r}, 'w')\n")
    auto = {"AutoConfig": "mine.A", "AutoModel": "mine.B", "AutoFeatureExtractor": "mine.C"}
    edit(tmp_path / "config.json", auto_map=auto)
    edit(tmp_path / "preprocessor_config.json", auto_map=auto)
    # What transformers has a class of its own for is computed by that.
    assert opened(tmp_path, "hf").names
    edit(tmp_path / "config.json", model_type="mine")
    refused(tmp_path, "comes with code of its own", "doesn't run", kind="hf")
    assert not ran.exists()


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
@pytest.mark.parametrize("part", [None, "audio_config"])
def test_kernels_that_a_configuration_names_are_not_fetched(hub, tmp_path, key, part):
    model, _, _ = saved(hub, "clap", tmp_path)
    named = {key: "nobody/kernel"}
    edit(
        tmp_path / "config.json",
        **(named if part is None else {part: model.config.audio_config.to_dict() | named}),
    )
    computed = opened(tmp_path, "hf")._model
    assert computed.config._attn_implementation == "eager"
    assert computed.audio_model.config._attn_implementation == "eager"


def test_a_model_that_lacks_weights_is_refused(hub, tmp_path):
    from safetensors.torch import load_file, save_file

    saved(hub, "ast", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["layernorm.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    refused(tmp_path, "lacks 1 weights of ASTModel (layernorm.weight", kind="hf")


def test_an_embedding_that_is_not_finite_is_named_with_its_track(hub, tmp_path):
    import torch

    model, extractor, _ = made(hub, "ast")
    torch.nn.init.constant_(model.layernorm.weight, float("nan"))
    model.save_pretrained(tmp_path)
    extractor.save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="an embedding of blues/1 isn't finite"):
        opened(tmp_path, "hf").embed(sound_of(), "blues/1")
