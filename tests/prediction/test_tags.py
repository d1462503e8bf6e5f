"""Genres in the tags of files: written when asked, nothing else touched, and put back."""

import csv
import shutil
import subprocess
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.id3 import COMM, ID3, TCON, TIT2, TYER, Encoding
from typer.testing import CliRunner

from genreflow.cli import app
from genreflow.prediction import tags
from genreflow.prediction.backup import Change, note, read_backup
from genreflow.prediction.tags import TagError, read_genre, write_genre
from tests.hearing import trained
from tests.synthetic_features import RATE, make_corpus

pytestmark = pytest.mark.slow

WITH_SNDFILE = ["mp3", "flac", "ogg", "opus", "wav", "aiff"]
WITH_FFMPEG = ["m4a", "wma", "wv"]
HAS_FFMPEG = shutil.which("ffmpeg") is not None
FORMATS = [
    *WITH_SNDFILE,
    *(
        pytest.param(suffix, marks=pytest.mark.skipif(not HAS_FFMPEG, reason="needs ffmpeg"))
        for suffix in WITH_FFMPEG
    ),
]


def song(folder, suffix, seed=0):
    """Write a song without a genre in its tags."""
    wave = np.random.default_rng(seed).uniform(-0.5, 0.5, 2 * 48000)
    path = folder / f"song.{suffix}"
    if suffix not in WITH_FFMPEG:
        options = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}
        soundfile.write(path, wave, 48000, **options)
        return path
    source = folder / "source.wav"
    soundfile.write(source, wave, 48000)
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, path], check=True)
    source.unlink()
    return path


def sound(path):
    """Return what is heard of a file."""
    if path.suffix[1:] in WITH_SNDFILE:
        return soundfile.read(path)[0].tobytes()
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_genre_is_written_and_removed_and_the_sound_stays(tmp_path, suffix):
    path = song(tmp_path, suffix)
    path.chmod(0o640)
    before = sound(path)
    assert read_genre(path) == ()
    for genre in (("jazz",), ("jazz", "Rock'n'Röll"), ("hip hop",), ()):
        write_genre(path, genre)
        assert read_genre(path) == genre
        assert sound(path) == before
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg"])
def test_all_other_tags_stay(tmp_path, suffix):
    path = song(tmp_path, suffix)
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    for name, value in {"title": "Ein Lied", "artist": "Wer", "date": "1999-05-01"}.items():
        file[name] = value
    file["genre"] = "Blues"
    file.save()
    before = {**mutagen.File(path, easy=True)}
    write_genre(path, ["jazz"])
    after = {**mutagen.File(path, easy=True)}
    assert after == before | {"genre": ["jazz"]}


@pytest.mark.parametrize("version", [3, 4])
def test_an_mp3_keeps_its_version_and_its_frames(tmp_path, version):
    path = song(tmp_path, "mp3")
    frames = ID3()
    frames.add(TIT2(encoding=Encoding.LATIN1, text=["Lied"]))
    frames.add(TCON(encoding=Encoding.LATIN1, text=["(17)"]))
    frames.add(COMM(encoding=Encoding.UTF16, lang="deu", desc="x", text=["ö"]))
    if version == 3:
        frames.add(TYER(encoding=Encoding.LATIN1, text=["1999"]))
    frames.save(path, v2_version=version)

    def others():
        found = ID3(path, translate=False)
        assert found.version[1] == version
        return {key: frame._writeData() for key, frame in found.items() if key != "TCON"}

    before = others()
    assert ("TYER" in before) == (version == 3)
    assert read_genre(path) == ("(17)",)
    write_genre(path, ["jazz"])
    assert others() == before
    assert ID3(path).getall("TCON")[0].genres == ["jazz"]
    write_genre(path, ["(17)"])
    assert read_genre(path) == ("(17)",)
    assert ID3(path).getall("TCON")[0].genres == ["Rock"]


def test_a_link_stays_a_link(tmp_path):
    path = song(tmp_path, "flac")
    link = tmp_path / "link.flac"
    link.symlink_to(path.name)
    write_genre(link, ["jazz"])
    assert link.is_symlink()
    assert read_genre(path) == ("jazz",)


def test_a_link_into_dvcs_cache_is_refused(tmp_path):
    cached = tmp_path / "cache/files/md5/0a" / ("1" * 30)
    cached.parent.mkdir(parents=True)
    song(tmp_path, "flac").rename(cached)
    before = cached.read_bytes()
    link = tmp_path / "song.flac"
    link.symlink_to(cached)
    with pytest.raises(TagError, match="dvc unprotect"):
        write_genre(link, ["jazz"])
    assert cached.read_bytes() == before


def test_what_cannot_be_tagged_says_why_and_stays(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(TagError, match="no format whose tags"):
        write_genre(tmp_path / "notes.txt", ["jazz"])
    assert (tmp_path / "notes.txt").read_text() == "notes"
    with pytest.raises(TagError, match="No such file"):
        read_genre(tmp_path / "missing.mp3")
    (tmp_path / "cut.flac").write_bytes(b"fLaC\0\0")
    with pytest.raises(TagError, match="can't be read"):
        read_genre(tmp_path / "cut.flac")


def test_a_failure_while_writing_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = song(tmp_path, "flac")
    before = path.read_bytes()

    def fail(self):
        self._path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tags._Tags, "save", fail)
    with pytest.raises(TagError, match="No space left"):
        write_genre(path, ["jazz"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_backup_knows_the_first_genre_and_the_last_change(tmp_path):
    backup = tmp_path / "tags.csv"
    song_a, song_b = Path("/music/=a\nb.mp3"), Path("/music/b.mp3")
    note(backup, Change(song_a, ("Blues", "Rock"), "jazz"))
    note(backup, Change(song_b, (), "pop"))
    note(backup, Change(song_a, ("jazz",), "metal"))
    expected = [Change(song_a, ("Blues", "Rock"), "metal"), Change(song_b, (), "pop")]
    assert read_backup(backup) == expected
    # Killed while it wrote: the file was not touched, and the next line isn't lost.
    whole = backup.read_bytes()
    backup.write_bytes(whole + b'/music/c.mp3,"[""x')
    note(backup, Change(Path("/music/d.mp3"), (), "pop"))
    assert read_backup(backup)[:2] == expected
    with backup.open(newline="") as file:
        assert next(csv.reader(file)) == ["path", "old", "new", "time"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def model(corpus, tmp_path_factory):
    return trained(corpus, "svm_handcrafted", tmp_path_factory.mktemp("model"))


@pytest.fixture
def music(corpus, tmp_path, monkeypatch):
    """Three songs, one of which has another genre, and one that has the right one."""
    folder = tmp_path / "music"
    folder.mkdir()
    for genre in ("drone", "hiss", "pulse"):
        wave, _ = soundfile.read(corpus.track(f"{genre}/9.wav"))
        soundfile.write(folder / f"{genre}.flac", wave, RATE)
    write_genre(folder / "drone.flac", ["Noise"])
    write_genre(folder / "hiss.flac", ["hiss"])
    monkeypatch.chdir(tmp_path)
    return folder


def run(*arguments):
    done = CliRunner().invoke(app, ["tag", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_nothing_is_written_unless_it_is_asked_for(model, music):
    before = contents(music)
    for more in ([], ["--dry-run"]):
        code, out, err = run("--model", model, music, *more)
        assert code == 0
        drone, hiss, pulse = out.splitlines()
        assert drone.startswith(f"{music / 'drone.flac'}: Noise → drone (")
        assert hiss.startswith(f"{music / 'hiss.flac'}: is hiss (")
        assert pulse.startswith(f"{music / 'pulse.flac'}: no genre → pulse (")
        assert "--write" in err
    assert contents(music) == before
    assert not Path("genreflow-tags.csv").exists()


def test_what_is_written_can_be_undone(model, music):
    before = {path.name: read_genre(path) for path in music.iterdir()}
    code, _, err = run("--model", model, music, "--write")
    assert (code, err) == (0, "")
    assert {path.stem: read_genre(path) for path in music.iterdir()} == {
        genre: (genre,) for genre in ("drone", "hiss", "pulse")
    }
    assert [change.path for change in read_backup(Path("genreflow-tags.csv"))] == [
        music / "drone.flac",
        music / "pulse.flac",
    ]
    assert run("--undo", "genreflow-tags.csv", "--dry-run")[0] == 0
    assert read_genre(music / "drone.flac") == ("drone",)
    code, out, _ = run("--undo", "genreflow-tags.csv")
    assert code == 0
    assert out.splitlines() == [
        f"{music / 'drone.flac'}: Noise",
        f"{music / 'pulse.flac'}: no genre",
    ]
    assert {path.name: read_genre(path) for path in music.iterdir()} == before
    assert run("--undo", "genreflow-tags.csv")[:2] == (0, ""), "there is nothing left to undo"


def test_what_somebody_has_changed_since_is_left_alone(model, music):
    run("--model", model, music, "--write", "--backup", "mine.csv")
    write_genre(music / "drone.flac", ["Drone metal"])
    code, _, err = run("--undo", "mine.csv")
    assert code == 1
    assert "its genre is Drone metal, and drone was written" in err
    assert read_genre(music / "drone.flac") == ("Drone metal",)
    assert read_genre(music / "pulse.flac") == ()


def test_files_that_the_model_is_not_sure_of_are_left_alone(model, music):
    before = contents(music)
    code, out, _ = run("--model", model, music, "--write", "--min-confidence", 1)
    assert code == 0
    assert out.count("unsure, perhaps") == 3
    assert contents(music) == before


def test_without_a_backup_no_file_is_touched(model, music):
    before = contents(music)
    Path("notes.csv").write_text("my notes\n")
    for backup, told in (("notes.csv", "no backup of tags"), ("no/such.csv", "can't be written")):
        code, _, err = run("--model", model, music, "--write", "--backup", backup)
        assert code == 1
        assert told in err
    assert contents(music) == before
    assert Path("notes.csv").read_text() == "my notes\n"
    assert "no backup of tags" in run("--undo", "notes.csv")[2]


@pytest.mark.parametrize(
    "arguments",
    [["--write", "--dry-run", "x"], [], ["--undo", "x", "y"], ["--undo", "x", "--write"]],
)
def test_a_wrong_command_ends_with_2(arguments):
    assert run(*arguments)[0] == 2
