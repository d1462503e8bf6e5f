"""Genres and files are called whatever people call them: no shell, page or spreadsheet minds."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from genreflow import registry
from genreflow.cli import app
from genreflow.columns import OF_ANSWERS
from genreflow.corpus.scan import file_name, list_shards
from genreflow.report import text
from genreflow.report.build import build_report
from genreflow.store.cells import guarded, unguarded
from genreflow.store.files import csv_text, read_csv, write_csv
from genreflow.tracks.listings import read_listing
from genreflow.training import train
from tests.conftest import Project, plan
from tests.synthetic_features import make_corpus
from tests.synthetic_results import evaluate_run, explore_run, make_run

pytestmark = pytest.mark.slow

HOSTILE = (
    "=cmd|' 'C calc'!A0",
    "$(touch made)",
    "`touch made`",
    "<script>alert(1)<",
    "a'b\"c;touch made",
    "two\nlines",
    "tab\tand\r",
    "-rf",
    "--help",
    "%s{}",
    "{genre}",
    "<results>",
    " blanks ",
    "🎷 sàx",
    "\u202eturned",
    "@SUM(1)",
    "~",
    "*",
    "x" * 200,
    "NA",
    "1990",
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
in_tables = names | st.sampled_from(HOSTILE) | st.sampled_from(["'=", "''-1", "'", "'a", "null"])


# Spreadsheets


@given(in_tables)
def test_no_name_is_a_formula_and_each_comes_back_from_its_cell(name):
    cell = guarded(name)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert unguarded(cell) == name
    assert cell == name or cell == f"'{name}"


@given(columns=st.lists(in_tables, min_size=1, max_size=5, unique=True), data=st.data())
def test_a_table_of_any_names_comes_back_from_its_csv(columns, data, tmp_path_factory):
    values = st.lists(in_tables, min_size=3, max_size=3)
    table = pd.DataFrame({name: data.draw(values) for name in columns}, dtype=str)
    path = tmp_path_factory.getbasetemp() / "names.csv"
    write_csv(table, path)
    pd.testing.assert_frame_equal(read_csv(path, names=[guarded(n) for n in columns]), table)
    for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")):
        assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_negative_numbers_stay_numbers():
    table = pd.DataFrame({"model": ["-x"], "delta": [-0.5], "n": [-1], "known": [True]})
    assert csv_text(table) == "model,delta,n,known\n'-x,-0.5,-1,True\n"


def test_a_listing_that_genreflow_wrote_is_read_with_the_names_that_tracks_have(tmp_path):
    path = tmp_path / "groups.csv"
    table = pd.DataFrame({"track_id": ["-rf/=1.wav", "'=x/1.wav"], "group": ["@home", "+44"]})
    write_csv(table, path)
    pd.testing.assert_frame_equal(read_listing(path, "group"), table)
    # And one that people write, who know nothing of apostrophes.
    path.write_text("track_id,group\n-rf/=1.wav,@home\n", encoding="utf-8")
    assert read_listing(path, "group").iloc[0].tolist() == ["-rf/=1.wav", "@home"]


# Files


def test_ordinary_genres_are_files_of_their_own_name():
    for genre in (
        "blues",
        "hip-hop",
        "R&B",
        "Drum + Bass",
        "Blues & Søul",
        "ロック",
        "new_wave 2.0",
    ):
        assert file_name(genre) == genre


@given(names | st.sampled_from(HOSTILE) | st.text("ab{}<>~ '", min_size=1))
def test_files_of_any_genre_have_names_that_nothing_interprets(genre):
    found = file_name(genre)
    assert len(found.encode()) <= 180
    assert not set(found) & set("{}<>$`\"'\\|;*?!#%=,:/@[]^\n\r\t\0\u202e")
    assert found == found.strip()


@given(st.lists(names | st.text("ab~07B ", min_size=1), min_size=2, max_size=30, unique=True))
def test_different_genres_have_different_files(genres):
    assert len(list_shards(genres, 1)) == len(genres)


# Page, cards and tables


class Elements(HTMLParser):
    """Collect a page's scripts, handlers and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.scripts.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> tuple[Path, Path]:
    """Return the folders of two reports: on ordinary genres, and on hostile ones."""
    folders = []
    for kind, genres in (("plain", [f"genre {n}" for n in range(len(HOSTILE))]), ("odd", HOSTILE)):
        run = make_run(
            tmp_path_factory.mktemp(kind) / "results",
            genres=tuple(genres),
            models=("xgb_mel", "svm_handcrafted"),
            n_folds=1,
            tracks_per_genre=4,
            windows=2,
        )
        evaluate_run(run)
        explore_run(run)
        build_report(run.params, run.inputs, run.report)
        folders.append(run.report)
    return folders[0], folders[1]


def test_no_name_becomes_an_element_or_an_attribute_of_the_page(report):
    plain, odd = (Elements((folder / "index.html").read_text("utf-8")) for folder in report)
    assert odd.scripts == plain.scripts
    assert odd.attributes == plain.attributes
    said = " ".join(odd.words)
    for genre in HOSTILE:
        assert " ".join(genre.split()) in " ".join(said.split()), genre


def test_names_in_the_charts_end_no_script(report):
    page = (report[1] / "index.html").read_text("utf-8")
    found = page.split('<script type="application/json" id="charts">')[1].split("</script>")[0]
    assert "<script>alert(1)<" in json.dumps(json.loads(found))


def test_no_name_is_html_or_a_table_of_its_own_in_a_model_card(report):
    for card in (report[1] / "model_cards").glob("*.md"):
        words = card.read_text("utf-8")
        assert not re.search(r"(?<!\\)<(script|results)", words)
        assert not re.search(r"(?<!\\)`touch", words)
        rows = [line for line in words.splitlines() if line.startswith("| ")]
        assert len(rows) >= len(HOSTILE)
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {6, 9}
    assert text.markdown("hip-hop_2 (live)") == "hip-hop_2 (live)"


def test_no_cell_of_any_table_of_a_run_is_a_formula(report):
    tables = [*report[1].parent.rglob("*.csv")]
    assert {"comparison.csv", "confusion.csv", "hardest_tracks.csv"} <= {p.name for p in tables}
    for path in tables:
        for row in csv.reader(io.StringIO(path.read_text("utf-8"), newline="")):
            for cell in row:
                number = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)
                assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), path


def test_predictions_as_csv_hold_no_formula(tmp_path):
    corpus = make_corpus(tmp_path / "corpus", sounds=("drone", "hiss"), genres=("=1+1", "@SUM(1)"))
    model = tmp_path / "model"
    features = corpus.features(*registry.entry("xgb_mel").reads)
    train("xgb_mel", "0", corpus.params, features, corpus.splits, model)
    files = [str(corpus.track("=1+1/0.wav")), "-rf.wav", "=cmd.wav"]
    done = CliRunner().invoke(app, ["predict", "--csv", "--model", str(model), "--", *files])
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[0] == [*OF_ANSWERS, "'=1+1", "'@SUM(1)"]
    assert rows[1][OF_ANSWERS.index("genre")] == "'=1+1"
    assert [row[0] for row in rows[2:]] == ["'-rf.wav", "'=cmd.wav"]


# The two tools


@pytest.mark.workflow
def test_a_corpus_of_hostile_names_runs_through_both_tools(tmp_path):
    """No job more or less than genres, nothing executed, every track there under its name."""
    project = Project.create(
        tmp_path / "project",
        **{
            "corpus.root": "data/{mine} <x>",
            "audio.sample_rate": 8000,
            "tracks.near_duplicates": False,
        },
    )
    noise = np.random.default_rng(0).normal(0, 0.1, (len(HOSTILE), 8000 * 2))
    tracks = []
    for genre, samples, name in zip(HOSTILE, noise, HOSTILE[1:] + HOSTILE[:1], strict=True):
        track = f"{genre}/{name}.wav"
        path = project.folder / "data/{mine} <x>" / track
        path.parent.mkdir(parents=True)
        soundfile.write(path, samples, 8000)
        tracks.append(track)
    assert plan(project).jobs["audio"] == len(HOSTILE)
    project.run("dvc", "repro", "tracks")
    found = pd.read_parquet(project.folder / "results/tracks.parquet")
    assert sorted(found["track_id"]) == sorted(tracks)
    assert set(found["status"]) == {"ok"}
    assert not list(tmp_path.rglob("made"))
    assert plan(project, "tracks").jobs == {}
