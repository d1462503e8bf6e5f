from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genreflow.corpus import digest
from genreflow.corpus.digest import shard_digest, shard_digests
from genreflow.corpus.layout import Layout
from genreflow.corpus.scan import CorpusError, Shard, list_shards

ROCK = Shard("rock", "rock", 0, 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus" / "rock"
    folder.mkdir(parents=True)
    for name in ("a.wav", "b.wav", "größe 3.flac"):
        (folder / name).write_bytes(name.encode() * 100)
        age(folder / name)
    return tmp_path / "corpus"


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust files however young: a test can't make its files old (ctime can't be set)."""
    monkeypatch.setattr(digest, "_SETTLED_NS", 0)


def digest_of(root: Path, cache: Path, shard: Shard = ROCK) -> str:
    return shard_digest(Layout(root, (shard.genre,)), shard, cache)


def age(path: Path) -> None:
    os.utime(path, ns=(10**18, 10**18))


def test_the_digest_is_over_the_ids_and_contents_in_order(root: Path, tmp_path: Path) -> None:
    expected = hashlib.sha256()
    for name in ("a.wav", "b.wav", "größe 3.flac"):
        content = hashlib.sha256((root / "rock" / name).read_bytes()).hexdigest()
        expected.update(f"{content} rock/{name}\0".encode())
    assert digest_of(root, tmp_path / "cache") == expected.hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.wav").write_bytes(b"other"),
        lambda folder: (folder / "a.wav").rename(folder / "c.wav"),
        lambda folder: (folder / "a.wav").unlink(),
        lambda folder: (folder / "c.wav").write_bytes(b"new"),
    ],
    ids=["edited", "renamed", "removed", "added"],
)
def test_the_digest_changes_when_audio_is(
    root: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    before = digest_of(root, tmp_path / "cache")
    change(root / "rock")
    assert digest_of(root, tmp_path / "cache") != before


def test_new_content_under_the_old_size_and_modification_time_is_noticed(
    root: Path, tmp_path: Path
) -> None:
    before = digest_of(root, tmp_path / "cache")
    song = root / "rock" / "a.wav"
    song.write_bytes(bytes(song.stat().st_size))
    age(song)
    assert digest_of(root, tmp_path / "cache") != before


def test_times_ignored_files_and_the_place_of_the_corpus_do_not_matter(
    root: Path, tmp_path: Path
) -> None:
    before = digest_of(root, tmp_path / "cache")
    os.utime(root / "rock" / "a.wav")
    (root / "rock" / "cover.png").write_bytes(b"")
    shutil.move(root, tmp_path / "elsewhere")
    assert digest_of(tmp_path / "elsewhere", tmp_path / "cache") == before


def test_a_cached_file_is_not_read_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_of(root, tmp_path / "cache")

    def refuse(*arguments: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    assert digest_of(root, tmp_path / "cache") == before


def test_a_file_that_changed_a_moment_ago_is_read_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest, "_SETTLED_NS", 10**10)
    digest_of(root, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.json"))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b'{"rock/a.wav": 3}', b'{"rock/a.wav": [[1], "x"]}']
)
def test_a_damaged_cache_is_mended(root: Path, tmp_path: Path, content: bytes) -> None:
    before = digest_of(root, tmp_path / "cache")
    [cached] = (tmp_path / "cache").iterdir()
    intact = cached.read_bytes()
    cached.write_bytes(content)
    assert digest_of(root, tmp_path / "cache") == before
    assert cached.read_bytes() == intact


def test_a_cache_that_cannot_be_written_breaks_nothing(root: Path, tmp_path: Path) -> None:
    before = digest_of(root, tmp_path / "cache")
    (tmp_path / "file").write_bytes(b"")
    assert digest_of(root, tmp_path / "file") == before


def test_processes_may_share_a_cache(root: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from genreflow.corpus.digest import *; "
        "from genreflow.corpus.layout import Layout; from genreflow.corpus.scan import Shard; "
        "root, cache = map(Path, sys.argv[1:]); "
        "rock = Layout(root, ('rock',)), Shard('rock', 'rock', 0, 1); "
        "print({shard_digest(*rock, cache) for _ in range(50)})"
    )
    command = [sys.executable, "-c", code, str(root), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = {process.communicate()[0].strip() for process in processes}
    assert outputs == {str({digest_of(root, tmp_path / "cache")})}
    assert len(list((tmp_path / "cache").iterdir())) <= 1


def test_an_unreadable_file_stops_nothing(root: Path, tmp_path: Path) -> None:
    before = digest_of(root, tmp_path / "cache")
    (root / "rock" / "c.wav").symlink_to(tmp_path / "gone.wav")
    during = digest_of(root, tmp_path / "cache")
    (tmp_path / "gone.wav").write_bytes(b"back")
    assert len({before, during, digest_of(root, tmp_path / "cache")}) == 3


def test_all_shards_of_a_genre_take_one_walk_through_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = list_shards(["rock"], 3).values()
    layout = Layout(root, ("rock",))
    one_by_one = {shard.name: shard_digest(layout, shard, tmp_path / "a") for shard in shards}
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or scandir(folder))
    assert shard_digests(layout, list(shards), tmp_path / "b") == one_by_one
    assert listed == [root / "rock"]


def test_an_empty_genre_has_a_digest_and_a_missing_one_has_not(root: Path, tmp_path: Path) -> None:
    (root / "pop").mkdir()
    assert len(digest_of(root, tmp_path / "cache", Shard("pop", "pop", 0, 1))) == 64
    with pytest.raises(CorpusError):
        digest_of(root, tmp_path / "cache", Shard("jazz", "jazz", 0, 1))


def test_the_digest_needs_the_standard_library_alone() -> None:
    code = (
        "import sys, genreflow.corpus.digest; "
        "print(sorted({'numpy', 'pandas', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
