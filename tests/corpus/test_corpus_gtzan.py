from __future__ import annotations

import io
import logging
import os
import socket
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from genreflow.corpus.gtzan import Dataset, GtzanError, fetch_gtzan

FILTERED: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""What Python before 3.11.4 doesn't know, and later ones ask for."""

TRACKS = ("blues/blues.00000.wav", "blues/blues.00001.wav", "jazz/jazz.00054.wav")


class FakeDataset:
    """Behaves like mirdata 1.0: an index, an archive that is unpacked, reports per track."""

    def __init__(self, home: Path, content: dict[str, bytes], failures: dict[str, Exception]):
        self.home, self.content, self.failures = home, content, failures
        self.has_index = False

    def download(self, partial_download: list[str], force_overwrite: bool) -> None:
        [part] = partial_download
        assert force_overwrite == (part == "index")
        logging.error("mirdata failed to download the dataset, at some length")
        if part in self.failures:
            raise self.failures[part]
        if part == "index":
            self.has_index = True
            return
        archive = self.home / "gtzan_genre" / "genres.tar.gz"
        if not archive.exists():
            archive.parent.mkdir()
            pack(archive, self.content)
        with tarfile.open(archive) as opened:
            opened.extractall(archive.parent, **FILTERED)

    def validate(self, verbose: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        assert self.has_index
        assert not verbose
        missing: dict[str, list[str]] = {}
        invalid: dict[str, list[str]] = {}
        for name in TRACKS:
            path = self.home / "gtzan_genre" / "genres" / name
            track = path.stem
            missing[track] = [str(self.home / "gtzan_tempo_beat-main" / f"{track}.bpm")]
            if not path.exists():
                missing[track].append(str(path))
            elif path.read_bytes() != name.encode():
                invalid[track] = [str(path)]
        return {"tracks": missing}, {"tracks": invalid}


def pack(archive: Path, content: dict[str, bytes]) -> None:
    with tarfile.open(archive, "w:gz") as opened:
        for name, data in content.items():
            member = tarfile.TarInfo(f"genres/{name}")
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))


def gtzan() -> dict[str, bytes]:
    return {name: name.encode() for name in TRACKS}


def opener(
    content: dict[str, bytes] | None = None, **failures: Exception
) -> Callable[[Path], Dataset]:
    return lambda home: FakeDataset(home, gtzan() if content is None else content, failures)


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_genre_folders_end_up_at_the_destination_and_nothing_else_does(tmp_path: Path) -> None:
    destination = tmp_path / "data" / "genres"
    fetched = fetch_gtzan(destination, open_dataset=opener())
    assert (fetched.folder, fetched.n_files) == (destination, 3)
    assert files_in(tmp_path) == {f"data/genres/{name}": data for name, data in gtzan().items()}


def test_an_empty_destination_is_used(tmp_path: Path) -> None:
    assert fetch_gtzan(tmp_path, open_dataset=opener()).n_files == 3


def test_files_of_the_user_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.wav").write_bytes(b"mine")
    with pytest.raises(GtzanError, match="is not empty, and is left as it is"):
        fetch_gtzan(tmp_path, open_dataset=opener())
    assert files_in(tmp_path) == {"mine.wav": b"mine"}


def test_a_destination_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "genres").write_bytes(b"")
    with pytest.raises(GtzanError, match="is left as it is"):
        fetch_gtzan(tmp_path / "genres", open_dataset=opener())


def test_missing_and_invalid_files_are_told_apart_and_nothing_is_kept(tmp_path: Path) -> None:
    content = gtzan()
    content["blues/blues.00001.wav"] = b"damaged"
    del content["jazz/jazz.00054.wav"]
    with pytest.raises(GtzanError) as raised:
        fetch_gtzan(tmp_path / "genres", open_dataset=opener(content))
    assert "1 missing: jazz/jazz.00054.wav;" in str(raised.value)
    assert "1 with a wrong checksum: blues/blues.00001.wav." in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_without_a_network_one_sentence_says_so_and_nothing_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = opener(index=URLError(socket.gaierror(-2, "Name or service not known")))
    with pytest.raises(GtzanError, match=r"could not reach the index.*Name or service not known"):
        fetch_gtzan(tmp_path / "genres", open_dataset=dataset)
    assert not list(tmp_path.iterdir())
    assert not caplog.records


def test_when_the_server_is_down_another_way_is_named(tmp_path: Path) -> None:
    dataset = opener(all=ConnectionResetError(104, "Connection reset by peer"))
    with pytest.raises(GtzanError, match=r"could not reach the audio.*--from PATH"):
        fetch_gtzan(tmp_path / "genres", open_dataset=dataset)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failure", [OSError("has an MD5 checksum"), tarfile.ReadError("cut")])
def test_a_broken_archive_leaves_nothing(tmp_path: Path, failure: Exception) -> None:
    with pytest.raises(GtzanError, match=r"could not get the audio: (has an MD5|cut)"):
        fetch_gtzan(tmp_path / "genres", open_dataset=opener(all=failure))
    assert not list(tmp_path.iterdir())


def test_an_interruption_leaves_nothing_and_restores_what_was_set(tmp_path: Path) -> None:
    before = socket.getdefaulttimeout(), logging.root.manager.disable
    interrupted: Any = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        fetch_gtzan(tmp_path / "genres", open_dataset=opener(all=interrupted))
    assert not list(tmp_path.iterdir())
    assert (socket.getdefaulttimeout(), logging.root.manager.disable) == before


def test_an_archive_from_elsewhere_is_read_in_place(tmp_path: Path) -> None:
    archive = tmp_path / "copy of genres.tar.gz"
    pack(archive, gtzan())
    before = archive.read_bytes()
    fetched = fetch_gtzan(tmp_path / "genres", source=archive, open_dataset=opener(content={}))
    assert fetched.n_files == 3
    assert archive.read_bytes() == before
    assert not archive.is_symlink()


def test_an_archive_is_read_by_a_python_without_filters_and_writes_nothing_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11.2, as Debian 12 has it, knows no ``filter``."""
    archive, outside = tmp_path / "genres.tar.gz", tmp_path / "outside"
    outside.mkdir()
    pack(archive, gtzan())
    with tarfile.open(tmp_path / "links.tar", "w") as opened:
        link = tarfile.TarInfo("genres/blues")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        opened.addfile(link)
        for name, data in gtzan().items():
            for path in (f"genres/{name}", f"{outside}/{Path(name).name}"):
                member = tarfile.TarInfo(path)
                member.size = len(data)
                opened.addfile(member, io.BytesIO(data))
    monkeypatch.delattr(tarfile.TarFile, "extractall")
    monkeypatch.delattr(tarfile.TarFile, "extract")
    for n, source in enumerate((archive, tmp_path / "links.tar")):
        fetched = fetch_gtzan(tmp_path / f"to {n}", source=source, open_dataset=opener(content={}))
        assert fetched.n_files == 3
    assert files_in(outside) == {}


def test_genre_folders_from_elsewhere_are_copied_and_verified(tmp_path: Path) -> None:
    for name, data in gtzan().items():
        (tmp_path / "kaggle" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "kaggle" / name).write_bytes(data)
    dataset = opener(all=URLError("not needed"))
    assert (
        fetch_gtzan(tmp_path / "a", source=tmp_path / "kaggle", open_dataset=dataset).n_files == 3
    )
    assert files_in(tmp_path / "kaggle") == gtzan()
    (tmp_path / "kaggle" / TRACKS[0]).write_bytes(b"other")
    with pytest.raises(GtzanError, match="1 with a wrong checksum"):
        fetch_gtzan(tmp_path / "b", source=tmp_path / "kaggle", open_dataset=dataset)


KAGGLE = {
    **{f"Data/genres_original/{name}": data for name, data in gtzan().items()},
    "Data/images_original/blues/blues00000.png": b"an image",
    "Data/images_original/jazz/jazz00000.png": b"an image",
    "Data/features_3_sec.csv": b"a table",
}
NEVER = opener(all=URLError("no server is asked for a local copy"))


def unpack(content: dict[str, bytes], folder: Path) -> Path:
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("below", ["", "Data", "Data/genres_original"])
def test_the_genres_of_kaggles_copy_are_found_at_any_depth(tmp_path: Path, below: str) -> None:
    source = unpack(KAGGLE, tmp_path / "kaggle") / below
    fetched = fetch_gtzan(tmp_path / "genres", source=source, open_dataset=NEVER)
    assert fetched.n_files == 3
    assert files_in(tmp_path / "genres") == gtzan(), "neither images nor tables are copied"
    assert files_in(tmp_path / "kaggle") == KAGGLE


def test_kaggles_zip_is_verified_and_installed_as_it_comes(tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for name, data in KAGGLE.items():
            opened.writestr(name, data)
    assert fetch_gtzan(tmp_path / "genres", source=archive, open_dataset=NEVER).n_files == 3
    assert files_in(tmp_path / "genres") == gtzan()


@pytest.mark.parametrize("as_archive", [False, True])
def test_au_files_are_not_called_missing_but_read_as_they_are(
    tmp_path: Path, as_archive: bool
) -> None:
    content = {name.replace(".wav", ".au"): data for name, data in gtzan().items()}
    source = tmp_path / "old.tar.gz"
    if as_archive:
        pack(source, content)
    else:
        source = unpack(content, tmp_path / "old")
    with pytest.raises(GtzanError) as raised:
        fetch_gtzan(tmp_path / "genres", source=source, open_dataset=NEVER)
    assert ".au files" in str(raised.value)
    meant = (
        f"unpack {source} and set corpus.root" if as_archive else "set corpus.root to its folder"
    )
    assert meant in str(raised.value)
    assert not (tmp_path / "genres").exists()


@pytest.mark.parametrize("content", [b"no archive", b"PK\x03\x04 cut", b"\x1f\x8b cut"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "genres.tar.gz").write_bytes(content)
    with pytest.raises(GtzanError, match=r"genres\.tar\.gz: (is no archive|Compressed file)"):
        fetch_gtzan(tmp_path / "a", source=tmp_path / "genres.tar.gz", open_dataset=NEVER)
    assert [path.name for path in tmp_path.iterdir()] == ["genres.tar.gz"]


def test_an_archive_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    pack(tmp_path / "whole.tar.gz", {name: os.urandom(9_000) for name in TRACKS})
    whole = (tmp_path / "whole.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GtzanError, match=r"cut\.tar\.gz"):
        fetch_gtzan(tmp_path / "a", source=tmp_path / "cut.tar.gz", open_dataset=NEVER)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.tar.gz", "whole.tar.gz"]


def test_another_folder_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    source = unpack({"rock/a.wav": b"", "blues/cover.png": b""}, tmp_path / "mine")
    with pytest.raises(GtzanError, match="no folders blues, jazz, … with audio"):
        fetch_gtzan(tmp_path / "a", source=source, open_dataset=NEVER)


def test_a_part_that_another_mirdata_calls_otherwise_names_the_way_out(tmp_path: Path) -> None:
    dataset = opener(all=ValueError("The all key is not in remotes"))
    with pytest.raises(GtzanError, match=r"could not get the audio: The all key.*--from PATH"):
        fetch_gtzan(tmp_path / "genres", open_dataset=dataset)
    assert not list(tmp_path.iterdir())


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GtzanError, match="no such archive or folder"):
        fetch_gtzan(tmp_path / "a", source=tmp_path / "gone", open_dataset=opener())


def test_without_mirdata_the_error_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mirdata", None)
    with pytest.raises(GtzanError, match="make gtzan"):
        fetch_gtzan(tmp_path / "genres")
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
from pathlib import Path
from genreflow.corpus.gtzan import fetch_gtzan

class Dataset:
    def __init__(self, home):
        self.home = home

    def download(self, partial_download, force_overwrite):
        if partial_download == ["all"]:
            (self.home / "gtzan_genre/genres/blues").mkdir(parents=True)
            (self.home / "gtzan_genre/genres.tar.gz").write_bytes(b"half an archive")
            print("half", flush=True)
            sys.stdin.readline()

fetch_gtzan(Path(sys.argv[1]), open_dataset=Dataset)
"""


def test_a_killed_download_is_never_taken_for_whole_and_the_next_starts_again(
    tmp_path: Path,
) -> None:
    """mirdata takes an archive that is there already, whole or not."""
    destination = tmp_path / "data" / "genres"
    command = [sys.executable, "-c", KILLED, str(destination)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as first:  # type: ignore[call-overload]
        assert first.stdout.readline() == b"half\n"
        with pytest.raises(GtzanError, match="another process fetches GTZAN there; wait"):
            fetch_gtzan(destination, open_dataset=opener())
        first.kill()
    assert not destination.exists()
    assert list((tmp_path / "data").iterdir()), "what it had fetched so far"
    fetch_gtzan(destination, open_dataset=opener())
    assert files_in(tmp_path / "data") == {f"genres/{name}": data for name, data in gtzan().items()}
