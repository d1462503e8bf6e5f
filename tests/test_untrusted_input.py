"""Whatever parameters, listings and model files hold: a result, or the one error that names it.

The harnesses are those of ``make fuzz``; here they get what hypothesis thinks of, and everything
that fuzzing ever found.
"""

from __future__ import annotations

import random
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fuzz import decoder, listings, models, params
from fuzz.__main__ import FOUND, TARGETS
from fuzz.outcome import result_or
from genreflow.nested import flatten
from genreflow.params import Params, ParamsError, load, parse
from genreflow.tracks.listings import ListingError, read_listing
from tests.conftest import set_param

pytestmark = pytest.mark.slow

DEFAULTS = Params().model_dump(mode="json")

quickly = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
odd_numbers = st.sampled_from(
    [0, -1, 1, 2**31, 2**64, 10**400, -(10**400), 1e308, -0.0, float("inf"), float("nan"), 5e-324]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | odd_numbers,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=6,
)


# Parameters


@quickly
@given(st.sampled_from(sorted(flatten(DEFAULTS))), anything)
def test_any_value_of_any_parameter_is_taken_or_refused_by_its_name(name, value):
    values = Params().model_dump(mode="json")
    set_param(values, name, value)
    with result_or(ParamsError, name.rpartition(".")[2]):
        assert parse(parse(values).model_dump(mode="json")) is not None


@quickly
@given(anything)
def test_any_document_is_parameters_or_the_error(tmp_path, value):
    params.run(yaml.safe_dump(value, allow_unicode=True).encode(), tmp_path)


@quickly
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda words: words.encode("utf-8")))
def test_any_bytes_are_parameters_or_the_error(tmp_path, data):
    params.run(data, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "- " * 50_000,
        "a: " + "{a: " * 50_000,
        "a: 2024-13-45",
        "a: " + "9" * 5000,
        "a: !!python/object/apply:os.system [id]",
        "a: !!binary ===",
        "audio: {sample_rate: " + "1:" * 20_000 + "1}",
        "x" * 300_000,
        "[]",
        "false",
        "text",
        "\ufeffaudio: {sample_rate: 1}",
        "audio:\n\tsample_rate: 1",
        "? [a]\n: b",
        "a: *b",
    ],
    ids=lambda text: text[:12],
)
def test_a_document_that_is_no_set_of_parameters_is_refused_by_the_name_of_the_file(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError, match=r"params\.yaml") as error:
        load(path)
    assert len(str(error.value)) < 5000


def test_a_document_that_unfolds_without_end_is_refused_in_a_few_words(tmp_path):
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    path = tmp_path / "params.yaml"
    path.write_text("\n".join([*lines, "audio: {sample_rate: *a59}", "loop: &l [*l]"]))
    with pytest.raises(ParamsError, match=r"audio\.sample_rate") as error:
        load(path)
    assert len(str(error.value)) < 20_000


def test_a_long_list_of_complaints_is_cut_short():
    with pytest.raises(ParamsError, match=r"and \d+ more$"):
        parse({"models": {"cnn": {f"name{n}": 1 for n in range(1000)}}})


def test_infinity_is_no_parameter():
    with pytest.raises(ParamsError, match=r"audio\.max_seconds: .*finite"):
        parse({"audio": {"max_seconds": float("inf")}})


# Listings

cells = st.sampled_from(["track_id", "group", "role", "artist", "file", *listings.TRACKS, ""])
cells |= st.text(max_size=8)
tables = st.lists(st.lists(cells, max_size=4), max_size=6).map(
    lambda rows: "\n".join(",".join(row) for row in rows)
)


@quickly
@given(tables.map(lambda text: text.encode("utf-8", "ignore")) | st.binary(max_size=200))
@example(b"track_id,group\nblues/1.wav,a,b\n")
@example(b"track_id, track_id,group\na,b,c\n")
@example(b"\x00,\x00")
@example(b'"track_id')
def test_any_listing_is_a_table_or_the_error_that_names_the_file(tmp_path, data):
    listings.run(data, tmp_path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no CSV"),
        (b"\xff\xfe\x00", "in UTF-8"),
        (b"track_id,group\na,b,c\n", "same number of cells"),
        (b"track_id, track_id,group\na,b,c\n", "two columns called track_id"),
        (b"track_id;group\na;b\n", "its first line must read track_id,group"),
    ],
)
def test_a_listing_that_cannot_be_read_is_named_with_what_is_wrong(tmp_path, data, words):
    path = tmp_path / "groups.csv"
    path.write_bytes(data)
    with pytest.raises(ListingError, match=words) as error:
        read_listing(path, "group")
    assert str(path) in str(error.value)


# Models


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    return list(models.seeds())


@quickly
@given(data=st.data())
def test_a_damaged_model_is_a_model_or_the_error_that_says_so(data, seeds, tmp_path):
    whole = data.draw(st.sampled_from(seeds))
    # Positions by a seed: hypothesis would make most of them small.
    places = random.Random(data.draw(st.integers(0, 2**32)))
    if data.draw(st.booleans()):
        damaged = whole[: places.randrange(1, len(whole))]
    else:
        changed = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 4))):
            changed[places.randrange(1, len(whole))] = data.draw(st.integers(0, 255))
        damaged = bytes(changed)
    models.run(damaged, tmp_path)


@quickly
@given(place=st.integers(0, 30), value=anything)
def test_any_json_in_place_of_a_models_file_is_refused(place, value, tmp_path):
    import json

    text = json.dumps(value).encode()
    models.run(bytes([place]) + text, tmp_path)


# What fuzzing found


@pytest.mark.parametrize("target", TARGETS)
def test_what_fuzzing_starts_from_and_ever_found_is_mended(target, tmp_path):
    harness = import_module(f"fuzz.{target}")
    for data in [*harness.seeds(), *(p.read_bytes() for p in sorted((FOUND / target).iterdir()))]:
        harness.run(data, tmp_path)


def test_every_harness_has_its_corpus():
    harnesses = {path.stem for path in Path(decoder.__file__).parent.glob("*.py")}
    assert harnesses - {"__init__", "__main__", "outcome"} == set(TARGETS)
    assert {path.name for path in FOUND.iterdir() if path.is_dir()} == set(TARGETS)


def test_a_harness_lets_no_other_error_pass():
    with pytest.raises(ZeroDivisionError), result_or(ParamsError):
        raise ZeroDivisionError
    with pytest.raises(AssertionError, match="doesn't say"), result_or(ParamsError, "audio"):
        raise ParamsError("something else")
    with pytest.raises(AssertionError, match="without end"), result_or(ParamsError):
        raise ParamsError("x" * 100_000)
