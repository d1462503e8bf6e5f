"""Damaged and crafted artifacts: a result, or the error that names the file."""

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.outcome import result_or
from genreflow import lineage
from genreflow.features.mel.read import MelWindows
from genreflow.store.archive import read_members, write_members
from genreflow.store.stamp import StaleArtifactError, Stamp
from genreflow.store.tables import read_stamp, read_table, write_table
from tests.synthetic_features import make_corpus

STAMP = Stamp("table", {"audio": {"sample_rate": 8000}}, facts={"audio": "abc"})

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
quickly = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def damage(draw: st.DrawFn, whole: bytes) -> bytes:
    """Cut a file off, or change some of its bytes."""
    if draw(st.booleans()):
        return whole[: draw(st.integers(0, len(whole) - 1))]
    changed = bytearray(whole)
    for place in draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        changed[place] = draw(st.integers(0, 255))
    return bytes(changed)


@given(st.binary(max_size=200) | any_json.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_stamp_or_the_error_that_names_the_file(text):
    with result_or(StaleArtifactError, "some.parquet: carries no readable stamp"):
        stamp = Stamp.from_json(text, Path("some.parquet"))
        Stamp.from_json(stamp.to_json(), Path("some.parquet")).check(stamp, Path("some.parquet"))


@given(any_json, any_json, any_json)
def test_a_stamp_that_is_none_of_ours_is_never_taken_for_it(kind, params, version):
    text = json.dumps({"kind": kind, "params": params, "format": version, "facts": {}})
    with pytest.raises(StaleArtifactError, match=r"some\.parquet"):
        Stamp.from_json(text, Path("some.parquet")).check(STAMP, Path("some.parquet"))


def test_a_stamp_nested_without_end_is_refused(tmp_path):
    with pytest.raises(StaleArtifactError, match="no readable stamp"):
        Stamp.from_json("[" * 200_000, tmp_path / "some.parquet")


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    columns = {"track_id": [f"blues/{i}.wav" for i in range(40)], "value": np.arange(40.0)}
    write_table(pd.DataFrame(columns), path, STAMP)
    return path.read_bytes()


@quickly
@given(data=st.data())
def test_a_damaged_table_is_a_table_or_the_error_that_names_it(data, table, tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(data.draw(damage(table)))
    for read in (read_stamp, lambda p: read_table(p, STAMP)):
        with result_or(StaleArtifactError, str(path)):
            read(path)


def test_a_table_that_is_missing_is_not_called_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "table.parquet", STAMP)


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """Return a shard of mel windows, and what it must have been made with."""
    corpus = make_corpus(tmp_path_factory.mktemp("corpus"), sounds=("drone", "hiss"))
    return corpus.features("mel")[0], lineage.stamp("mel", corpus.params)


def read_all(path, stamp) -> None:
    with MelWindows([path], stamp) as found:
        found.read(np.arange(len(found)))


@quickly
@given(data=st.data())
def test_damaged_mel_windows_are_windows_or_the_error_that_names_the_file(data, windows, tmp_path):
    whole, stamp = windows
    # The index: the frames before it are the same bytes in any order.
    content = whole.read_bytes()
    with zipfile.ZipFile(whole) as archive:
        index = archive.infolist()[1].header_offset
    path = tmp_path / whole.name
    path.write_bytes(content[:index] + data.draw(damage(content[index:])))
    with result_or(StaleArtifactError, str(path)):
        read_all(path, stamp)


def edited(whole, path, **members) -> None:
    """Copy windows with other members."""
    arrays = {}
    for name, values in members.items():
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=True)
        arrays[f"{name}.npy"] = buffer.getvalue()
    write_members(read_members(whole) | arrays, path)


HARMFUL = {
    "a pickled array": ({"track_id": np.array([open], dtype=object)}, "pickle"),
    "windows beyond the frames": ({"window_start": np.array([10**12])}, "contradicts|beyond"),
    "windows before the frames": ({"window_start": np.full(30, -5)}, "beyond its frames"),
    "tracks that aren't there": ({"window_track": np.full(30, 99)}, "track that isn't there"),
    "other frames": ({"frames": np.zeros((5, 32))}, "its frames are"),
    "frames by columns": ({"frames": np.zeros((5, 32), "<f2", order="F")}, "its frames are"),
    "frames of one dimension": ({"frames": np.zeros(5, "<f2")}, "its frames are"),
    "a window without end": ({"window_frames": np.int64(10**9)}, "beyond its frames"),
    "copies of no track": ({"copy": np.full(10, "band")}, "doesn't follow its track"),
    "copies of other tracks": ({"copy": np.array([""] * 9 + ["band"])}, "doesn't follow its track"),
    "fewer copies than tracks": ({"copy": np.full(9, "")}, "contradicts itself"),
    "no window at all": ({"window_frames": np.int64(-3)}, "contradicts itself"),
}


@pytest.mark.parametrize("what", HARMFUL)
def test_crafted_mel_windows_are_refused_and_the_file_named(what, windows, tmp_path):
    whole, stamp = windows
    members, words = HARMFUL[what]
    path = tmp_path / whole.name
    edited(whole, path, **members)
    with pytest.raises(StaleArtifactError, match=words) as error:
        read_all(path, stamp)
    assert str(path) in str(error.value)


def test_compressed_mel_windows_are_refused(windows, tmp_path):
    whole, stamp = windows
    path = tmp_path / whole.name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in read_members(whole).items():
            archive.writestr(name, content)
    with pytest.raises(StaleArtifactError, match="compressed"):
        read_all(path, stamp)


def test_a_table_in_which_facts_are_no_facts_is_refused(table, tmp_path):
    path = tmp_path / "table.parquet"
    found = pq.read_table(io.BytesIO(table))
    text = json.dumps(json.loads(STAMP.to_json()) | {"facts": [1]})
    pq.write_table(found.replace_schema_metadata({b"genreflow": text.encode()}), path)
    with pytest.raises(StaleArtifactError, match="no readable stamp"):
        read_stamp(path)
    shutil.copy(path, tmp_path / "copy.parquet")
    with pytest.raises(StaleArtifactError, match="no readable stamp"):
        read_table(tmp_path / "copy.parquet", replace(STAMP, facts={}))
