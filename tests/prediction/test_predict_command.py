"""``genreflow predict`` as users, pipes, spreadsheets and impatient people meet it."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from genreflow.cli import app
from genreflow.columns import OF_ANSWERS
from tests.hearing import COMMAND, make_songs, trained
from tests.synthetic_features import GENRES, RATE, make_corpus

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def model(corpus, tmp_path_factory):
    return trained(corpus, "svm_handcrafted", tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def songs(corpus, tmp_path_factory):
    return make_songs(corpus, tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="module")
def long_song(corpus, tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "long.wav"
    waves = [soundfile.read(corpus.track(f"{genre}/9.wav"))[0] for genre in GENRES]
    soundfile.write(path, np.concatenate([np.tile(wave, 15) for wave in waves]), RATE)
    return path


def run(*arguments, stdin=None):
    done = CliRunner().invoke(app, ["predict", *map(str, arguments)], input=stdin)
    return done.exit_code, done.stdout, done.stderr


def table_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_text_names_the_genre_and_how_sure_it_is(corpus, model):
    track = corpus.track("hiss/9.wav")
    code, out, err = run("--model", model, track)
    assert (code, err) == (0, "")
    assert out.startswith(f"{track}: hiss (")
    _, out, _ = run("--model", model, track, "--top", 3)
    named = [part.split()[0] for part in out.removeprefix(f"{track}: ").split(", ")]
    assert named[0] == "hiss"
    assert sorted(named) == sorted(GENRES)


def test_what_cannot_be_used_is_told_apart_and_fails_at_the_end(corpus, model, songs, tmp_path):
    track, missing = corpus.track("hiss/9.wav"), tmp_path / "missing.mp3"
    code, out, err = run("--model", model, missing, songs / "broken.mp3", track)
    assert code == 1
    assert out.count("\n") == 1
    assert out.startswith(f"{track}: hiss")
    lines = err.splitlines()
    assert lines[0] == f"{missing}: can't be opened (No such file or directory)"
    assert lines[1].startswith(f"{songs / 'broken.mp3'}: ")


def test_csv_has_a_row_for_every_file_and_a_column_for_every_genre(model, songs):
    code, out, _ = run("--model", model, songs, "--csv")
    rows = table_of(out)
    assert code == 1
    assert list(rows[0]) == [*OF_ANSWERS, *GENRES]
    assert len(rows) == 41
    by_name = {Path(row["path"]).name: row for row in rows}
    assert by_name["broken.mp3"]["reason"]
    assert by_name["broken.mp3"]["genre"] == by_name["broken.mp3"]["hiss"] == ""
    row = by_name["01.wav"]
    shares = {genre: float(row[genre]) for genre in GENRES}
    assert row["genre"] == max(shares, key=shares.get)
    assert float(row["probability"]) == max(shares.values())
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert float(row["seconds"]) == 1.5
    assert row["model"] == "svm_handcrafted/0"


def test_json_is_an_object_a_line(model, songs):
    _, out, _ = run("--model", model, songs / "01.wav", songs / "broken.mp3", "--json", "--top", 2)
    heard, broken = map(json.loads, out.splitlines())
    assert next(iter(heard["probabilities"])) == heard["genre"]
    assert len(heard["probabilities"]) == 2
    assert heard["probability"] == max(heard["probabilities"].values())
    assert set(broken) == {"path", "reason"}


def test_a_timeline_says_what_changes_in_a_song(model, long_song):
    _, out, _ = run("--model", model, "--timeline", long_song)
    lines = [line.removeprefix(f"{long_song} ") for line in out.splitlines()]
    assert [line.partition(" (")[0] for line in lines] == [
        "0:00-0:30: drone",
        "0:30-1:00: hiss",
        "1:00-1:30: pulse",
    ]
    _, out, _ = run("--model", model, "--timeline", "--csv", long_song)
    rows = table_of(out)
    assert [(row["start"], row["end"]) for row in rows] == [
        ("0.000", "30.000"),
        ("30.000", "60.000"),
        ("60.000", "90.000"),
    ]
    assert [row["genre"] for row in rows] == list(GENRES)
    _, out, _ = run("--model", model, "--timeline", "--json", long_song)
    told = json.loads(out)
    assert [part["genre"] for part in told["timeline"]] == list(GENRES)
    assert told["timeline"][1]["start"] == 30


def test_first_hears_as_much_of_a_file_as_it_says(model, long_song):
    _, out, _ = run("--model", model, "--json", "--first", 30, long_song)
    assert json.loads(out)["seconds"] == 30
    assert json.loads(out)["genre"] == GENRES[0]
    assert json.loads(out)["model"] == "svm_handcrafted/0, first 30 s"


def test_who_is_not_sure_enough_says_so_and_keeps_the_probabilities(model, songs):
    plain = json.loads(run("--model", model, songs / "01.wav", "--json")[1])
    least = plain["probability"] + 0.001
    told = json.loads(
        run("--model", model, songs / "01.wav", "--json", "--min-confidence", least)[1]
    )
    assert told["genre"] == "unsure"
    assert told["probabilities"] == plain["probabilities"]
    _, out, _ = run("--model", model, songs / "01.wav", "--min-confidence", least)
    assert f": unsure ({plain['genre']} " in out


def test_folds_are_averaged(corpus, model, songs, tmp_path):
    for fold in ("0", "1"):
        (tmp_path / "both" / fold).mkdir(parents=True)
        for path in model.iterdir():
            (tmp_path / "both" / fold / path.name).write_bytes(path.read_bytes())
    one = json.loads(run("--model", model, songs / "01.wav", "--json")[1])
    both = json.loads(run("--model", tmp_path / "both", "--folds", songs / "01.wav", "--json")[1])
    assert both["probabilities"] == one["probabilities"]
    assert both["model"] == "both/0+1"


def test_without_a_model_the_message_says_what_makes_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("song.mp3")
    assert (code, out) == (1, "")
    assert err.startswith("error: results/release: ")
    assert "`make run` makes it" in err


@pytest.mark.parametrize(
    "arguments",
    [["--json", "--csv", "x"], [], ["--jobs", "0", "x"], ["--min-confidence", "2", "x"]],
)
def test_a_wrong_command_ends_with_2(arguments):
    assert run(*arguments)[0] == 2


def test_a_list_comes_through_standard_input(model, songs):
    listed = "\n".join(str(songs / name) for name in ("03.wav", "01.wav"))
    _, out, _ = run("--model", model, "-", stdin=listed)
    assert [line.partition(":")[0] for line in out.splitlines()] == listed.splitlines()


def test_several_processes_say_the_same(model, songs):
    _, one, _ = run("--model", model, songs, "--csv")
    done = subprocess.run([*COMMAND, "--model", model, songs, "--csv", "-j2"], capture_output=True)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1, "the broken file, and nothing else"
    assert sorted(done.stdout.decode().splitlines()) == sorted(one.splitlines())


def test_names_that_are_no_text_come_back_as_they_were(model, songs, tmp_path):
    odd = os.fsencode(tmp_path) + b"/a\xff\nb\x1b.wav"
    with open(odd, "wb") as file:  # noqa: PTH123  # a name in bytes
        file.write((songs / "01.wav").read_bytes())
    base = [*COMMAND, "--model", model, odd]
    done = subprocess.run([*base, "--csv"], capture_output=True, check=True)
    assert odd.split(b"/")[-1] in done.stdout
    listed = subprocess.run([*base[:-1], tmp_path, "--csv"], capture_output=True, check=True)
    assert listed.stdout == done.stdout
    done = subprocess.run([*base, "--json"], capture_output=True, check=True)
    assert os.fsencode(json.loads(done.stdout)["path"]) == odd
    done = subprocess.run(base, capture_output=True, check=True)
    assert rb"a\udcff\nb\x1b.wav" in done.stdout


@pytest.mark.parametrize("name", ["svm_handcrafted", "cnn"])
def test_it_is_quiet(corpus, name, songs, tmp_path):
    folder = trained(corpus, name, tmp_path)
    done = subprocess.run(
        [*COMMAND, "--model", folder, songs / "00.wav"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_what_libmpg123_says_of_frames_is_not_shown(model, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE)
    soundfile.write(tmp_path / "song.mp3", noise, RATE)
    damaged = bytearray((tmp_path / "song.mp3").read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 400] = bytes(400)
    (tmp_path / "song.mp3").write_bytes(damaged)
    code = f"import soundfile; soundfile.read({str(tmp_path / 'song.mp3')!r})"
    bare = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    if not bare.stderr:
        pytest.skip("this libsndfile says nothing")
    for more in ([], ["-j2"]):
        done = subprocess.run(
            [*COMMAND, "--model", model, tmp_path / "song.mp3", *more], capture_output=True
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_other_versions_of_libraries_are_one_line(model, songs, tmp_path):
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    facts = json.loads((tmp_path / "model.json").read_text())
    facts["libraries"]["numpy"] = "2.0.0"
    (tmp_path / "model.json").write_text(json.dumps(facts))
    for more in ([], ["-j2"]):
        done = subprocess.run(
            [*COMMAND, "--model", tmp_path, songs / "00.wav", *more], capture_output=True, text=True
        )
        assert done.returncode == 0
        assert done.stderr.count("\n") == 1
        assert "made with numpy 2.0.0" in done.stderr


def test_a_classical_model_needs_no_tensorflow_and_no_plots(model, songs):
    code = (
        "import sys; from typer.testing import CliRunner; from genreflow.cli import app; "
        f"CliRunner().invoke(app, ['predict', '--model', {str(model)!r}, "
        f"{str(songs / '00.wav')!r}]); "
        "print({'tensorflow', 'keras', 'xgboost', 'librosa', 'pyarrow', 'statsmodels', 'numba',"
        " 'altair', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # scikit-learn itself imports pandas, and pandas Arrow, where they are installed.
    assert done.stdout.strip() in (
        "{'sklearn'}",
        "{'pyarrow', 'sklearn'}",
        "{'sklearn', 'pyarrow'}",
    )


def test_a_bar_is_shown_on_a_terminal_and_the_answers_stay_whole(model, songs):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "--model", model, songs], stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        out = process.stdout.read().decode()
        shown = b""
        while True:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert "41/41" in shown.decode(errors="replace")
    assert out.count("\n") == 40
    assert "\x1b" not in out
