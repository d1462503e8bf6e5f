"""``genreflow predict`` interrupted, killed and taken up again; and what memory it takes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from genreflow.cli import app
from genreflow.prediction import batch
from genreflow.prediction.answer import Answer, Part
from genreflow.prediction.batch import BatchError, Source, listening
from genreflow.prediction.inputs import Input
from genreflow.prediction.output import Style, as_csv, csv_lines, header
from genreflow.prediction.resume import Resumed, ResumeError
from tests.hearing import COMMAND, make_songs, trained
from tests.synthetic_features import GENRES, make_corpus

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


def run(*arguments):
    done = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_a_reader_who_has_seen_enough_ends_it_quietly(model, songs):
    for more in ([], ["-j2"]):
        with subprocess.Popen(
            [*COMMAND, "--model", model, songs, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout.readline()
            process.stdout.close()
            err = process.stderr.read()
        assert process.returncode == 141
        assert b"Traceback" not in err
        assert b"Error" not in err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_an_error_that_says_so(model, songs, tmp_path):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [*COMMAND, "--model", model, songs / "00.wav"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert done.stderr == b"error: standard output: can't be written (No space left on device)\n"


def test_without_standard_streams_the_table_is_written_all_the_same(model, songs, tmp_path):
    command = " ".join(
        map(str, [*COMMAND, "--model", model, songs / "00.wav", "--resume", "o.csv"])
    )
    done = subprocess.run(f"{command} >&- 2>&-", shell=True, cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "o.csv").read_text().count("\n") == 2


def started(*arguments):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_it_at_once_and_loses_nothing(model, songs, tmp_path, jobs):
    with started("--model", model, songs, *[songs / "00.wav"], "-j", jobs) as process:
        first = process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert first.startswith(bytes(songs))
    assert all(line.startswith(bytes(songs)) for line in out.splitlines())
    wait_until(lambda: is_gone(process.pid))


@pytest.mark.parametrize("moment", [0, 0.003, 0.01])
def test_ctrl_c_waits_until_the_pool_has_its_locks_back(moment):
    """Wherever it comes in the block, it is raised at the end of it, once."""

    def press():
        time.sleep(moment)
        os.kill(os.getpid(), signal.SIGINT)

    held = []

    def work():
        with batch._undisturbed() as pressed:
            # From here on: before, it would end whoever runs the tests.
            threading.Thread(target=press).start()
            batch._first_done({Future()}, pressed)
            held.append("given back")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert held == ["given back"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_ignores_ctrl_c_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with batch._undisturbed() as pressed:
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert pressed == []
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_is_taken_up_again_and_nothing_is_lost(model, songs, tmp_path, jobs):
    _, expected, _ = run("--model", model, songs, "--csv")
    out = tmp_path / "out.csv"
    arguments = ("--model", model, songs, "--resume", out, "-j", jobs)
    for rows in (4, 12):
        with started(*arguments) as process:
            wait_until(lambda: out.exists() and out.read_bytes().count(b"\n") > rows)  # noqa: B023
            process.kill()
        wait_until(lambda: is_gone(process.pid))  # and so are its workers
        assert out.read_bytes().count(b"\n") < 42, "killed before the end"
    code, shown, _ = run(*arguments[:-2])
    assert code == 1, "a file couldn't be used, whichever run found out"
    assert 0 < shown.count("\n") < 40
    found = out.read_text().splitlines()
    assert found[0] == expected.splitlines()[0]
    assert sorted(found) == sorted(expected.splitlines())
    assert run(*arguments[:-2])[1] == "", "there is nothing left to do"


@pytest.mark.parametrize("timeline", [False, True])
def test_a_table_is_taken_up_wherever_it_was_torn(tmp_path, timeline):
    genres = ("a", 'b"', "path")
    shares = np.array([0.2, 0.5, 0.3])
    answers = [
        Answer(name, genres, (Part(0, 30, shares), Part(30, 40, None), Part(40, 50, shares[::-1])))
        for name in ("one.mp3", 'tw"o\n.mp3', "=three.mp3")
    ]
    answers.append(Answer("four.mp3", genres, reason="is empty, or\nso"))
    style = Style(timeline=timeline, model="m")
    whole = csv_lines([header(genres, style)]) + "".join(as_csv(a, style) for a in answers)
    path = tmp_path / "out.csv"
    for length in range(len(whole.encode()) + 1):
        path.write_bytes(whole.encode()[:length])
        with Resumed(path, genres, style) as table:
            for answer in answers:
                if answer.path not in table.reasons:
                    table.add(answer)
        assert path.read_text() == whole, f"torn after {length} bytes"
    with Resumed(path, genres, style) as table:
        assert table.reasons["one.mp3"] == ""
        if not timeline:
            assert table.reasons["four.mp3"] == "is empty, or\nso"


def test_a_table_of_another_model_or_kind_is_left_as_it_is(model, songs, tmp_path):
    out = tmp_path / "out.csv"
    assert run("--model", model, songs / "00.wav", "--resume", out)[0] == 0
    before = out.read_bytes()
    for more, told in (
        (["--first", 1], "svm_handcrafted/0, first 1 s"),
        (["--min-confidence", 0.5], "unsure below 0.5"),
        (["--timeline"], "has the columns"),
    ):
        code, _, err = run("--model", model, songs / "01.wav", "--resume", out, *more)
        assert code == 1
        assert told in err
    out.with_name("notes.csv").write_text("my notes\n")
    code, _, err = run("--model", model, songs / "01.wav", "--resume", out.with_name("notes.csv"))
    assert code == 1
    assert "notes.csv: has the columns my notes" in err
    assert out.with_name("notes.csv").read_text() == "my notes\n"
    assert out.read_bytes() == before
    with pytest.raises(ResumeError, match="can't be written"):
        Resumed(tmp_path / "missing" / "out.csv", GENRES, Style())


def test_a_process_that_the_system_ends_is_an_error_that_says_so(model, songs):
    paths = [Input(str(path)) for path in sorted(songs.glob("*.wav"))]
    with listening(Source(str(model)), 2) as listener:
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises(BatchError, match="take fewer --jobs"):
            list(listener.answers(paths))


def test_memory_does_not_grow_with_a_file(model, tmp_path):
    code = (
        "import sys, resource; from genreflow.prediction.load import load; "
        "load(sys.argv[1]).hear(sys.argv[2]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for minutes in (2, 20):
        path = tmp_path / f"{minutes}.wav"
        rng = np.random.default_rng(0)
        with soundfile.SoundFile(path, "w", 22050, 1) as file:
            for _ in range(minutes):
                file.write(rng.uniform(-0.5, 0.5, 60 * 22050).astype(np.float32))
        done = subprocess.run(
            [sys.executable, "-c", code, model, path], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout) * (1 if sys.platform == "darwin" else 1024) / 1e6)
    # Twenty minutes are 53 MB as the file has them, and 106 MB as floats.
    assert peaks[1] < peaks[0] + 25
