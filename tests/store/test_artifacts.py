import json
import zipfile
from dataclasses import replace

import pandas as pd
import pytest

from genreflow.store import archive as archive_module
from genreflow.store.archive import member, new_archive, read_members, write_members
from genreflow.store.files import atomic, read_json, write_csv, write_json
from genreflow.store.stamp import StaleArtifactError, Stamp
from genreflow.store.tables import read_stamp, read_table, write_table

STAMP = Stamp("mel", {"features.mel": {"n_mels": 128}}, facts={"audio": "abc"})
TABLE = pd.DataFrame({"track_id": ["blues/å.wav"], "value": [1.5]})


def test_a_table_comes_back_with_its_stamp(tmp_path):
    path = tmp_path / "deep" / "table.parquet"
    write_table(TABLE, path, STAMP)
    pd.testing.assert_frame_equal(read_table(path, STAMP), TABLE)
    assert read_stamp(path) == STAMP


def test_facts_are_carried_but_not_compared(tmp_path):
    path = tmp_path / "table.parquet"
    write_table(TABLE, path, STAMP)
    read_table(path, replace(STAMP, facts={}))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            replace(STAMP, params={"features.mel": {"n_mels": 64}}),
            r"n_mels=128 but .*n_mels=64 was asked for",
        ),
        (replace(STAMP, kind="handcrafted"), "kind='mel' but kind='handcrafted'"),
        (replace(STAMP, format=99), "format=1 but format=99"),
        (replace(STAMP, params={}), "n_mels=128 but"),
    ],
)
def test_a_stale_artifact_is_refused_with_both_values(tmp_path, asked, message):
    path = tmp_path / "table.parquet"
    write_table(TABLE, path, STAMP)
    with pytest.raises(StaleArtifactError, match=message) as error:
        read_table(path, asked)
    assert "table.parquet" in str(error.value)
    assert "rerun" in str(error.value)


def test_a_file_without_a_stamp_is_refused(tmp_path):
    path = tmp_path / "table.parquet"
    TABLE.to_parquet(path)
    with pytest.raises(StaleArtifactError, match="no readable stamp"):
        read_table(path, STAMP)


def test_equal_tables_are_equal_bytes(tmp_path):
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    write_table(TABLE, one, STAMP)
    write_table(
        TABLE.copy(), two, Stamp("mel", {"features.mel": {"n_mels": 128}}, 1, {"audio": "abc"})
    )
    assert one.read_bytes() == two.read_bytes()


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "value.json"
    write_json({"a": 1}, path)
    with pytest.raises(TypeError):
        write_json({"b": object()}, path)
    with pytest.raises(OSError, match="full"):
        fail_half_way(path)
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def fail_half_way(path):
    with atomic(path) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")


def test_numbers_in_a_csv_are_rounded_as_asked(tmp_path):
    path = tmp_path / "table.csv"
    table = pd.DataFrame({"name": ["å", None], "value": [1 / 3, 2.0]})
    write_csv(table, path)
    assert path.read_text() == "name,value\nå,0.3333333333\n,2\n"
    write_csv(table, path, "%.2g")
    assert path.read_text() == "name,value\nå,0.33\n,2\n"


def test_json_comes_back_and_holds_no_nan(tmp_path):
    path = tmp_path / "value.json"
    write_json({"b": [1, None], "å": {"c": 0.1}}, path)
    assert read_json(path) == {"b": [1, None], "å": {"c": 0.1}}
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, path)


def test_archives_of_equal_members_are_equal_bytes_without_a_date(tmp_path):
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    write_members({"a": b"1", "b": b"2"}, one)
    write_members({"b": b"2", "a": b"1"}, two)
    assert one.read_bytes() == two.read_bytes()
    assert read_members(one) == {"a": b"1", "b": b"2"}
    with zipfile.ZipFile(one) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_bytes_of_an_archive_do_not_depend_on_the_version_of_python(tmp_path):
    """3.11.4 changed how a small member begins that was announced as one that may grow large."""
    path = tmp_path / "one.zip"
    with new_archive(path) as archive, member(archive, "a", size=3) as file:
        file.write(b"abc")
    assert path.read_bytes()[:34] == (
        b"PK\x03\x04" + b"\x14\0" + b"\0\0" + b"\0\0" + b"\0\0" + b"\x21\0"  # 2.0, stored
        + (0x352441C2).to_bytes(4, "little") + b"\3\0\0\0" * 2  # the sizes, and no other field
        + b"\1\0" + b"\0\0" + b"aabc"
    )  # fmt: skip


def test_a_member_that_is_announced_as_large_may_be_so(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    monkeypatch.setattr(archive_module, "_LARGE", 900)
    path = tmp_path / "large.zip"
    with new_archive(path) as archive, member(archive, "a", size=2000) as file:
        file.write(bytes(2000))
    assert read_members(path) == {"a": bytes(2000)}
    with (
        pytest.raises(RuntimeError, match=r"large|ZIP64"),
        new_archive(path) as archive,
        member(archive, "a", size=800) as file,
    ):
        file.write(bytes(2000))


def test_new_files_have_ordinary_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    write_json({}, tmp_path / "value.json")
    assert (tmp_path / "value.json").stat().st_mode == plain.stat().st_mode
