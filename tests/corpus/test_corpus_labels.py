"""Genres from a table: any library takes part without moving a file."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genreflow.corpus.labels import Labels, Row, digests, read_labels, read_rows
from genreflow.corpus.layout import read_layout
from genreflow.corpus.scan import CorpusError, list_shards
from genreflow.params import Params
from genreflow.stages import layout_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two folders that say nothing of genres."""
    for name in ("000/2.mp3", "000/5.mp3", "001/7.mp3", "001/cover.jpg", "README.txt"):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "music"


def table(root: Path, *lines: str, header: str = "path,genre") -> Path:
    path = root.parent / "labels.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def labels_of(root: Path, *lines: str, header: str = "path,genre") -> Labels:
    found = read_labels(table(root, *lines, header=header), root)
    assert found is not None
    return found


def genres(labels: Labels) -> dict[str, str]:
    return {file.track_id: file.genre for file in labels.files}


def refusal(root: Path, *lines: str, header: str = "path,genre") -> str:
    with pytest.raises(CorpusError) as raised:
        read_labels(table(root, *lines, header=header), root)
    return str(raised.value)


def test_a_table_says_the_genres_and_each_file_keeps_its_place(root: Path) -> None:
    labels = labels_of(root, "000/2.mp3,Hip-Hop", "001/7.mp3,Folk", "000/5.mp3,Hip-Hop")
    assert labels.genres == ("Folk", "Hip-Hop")
    assert genres(labels) == {"000/2.mp3": "Hip-Hop", "000/5.mp3": "Hip-Hop", "001/7.mp3": "Folk"}
    assert all(file.path == root / file.track_id for file in labels.files)


def test_what_is_not_listed_is_ignored_and_named(root: Path) -> None:
    labels = labels_of(root, "000/2.mp3,a", "001/7.mp3,b")
    assert labels.ignored == ("000/5.mp3", "001/cover.jpg", "README.txt")


def test_a_table_without_rows_leaves_the_genres_to_the_folders(root: Path) -> None:
    assert read_labels(table(root), root) is None
    assert read_labels(table(root, "000/2.mp3,", ",rock"), root) is None
    assert read_layout(root, table(root)).genres == ("000", "001")


def test_every_listed_file_belongs_to_one_shard(root: Path) -> None:
    layout = read_layout(root, table(root, "000/2.mp3,a", "000/5.mp3,b", "001/7.mp3,b"))
    shards = list_shards(layout.genres, 3)
    found = [file.track_id for shard in shards.values() for file in layout.scan(shard).files]
    assert sorted(found) == ["000/2.mp3", "000/5.mp3", "001/7.mp3"]


def test_a_listed_file_that_is_missing_stays_so_that_it_is_set_aside(root: Path) -> None:
    labels = labels_of(root, "000/2.mp3,a", "001/7.mp3,b", "001/gone.mp3,b")
    assert genres(labels)["001/gone.mp3"] == "b"


def test_a_table_for_another_folder_is_refused_with_examples_of_both(root: Path) -> None:
    said = refusal(root, "rock/a.mp3,rock", "pop/b.mp3,pop", "000/2.mp3,pop")
    for part in ("2 of its 3 files are not below", "rock/a.mp3, pop/b.mp3", "000/2.mp3, 000/5.mp3"):
        assert part in said
    assert "corpus.root" in said


def test_a_root_that_is_missing_is_named(root: Path) -> None:
    with pytest.raises(CorpusError, match=r"there is no such folder, but .* lists files"):
        read_labels(table(root, "a.mp3,a", "b.mp3,b"), root / "gone")


@pytest.mark.parametrize(
    "path",
    [
        "000/2.mp3",
        r"000\2.mp3",
        "./000//2.mp3",
        "001/../000/2.mp3",
        "{root}/000/2.mp3",
        " {root}/../music/000/2.mp3 ",
    ],
)
def test_a_path_may_be_written_in_many_ways(root: Path, path: str) -> None:
    labels = labels_of(root, f"{path.format(root=root)},a", "001/7.mp3,b")
    assert genres(labels)["000/2.mp3"] == "a"


def test_an_absolute_path_through_a_link_to_the_root_is_below_it(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    lines = (f"{root}/000/2.mp3,a", f"{link}/001/7.mp3,b")
    found = read_labels(table(root, *lines), link)
    assert found is not None
    assert sorted(genres(found)) == ["000/2.mp3", "001/7.mp3"]


@pytest.mark.parametrize("path", ["../other/a.mp3", "/etc/passwd", ".", "..", "a\0b"])
def test_a_path_that_leaves_the_root_is_refused_with_its_line(root: Path, path: str) -> None:
    said = refusal(root, "000/2.mp3,a", f"{path},b")
    assert "labels.csv, line 3" in said
    assert "below corpus.root" in said


def test_names_match_whatever_their_unicode_normalisation(root: Path) -> None:
    name = "Ärzte – Süß.mp3"
    (root / unicodedata.normalize("NFD", name)).write_bytes(b"x")
    labels = labels_of(root, f"{unicodedata.normalize('NFC', name)},a", "001/7.mp3,b")
    assert (root / next(iter(labels.files)).track_id).exists()
    assert not any(".mp3" in other and "rzte" in other for other in labels.ignored)


def test_a_file_that_is_listed_counts_whatever_its_extension(root: Path) -> None:
    (root / ".hidden.dat").write_bytes(b"x")
    assert ".hidden.dat" in genres(labels_of(root, ".hidden.dat,a", "001/7.mp3,b"))


def test_a_pipe_or_a_folder_is_refused_because_it_would_block(root: Path) -> None:
    os.mkfifo(root / "pipe.mp3")
    assert "pipe.mp3 is a pipe" in refusal(root, "pipe.mp3,a", "001/7.mp3,b")
    assert "001 is a folder" in refusal(root, "000/2.mp3,a", "000/5.mp3,a", "001,b")


def test_a_file_listed_twice_is_refused_with_both_lines_and_genres(root: Path) -> None:
    said = refusal(root, "000/2.mp3,rock", "001/7.mp3,pop", "./000/2.mp3,pop")
    assert "line 4: 000/2.mp3 is listed in line 2 already, as rock. A track has one genre" in said
    assert "as rock" not in refusal(root, "000/2.mp3,rock", "001/7.mp3,pop", "000/2.mp3,rock")


@pytest.mark.parametrize(
    ("genre", "said"),
    [
        ("Old-Time / Historic", "holds /"),
        (".hidden", "begins with a dot"),
        ("..", "begins with a dot"),
        ('"two\nlines"', "control character"),
        ("a\tb", "control character"),
    ],
)
def test_a_genre_that_cannot_name_a_file_is_refused(root: Path, genre: str, said: str) -> None:
    message = refusal(root, "000/2.mp3,rock", f"001/7.mp3,{genre}")
    assert said in message
    assert "labels.csv, line" in message


@pytest.mark.parametrize(
    "genre", ["hip hop", "r'n''b", "=1+1", "K-Pop", "шансон", "$(rm)", "a&b", "a{b}", "é" * 120]
)
def test_odd_genres_work(root: Path, genre: str) -> None:
    assert labels_of(root, "000/2.mp3,rock", f"001/7.mp3,{genre}").genres == tuple(
        sorted(["rock", genre])
    )


def test_one_genre_is_nothing_to_tell_apart(root: Path) -> None:
    assert "rock is the only genre" in refusal(root, "000/2.mp3,rock", "001/7.mp3, rock ")


def test_genres_that_differ_in_case_alone_are_refused(root: Path) -> None:
    assert "'Rock' and 'rock' differ in case" in refusal(root, "000/2.mp3,rock", "001/7.mp3,Rock")


def test_groups_and_roles_are_read_and_other_columns_are_not(root: Path) -> None:
    header = "\ufeffTitle, Role ,PATH,genre,group"
    lines = ('"One, two",test,000/2.mp3,a,NA', ",,001/7.mp3,b,")
    rows = read_rows(table(root, *lines, header=header), root)
    assert rows == (Row("000/2.mp3", "a", "NA", "test"), Row("001/7.mp3", "b"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"path;genre\na;b\n", "its first line is 'path;genre'"),
        (b"", "its first line is ''"),
        (b"path,genre\n\xe9.mp3,a\n", "is no UTF-8"),
        (b'path,genre\n"a.mp3,b\n', "is no CSV"),
    ],
)
def test_what_is_no_such_table_is_refused_and_says_what_was_expected(
    root: Path, content: bytes, said: str
) -> None:
    path = root.parent / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(CorpusError) as raised:
        read_labels(path, root)
    assert said in str(raised.value)
    assert "columns path, genre" in str(raised.value)


def test_a_table_that_is_missing_names_the_parameter(root: Path) -> None:
    with pytest.raises(CorpusError, match=r"No such file.*corpus\.labels in params\.yaml"):
        read_labels(root / "labels.csv", root)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
def test_whatever_the_table_holds_it_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "labels.csv")
        path.write_bytes(b"path,genre,group\n" + content)
        with suppress(CorpusError):
            read_labels(path, Path(folder))


def test_steps_see_what_the_table_says_to_them_alone(root: Path) -> None:
    rows = [Row("a", "rock", "x", "test"), Row("b", "pop", "y", "train")]
    before = digests(rows)
    assert digests(rows[::-1]) == before
    regrouped = digests([Row("a", "rock", "z", "test"), rows[1]])
    assert (regrouped["audio"], regrouped["splits"] != before["splits"]) == (before["audio"], True)
    relabelled = digests([Row("a", "pop", "x", "test"), rows[1]])
    assert (relabelled["splits"], relabelled["audio"] != before["audio"]) == (
        before["splits"],
        True,
    )


def test_the_demo_takes_its_genres_from_no_table(root: Path) -> None:
    path = table(root, "000/2.mp3,a", "001/7.mp3,b")
    params = Params.model_validate({"corpus": {"labels": str(path)}})
    with pytest.raises(CorpusError, match=r"lists tracks, but corpus\.root is data/demo"):
        layout_of(params)
