from __future__ import annotations

import os
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreflow.corpus.scan import (
    CorpusError,
    Scan,
    Shard,
    find_genres,
    list_shards,
    loose_files,
    scan_shard,
)


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def scan(root: Path, genre: str) -> Scan:
    (shard,) = list_shards([genre], 1).values()
    return scan_shard(root, shard)


def track_ids(scan: Scan) -> list[str]:
    return [file.track_id for file in scan.files]


def test_genres_are_the_folders_sorted_by_code_point(tmp_path: Path) -> None:
    make(tmp_path, "rock/a.wav", "Zouk/a.wav", "blues/a.wav", "ärzte/a.wav", "notes.txt")
    assert find_genres(tmp_path) == ("Zouk", "blues", "rock", "ärzte")


def test_hidden_folders_are_no_genres(tmp_path: Path) -> None:
    make(tmp_path, ".git/config", "rock/a.wav")
    assert find_genres(tmp_path) == ("rock",)


def test_a_missing_root_says_what_was_expected_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as raised:
        find_genres(tmp_path / "nowhere")
    for part in ("nowhere", "/<genre>/<audio files>", "make gtzan", "corpus.root in params.yaml"):
        assert part in str(raised.value)


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "song.wav")
    with pytest.raises(CorpusError, match="is a file, not a folder"):
        find_genres(tmp_path / "song.wav")


def test_an_empty_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no genre folders"):
        find_genres(tmp_path)


def test_a_flat_folder_of_audio_is_refused_with_advice(tmp_path: Path) -> None:
    make(tmp_path, "a.wav", "b.MP3", "cover.png")
    with pytest.raises(CorpusError, match=r"2 audio files lie directly in it.*folder of its genre"):
        find_genres(tmp_path)


def test_files_beside_the_genre_folders_are_told(tmp_path: Path) -> None:
    make(tmp_path, "rock/a.wav", "b.wav", "README")
    assert loose_files(tmp_path) == ("README", "b.wav")


def test_audio_is_found_at_any_depth_and_sorted(tmp_path: Path) -> None:
    make(tmp_path, "rock/b.wav", "rock/Album 1/02.flac", "rock/a.OGG", "blues/x.wav")
    found = scan(tmp_path, "rock")
    assert track_ids(found) == ["rock/Album 1/02.flac", "rock/a.OGG", "rock/b.wav"]
    assert {file.genre for file in found.files} == {"rock"}
    assert all(file.path == tmp_path / file.track_id for file in found.files)


@pytest.mark.parametrize(
    "extension",
    [
        *("wav", "au", "flac", "ogg", "oga", "opus", "mp3", "aiff", "aif", "w64", "caf"),
        *("m4a", "aac", "mp4", "wma", "webm", "mka", "ape", "wv", "ac3"),
    ],
)
def test_audio_is_known_by_its_extension(tmp_path: Path, extension: str) -> None:
    make(tmp_path, f"rock/a.{extension}", f"rock/b.{extension.upper()}")
    assert len(scan(tmp_path, "rock").files) == 2


def test_hidden_files_and_files_that_are_no_audio_are_ignored_and_counted(tmp_path: Path) -> None:
    others = (
        "rock/.DS_Store",
        "rock/._a.wav",
        "rock/.trash/deep/a.wav",
        "rock/cover.png",
        "rock/x",
    )
    make(tmp_path, "rock/a.wav", *others)
    found = scan(tmp_path, "rock")
    assert track_ids(found) == ["rock/a.wav"]
    assert found.ignored == tuple(sorted(others))


@pytest.mark.parametrize("genre", ["hip hop", "r'n\"b", "K-Pop", "80s.synth", "шансон", "日本 語"])
def test_odd_genre_names_work(tmp_path: Path, genre: str) -> None:
    make(tmp_path, f"{genre}/Mädchen & co #1.wav")
    assert find_genres(tmp_path) == (genre,)
    assert track_ids(scan(tmp_path, genre)) == [f"{genre}/Mädchen & co #1.wav"]


def test_a_genre_without_audio_is_a_shard_with_no_files(tmp_path: Path) -> None:
    (tmp_path / "rock").mkdir()
    assert find_genres(tmp_path) == ("rock",)
    assert scan(tmp_path, "rock") == Scan((), ())


def test_a_genre_folder_that_vanished_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="can't be listed"):
        scan(tmp_path, "rock")


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    elsewhere = make(tmp_path / "elsewhere", "a.wav", "album/b.wav")
    root = make(tmp_path / "root", "rock/c.wav")
    (root / "rock/link.wav").symlink_to(elsewhere / "a.wav")
    (root / "rock/album").symlink_to(elsewhere / "album")
    (root / "blues").symlink_to(elsewhere)
    assert track_ids(scan(root, "rock")) == ["rock/album/b.wav", "rock/c.wav", "rock/link.wav"]
    assert find_genres(root) == ("blues", "rock")
    assert track_ids(scan(root, "blues")) == ["blues/a.wav", "blues/album/b.wav"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    make(tmp_path, "rock/a.wav")
    (tmp_path / "rock/again").symlink_to(tmp_path / "rock")
    assert track_ids(scan(tmp_path, "rock")) == ["rock/a.wav"]


def test_a_broken_link_is_listed_so_that_it_can_be_set_aside_with_a_reason(tmp_path: Path) -> None:
    make(tmp_path, "rock/a.wav")
    (tmp_path / "rock/b.wav").symlink_to(tmp_path / "gone.wav")
    assert track_ids(scan(tmp_path, "rock")) == ["rock/a.wav", "rock/b.wav"]


def test_a_named_pipe_is_ignored(tmp_path: Path) -> None:
    make(tmp_path, "rock/a.wav")
    os.mkfifo(tmp_path / "rock/pipe.wav")
    assert scan(tmp_path, "rock").ignored == ("rock/pipe.wav",)


def test_a_name_that_is_no_text_is_ignored_and_printable(tmp_path: Path) -> None:
    make(tmp_path, "rock/a.wav")
    try:
        (tmp_path / "rock" / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = scan(tmp_path, "rock")
    assert track_ids(found) == ["rock/a.wav"]
    assert found.ignored == ("rock/caf\N{REPLACEMENT CHARACTER}.wav",)


def test_a_genre_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"\xe9tude")).mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(CorpusError, match="not valid UTF-8"):
        find_genres(tmp_path)


def test_a_single_shard_is_named_like_its_genre() -> None:
    assert list_shards(["blues", "rock"], 1) == {
        "blues": Shard("blues", "blues", 0, 1),
        "rock": Shard("rock", "rock", 0, 1),
    }


def test_shard_names_are_unique_even_for_genres_that_look_like_shards() -> None:
    assert len(list_shards(["rock", "rock-0", "rock-0-0"], 3)) == 9


@given(
    names=st.lists(st.text(max_size=12), unique=True, max_size=30),
    shards_per_genre=st.integers(1, 7),
)
def test_every_file_belongs_to_exactly_one_shard(names: list[str], shards_per_genre: int) -> None:
    shards = list_shards(["rock"], shards_per_genre).values()
    for name in names:
        assert sum(shard.holds(f"rock/{name}.wav") for shard in shards) == 1


def test_a_file_stays_in_its_shard_for_ever() -> None:
    shards = list_shards(["rock"], 4).values()
    home = {
        name: next(shard.name for shard in shards if shard.holds(f"rock/{name}.wav"))
        for name in "adeh"
    }
    assert home == {"a": "rock-0", "d": "rock-3", "e": "rock-1", "h": "rock-1"}


def test_the_shards_of_a_genre_together_hold_all_its_files(tmp_path: Path) -> None:
    make(tmp_path, *[f"rock/{i}.wav" for i in range(20)], *[f"rock/{i}.txt" for i in range(20)])
    scans = [scan_shard(tmp_path, shard) for shard in list_shards(["rock"], 3).values()]
    assert sorted(chain.from_iterable(map(track_ids, scans))) == track_ids(scan(tmp_path, "rock"))
    assert sorted(chain.from_iterable(s.ignored for s in scans)) == list(
        scan(tmp_path, "rock").ignored
    )
    assert all(scan.files for scan in scans)
