from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genreflow.cli import app


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_scan_counts_files_and_what_is_ignored(tmp_path: Path) -> None:
    for name in ("rock/a.wav", "rock/b.mp3", "rock/cover.png", "[r&b]/c.ogg", "README"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    code, out, _ = run("corpus", "scan", tmp_path)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    assert code == 0
    assert ["[r&b]", "1", "0"] in rows
    assert ["rock", "2", "1"] in rows
    assert ["2 genres", "3", "1"] in rows
    assert "Not in any genre: 1 file directly" in out


def test_errors_of_the_user_are_one_line_on_stderr(tmp_path: Path) -> None:
    code, out, err = run("corpus", "scan", tmp_path / "nowhere")
    assert code == 1
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_command_names_what_is_wrong_in_params_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("audio: {sample_rate: fast}")
    code, _, err = run("prune")
    assert code == 1
    assert err.startswith("error: params.yaml can't be used:\n  audio.sample_rate:")


def test_python_m_genreflow_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "genreflow", "--help"], capture_output=True, text=True, check=True
    )
    assert "predict" in done.stdout
    assert "leaderboard" in done.stdout


def test_a_table_of_labels_is_scanned_like_folders(tmp_path: Path) -> None:
    for name in ("1.mp3", "2.mp3", "3.mp3"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "labels.csv").write_text("path,genre\n1.mp3,Folk\n2.mp3,Hip-Hop\n")
    code, out, _ = run("corpus", "scan", tmp_path, "--labels", tmp_path / "labels.csv")
    assert code == 0
    assert "Hip-Hop" in out
    assert ": 2 files" in " ".join(out.split()), "the third track and the table itself"


def test_bugs_keep_their_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(root: Path) -> tuple[str, ...]:
        raise ZeroDivisionError

    monkeypatch.setattr("genreflow.corpus.layout.find_genres", fail)
    result = CliRunner().invoke(app, ["corpus", "scan", str(tmp_path)])
    assert isinstance(result.exception, ZeroDivisionError)


def test_gtzan_does_not_touch_a_folder_that_holds_files(tmp_path: Path) -> None:
    (tmp_path / "mine.wav").write_bytes(b"")
    code, _, err = run("corpus", "gtzan", "--to", tmp_path)
    assert code == 1
    assert "left as it is" in err


def test_help_needs_no_heavy_import() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from genreflow.cli import app; "
        "CliRunner().invoke(app, ['--help']); "
        "print({'numpy', 'pandas', 'sklearn', 'keras', 'librosa'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_mistake_is_one_line_where_files_are_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("audio: {sample_rate: fast}\n")
    code, _, err = run("workflow", "params")
    assert code == 1
    assert err.startswith("error: params.yaml can't be used:\n  audio.sample_rate")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_features_that_are_not_there_are_named_with_what_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("corpus: {labels: labels.csv}")
    (tmp_path / "labels.csv").write_text("path,genre\n")
    code, _, err = run("workflow", "inputs")
    assert code == 1
    assert "results/features/handcrafted/blues.parquet: can't be read" in err
    assert "dvc pull" in err
