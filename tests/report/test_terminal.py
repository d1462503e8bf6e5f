import io

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from genreflow.cli import app
from genreflow.report.results import ReportError
from genreflow.report.terminal import print_leaderboard

ROWS = pd.DataFrame(
    {
        "model": ["xgb_mel", "cnn", "cnn"],
        "level": ["track", "track", "window"],
        "n": [90, 90, 900],
        "accuracy": [0.5, 0.75, 0.7],
        "accuracy_low": [0.4, 0.66, 0.66],
        "accuracy_high": [0.6, 0.84, 0.74],
        "f1_macro": [0.49, 0.74, 0.69],
        "delta_accuracy": [0.0, 0.25, 0.2],
        "p_adjusted": [None, 0.004, None],
        "fit_seconds": [None, 61.2, 61.2],
    }
)


def test_the_best_model_comes_first_and_unknown_values_are_dashes(tmp_path):
    ROWS.to_csv(tmp_path / "comparison.csv", index=False)
    console = Console(width=120, record=True, file=io.StringIO())
    print_leaderboard(tmp_path, console)
    text = console.export_text()
    assert "90 test tracks" in text
    assert text.index("cnn") < text.index("xgb_mel")
    assert text.count("cnn") == 1
    assert "+0.250" in text
    assert "61 s" in text
    assert "–" in text.splitlines()[-4]


WIDTHS = [(120, True, True), (80, True, False), (120, False, False)]


@pytest.mark.parametrize(("width", "known", "shown"), WIDTHS)
def test_robustness_is_shown_where_it_is_known_and_fits(tmp_path, width, known, shown):
    rows = ROWS.assign(robust_accuracy=[0.321, None, None]) if known else ROWS
    rows.to_csv(tmp_path / "comparison.csv", index=False)
    console = Console(width=width, record=True, file=io.StringIO())
    print_leaderboard(tmp_path, console)
    text, _, _ = console.export_text().partition("Report:")
    assert ("robust" in text, "0.321" in text) == (shown, shown)
    assert "61 s" in text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(4.6, "5 s"), (999.4, "999 s"), (999.6, "0.3 h"), (1548, "0.4 h"), (86_400, "24 h")],
)
def test_a_long_training_is_shown_whole_in_80_columns(tmp_path, seconds, shown):
    rows = ROWS.assign(model="xgb_handcrafted", fit_seconds=seconds)
    rows.to_csv(tmp_path / "comparison.csv", index=False)
    console = Console(width=80, record=True, file=io.StringIO())
    print_leaderboard(tmp_path, console)
    text = console.export_text()
    assert f" {shown} │" in text
    assert "…" not in text


def test_without_a_comparison_the_remedy_is_named(tmp_path):
    with pytest.raises(ReportError, match="make run"):
        print_leaderboard(tmp_path, Console())
    result = CliRunner().invoke(app, ["leaderboard", str(tmp_path)])
    assert result.exit_code == 1
    assert "make run" in result.output
