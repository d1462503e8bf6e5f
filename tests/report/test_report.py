"""The report: tables, words, page and model cards, on invented results."""

from __future__ import annotations

import json
import re
import struct
import zlib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genreflow import registry
from genreflow.params import Params
from genreflow.registry.changes import CHANGES, CLEAN
from genreflow.report import (
    answer,
    artists,
    chain,
    corpus_facts,
    pairs,
    png,
    provenance,
    robustness,
    text,
)
from genreflow.report.audit import describe_audit
from genreflow.report.build import build_report
from genreflow.report.costs import read_costs, read_steps
from genreflow.report.results import Inputs, ReportError, Results, read_results
from genreflow.report.tables import CONTRACT, comparison
from genreflow.report.unknown import describe_unknown
from genreflow.store.files import read_json, write_csv, write_json
from genreflow.store.stamp import StaleArtifactError
from genreflow.tracks.pieces import PATTERN, find_pieces
from tests.synthetic_results import (
    FEATURES,
    GENRES,
    Run,
    chain_found,
    evaluate_run,
    explore_run,
    invent_robustness,
    make_run,
    unknown_found,
)

pytestmark = pytest.mark.slow


def finished(results: Path, **options: object) -> Run:
    """Return a run of which the report alone is missing."""
    run = make_run(results, **options)  # type: ignore[arg-type]
    evaluate_run(run)
    explore_run(run)
    return run


def page_of(run: Run) -> str:
    build_report(run.params, run.inputs, run.report)
    page = (run.report / "index.html").read_text(encoding="utf-8")
    return page.replace("\u00a0%", " %")  # no line of the answer ends between them


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = finished(tmp_path_factory.mktemp("report") / "results", tracks_per_genre=6, windows=3)
    build_report(made.params, made.inputs, made.report)
    return made


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return (run.report / "index.html").read_text(encoding="utf-8")


class Attributes(HTMLParser):
    """Collect what the elements of a page point at, and their ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")


def test_comparison_has_the_contract_columns_first(run: Run) -> None:
    table = pd.read_csv(run.report / "comparison.csv")
    assert list(table.columns[: len(CONTRACT)]) == CONTRACT


def test_comparison_has_a_row_per_model_and_level_best_first(run: Run) -> None:
    table = pd.read_csv(run.report / "comparison.csv")
    track = table[table["level"] == "track"]
    assert set(track["model"]) == {*run.models, "ensemble"}
    assert track["accuracy"].is_monotonic_decreasing
    windows = set(table.loc[table["level"] == "window", "model"])
    assert windows == {m for m in run.models if not m.endswith("_handcrafted")}


def test_comparison_equals_metrics_json(run: Run) -> None:
    metrics = json.loads((run.report / "metrics.json").read_text())
    table = pd.read_csv(run.report / "comparison.csv")
    for row in table.to_dict("records"):
        of_row = metrics[row["model"]][row["level"]]
        for name in ("n", "accuracy", "accuracy_low", "f1_macro", "delta_accuracy", "p_adjusted"):
            if name in of_row:
                assert row[name] == pytest.approx(of_row[name])
            else:
                assert np.isnan(row[name])


def test_the_page_and_the_card_show_calibration_before_and_after(run: Run, page: str) -> None:
    metrics = read_json(run.evaluation / "metrics.json")
    for model in (*run.models, "ensemble"):
        before, after = (f"{metrics[model]['track'][k]:.3f}" for k in ("ece", "ece_calibrated"))
        assert f"<b>{model}</b> <span>ECE {before} → {after}</span>" in page
    assert "the set is closed" in page
    card = (run.report / "model_cards" / "cnn.md").read_text()
    ece = metrics["cnn"]["track"]["ece_calibrated"]
    assert f"the ECE of tracks is {ece:.3f}." in card
    assert "closed set" in card
    table = pd.read_csv(run.report / "comparison.csv")
    of_cnn = table[table["model"] == "cnn"].set_index("level")["ece_calibrated"]
    assert of_cnn["track"] == pytest.approx(ece)
    assert np.isnan(of_cnn["window"])


def test_the_page_says_what_models_make_of_music_of_no_genre_they_know(tmp_path: Path) -> None:
    made = finished(tmp_path, tracks_per_genre=6, windows=3)
    without = page_of(made)
    assert "The genres are a closed set" in without
    assert "0.690 for the confidence of svm_handcrafted" in without
    assert "0.640 for familiarity" in without
    assert "Sounds of no genre" not in without
    write_json(unknown_found(GENRES, strangers=["<i>speech"]), made.unknown)
    html = page_of(made)
    assert "Sounds of no genre" in html
    assert "&lt;i&gt;speech" in html
    assert "<i>speech" not in html
    assert '<td class="number" data-value="0.8">0.800 (70.0 %)</td>' in html
    write_json({"skipped": "unknown.enabled is false"}, made.unknown)
    assert "Not measured (unknown.enabled is false)." in page_of(made)


@pytest.mark.parametrize(("auroc", "said"), [(0.55, "hardly tells"), (0.8, "no proof")])
def test_the_summary_says_no_more_than_was_found(run: Run, auroc: float, said: str) -> None:
    found = unknown_found(GENRES)
    for of_model in found["models"].values():
        of_model["auroc"] = auroc
    results = read_results(run.params, run.inputs)
    results.__dict__["unknown"] = found
    assert said in describe_unknown(results)["summary"]


def test_costs_count_only_with_the_predictions_they_belong_to(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results", models=("xgb_mel", "cnn"), n_folds=1, windows=2)
    evaluate_run(run)
    timing = run.results / "benchmarks" / "train_cnn" / "0.json"
    write_json(read_json(timing) | {"predictions_sha256": "0" * 64}, timing)
    results = read_results(run.params, run.inputs)
    costs = read_costs(results)
    assert costs["cnn"].fit_seconds is None
    assert costs["cnn"].parameters == 3000
    assert costs["xgb_mel"].fit_seconds is not None
    assert costs["ensemble"].fit_seconds is None
    table = comparison(results, costs).set_index(["model", "level"])
    assert np.isnan(table.loc[("cnn", "track"), "fit_seconds"])


def test_cost_of_a_model_is_the_mean_of_its_folds_and_the_largest_memory(run: Run) -> None:
    timings = [read_json(path) for path in run.costs if path.parent.name == "train_lstm"]
    cost = read_costs(read_results(run.params, run.inputs))["lstm"]
    assert cost.fit_seconds == pytest.approx(np.mean([t["fit_seconds"] for t in timings]))
    assert cost.peak_rss_mb == max(t["peak_rss_mb"] for t in timings)
    assert cost.predict_ms_per_track == pytest.approx(
        1000 * sum(t["predict_seconds"] for t in timings) / (60 * len(timings))
    )


def test_markdown_tables_are_well_formed(run: Run) -> None:
    markdown = (run.report / "comparison.md").read_text()
    tables = re.findall(r"(?:^\|.*\|$\n?)+", markdown, flags=re.MULTILINE)
    assert len(tables) == 2
    for table in tables:
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1


def test_page_needs_nothing_but_itself(page: str) -> None:
    found = Attributes(page)
    assert all(link.startswith(("#", "data:")) for link in found.links)
    css = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in css
    assert "@import" not in css


def test_links_within_the_page_lead_somewhere(page: str) -> None:
    found = Attributes(page)
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))


def test_page_has_a_place_for_every_chart(page: str) -> None:
    json_text = page.split('<script type="application/json" id="charts">')[1].split("</script>")[0]
    charts = json.loads(json_text)["specs"]
    assert set(charts) <= set(Attributes(page).ids)
    drawn = {"chart-genres", "chart-map", "chart-cost", "chart-curve-cnn"}
    assert drawn | {"chart-gain-xgb_handcrafted"} <= set(charts)


def test_what_comes_from_files_is_escaped(page: str) -> None:
    assert "no audio could be decoded &lt;b&gt;here&lt;/b&gt;" in page
    assert "<b>here</b>" not in page


def test_page_stays_small(page: str) -> None:
    assert len(page.encode()) < 10_000_000


def test_every_model_has_a_card(run: Run) -> None:
    cards = {path.stem for path in (run.report / "model_cards").glob("*.md")}
    assert cards == set(run.models)
    card = (run.report / "model_cards" / "cnn.md").read_text()
    assert "learning_rate" in card
    assert all(genre in card for genre in GENRES)


def test_what_was_not_measured_here_is_a_dash(tmp_path: Path) -> None:
    run = finished(
        tmp_path / "results", models=("xgb_mel", "svm_handcrafted"), n_folds=1, windows=2
    )
    for path in run.costs:
        write_json({}, path)
    html = page_of(run)
    assert "– : not measured, for instance because the model came from a cache" in html
    assert 'id="chart-cost"' not in html
    assert ">–</td>" in html.split('<section id="cost"')[1].split("</section>")[0]
    table = pd.read_csv(run.report / "comparison.csv")
    assert table["fit_seconds"].isna().all()
    assert table["parameters"].notna().all()


def test_models_that_train_in_one_go_have_no_learning_curves(tmp_path: Path) -> None:
    html = page_of(finished(tmp_path / "results", models=("svm_mel",), n_folds=1, windows=2))
    assert "Learning curves" not in html
    assert "What was tuned" in html


def test_one_fold_has_no_spread(tmp_path: Path) -> None:
    html = page_of(finished(tmp_path / "results", models=("xgb_mel",), n_folds=1, windows=2))
    assert "there is no spread over folds" in html


def test_a_single_model_without_the_baseline_still_makes_a_page(tmp_path: Path) -> None:
    html = page_of(finished(tmp_path / "results", models=("cnn",), n_folds=1, windows=2))
    assert "The baseline xgb_mel was not trained" in html


def test_every_cost_counts_for_its_step(run: Run) -> None:
    steps = read_steps(read_results(run.params, run.inputs)).set_index("step")
    assert steps.loc["audio", "jobs"] == len(GENRES)
    assert steps.loc["splits", "jobs"] == 1
    assert steps.loc["train_cnn", "jobs"] == 5
    of_cnn = [read_json(path) for path in run.costs if path.parent.name == "train_cnn"]
    assert steps.loc["train_cnn", "seconds"] == pytest.approx(sum(c["seconds"] for c in of_cnn))
    assert steps.loc["train_cnn", "peak_rss_mb"] == max(c["peak_rss_mb"] for c in of_cnn)


def test_the_page_says_what_grid_searches_chose(run: Run, page: str) -> None:
    grid = pd.read_csv(run.trained["cv.csv"]["svm_handcrafted"][0]).sort_values("rank").iloc[0]
    learning = page.split('<section id="learning"')[1].split("</section>")[0]
    assert f"C {json.loads(grid['params'])['C']:.3g}, selected_fraction 0.5" in learning


def test_correlations_are_drawn_and_read_out_as_they_were_computed(run: Run, page: str) -> None:
    correlations = read_results(run.params, run.inputs).explored("correlations.parquet")
    found = re.search('data-names="([^"]*)" data-values="([^"]*)"', page)
    assert found is not None
    assert found[1].split() == list(correlations.columns)
    values = np.frombuffer(b64decode(found[2]), np.int8).reshape(len(FEATURES), -1) / 100
    assert np.abs(values - correlations.to_numpy()).max() <= 0.0051


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("small") / "results"
    return finished(folder, models=("xgb_mel", "xgb_handcrafted"), n_folds=1, windows=2)


@pytest.mark.parametrize(
    "name",
    [
        "evaluation/grids.csv",
        "evaluation/importances.csv",
        "evaluation/models.json",
        "evaluation/duplicates.json",
        "evaluation/robustness.csv",
        "exploration/anova.csv",
        "exploration/maps.csv",
        "exploration/correlations.parquet",
        "exploration/examples.parquet",
        "naive.json",
    ],
)
def test_a_missing_table_is_named_with_what_to_do(small: Run, name: str, tmp_path: Path) -> None:
    kept = (small.results / name).rename(tmp_path / "kept")
    try:
        with pytest.raises(ReportError, match=rf"{name}: no such file; rerun `snakemake`"):
            build_report(small.params, small.inputs, tmp_path / "report")
    finally:
        kept.rename(small.results / name)


def test_an_exploration_by_other_parameters_is_refused(small: Run, tmp_path: Path) -> None:
    exploration = small.params.exploration.model_copy(update={"seed": 7})
    other = small.params.model_copy(update={"exploration": exploration})
    with pytest.raises(StaleArtifactError, match=r"exploration\.seed=0 but .*exploration\.seed=7"):
        build_report(other, small.inputs, tmp_path / "report")


def test_without_an_evaluation_the_error_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="rule evaluate"):
        build_report(Params(), Inputs(*[tmp_path] * 9), tmp_path / "report")


def with_metrics(run: Run, changes: dict[str, dict[str, float]]) -> Results:
    results = read_results(run.params, run.inputs)
    for model, values in changes.items():
        results.metrics[model]["track"] |= values
    return results


def test_a_lead_that_may_be_chance_is_called_that(run: Run) -> None:
    results = read_results(run.params, run.inputs)
    best = results.trained[0]
    everyone = {m: {"p_adjusted": 0.4} for m in results.trained if m != "xgb_mel"}
    words = answer.plain_answer(with_metrics(run, everyone))
    assert words.startswith(f"{best} is the most accurate model")
    assert "not significant (p = 0.40" in words
    assert "could be chance" in words


def test_a_significant_lead_is_called_that(run: Run) -> None:
    results = read_results(run.params, run.inputs)
    best = results.trained[0]
    words = answer.plain_answer(
        with_metrics(run, {best: {"p_adjusted": 0.0004, "delta_accuracy": 0.2}})
    )
    assert "a significant difference (p < 0.001" in words


def test_a_baseline_that_wins_is_called_the_baseline(run: Run) -> None:
    words = answer.plain_answer(with_metrics(run, {"xgb_mel": {"accuracy": 0.999}}))
    assert words.startswith("xgb_mel is the most accurate model: 99.9 %")
    assert "It is the baseline itself" in words


def test_models_that_are_right_equally_often_share_the_headline(run: Run) -> None:
    same = {model: {"accuracy": 0.9} for model in ("cnn", "lstm")}
    results = with_metrics(run, same | {"xgb_mel": {"accuracy": 0.8}})
    (best, second, *_), *_ = results.kinds
    words = answer.plain_answer(results)
    assert {best, second} == {"cnn", "lstm"}
    assert words.startswith(f"{best} and {second} are the most accurate models: 90.0 % of the test")
    assert f"As accurate as {best} is {second} (90.0 %): " in words
    assert "runner-up" not in words


def test_an_ensemble_never_wins_the_headline(run: Run) -> None:
    words = answer.headline(with_metrics(run, {"ensemble": {"accuracy": 1.0}}))
    assert not words.startswith("ensemble")


@pytest.mark.parametrize(
    ("write", "value", "expected"),
    [
        (text.percent, 0.8123, "81.2 %"),
        (text.percent, None, "–"),
        (text.percent, float("nan"), "–"),
        (text.points, -0.1, "−10.0"),
        (text.points, -0.0001, "0.0"),
        (text.p_value, 0.0, "< 0.001"),
        (text.p_value, 0.0421, "0.042"),
        (text.p_value, 0.446, "0.45"),
        (text.integer, 1234567, "1\u202f234\u202f567"),
        (text.number, 0.1234, "0.12"),
        (text.number, 45.67, "45.7"),
        (text.duration, 0.123, "0.12 s"),
        (text.duration, 750, "12.5 min"),
        (text.duration, 11160, "3.1 h"),
    ],
)
def test_numbers_are_written_for_readers(write, value, expected) -> None:  # type: ignore[no-untyped-def]
    assert write(value) == expected


def test_png_holds_the_pixels_it_was_given() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    data = b64decode(png.data_url(pixels, png.heat_palette()).split(",")[1])
    chunks = {}
    at = 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        (checksum,) = struct.unpack(">I", data[at + 8 + size : at + 12 + size])
        assert checksum == zlib.crc32(kind + content)
        chunks[kind] = content
        at += 12 + size
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (4, 3)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(3, 5)
    assert (rows[:, 0] == 0).all()
    assert (rows[:, 1:] == pixels).all()


def test_heat_palette_rises_in_lightness() -> None:
    lightness = png.heat_palette()[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > -0.5).all()


def test_corpus_fingerprint_ignores_order_and_notices_content(run: Run) -> None:
    tracks = read_results(run.params, run.inputs).tracks
    same = provenance.corpus_fingerprint(tracks.sample(frac=1, random_state=0))
    assert same == provenance.corpus_fingerprint(tracks)
    other = tracks.assign(source_sha256=tracks["source_sha256"].str[::-1])
    assert provenance.corpus_fingerprint(other) != same


def test_changed_parameters_are_listed_with_their_default(run: Run) -> None:
    found = provenance.collect(read_results(run.params, run.inputs))
    assert ("splits.strategy", "kfold", "holdout") in found.changed
    assert all(fold["train"] + fold["valid"] + fold["test"] == 60 for fold in found.folds)


@pytest.mark.parametrize(
    ("status", "missing"),
    [
        ("", None),
        (" M params.yaml", None),
        (" M data/groups.csv\n M params.yaml\n?? my notes.csv", "data/groups.csv, my notes.csv"),
    ],
)
def test_the_page_says_all_that_it_takes_to_reproduce_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, missing: str | None
) -> None:
    monkeypatch.setattr(
        provenance, "_git", lambda *asked: status if asked[0] == "status" else "0123abcd"
    )
    build_report(run.params, run.inputs, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    recipe = page.partition("Reproduce it")[2].partition("<code>")[2].partition("</code>")[0]
    steps = [line.partition("   ")[0] for line in recipe.splitlines()]
    assert steps == [
        "git checkout 0123abcd",
        "# put the parameters below into params.yaml",
        *([f"# bring back what was not committed: {missing}"] if missing else []),
        "make run",
    ]


def test_groups_of_more_than_five_copies_are_named_with_the_parameter(run: Run) -> None:
    results = read_results(run.params, run.inputs)
    assert "more than 5 tracks" not in describe_audit(results)["summary"]
    group = results.duplicates["groups"][0]
    group["tracks"] = [group["tracks"][0] | {"track_id": f"a/{n}.wav"} for n in range(8)]
    summary = describe_audit(results)["summary"]
    assert "1 group holds more than 5 tracks: a/0.wav (8 tracks)." in summary
    assert "raise tracks.min_correlation (0.45)" in summary


def test_the_audit_says_what_was_not_looked_for(run: Run) -> None:
    results = read_results(run.params, run.inputs)
    assert "another level, offset or codec)" in describe_audit(results)["summary"]
    params = run.params.model_copy(
        update={"tracks": run.params.tracks.model_copy(update={"near_duplicates": False})}
    )
    summary = describe_audit(replace(results, params=params))["summary"]
    assert "was not looked for (tracks.near_duplicates: false)" in summary
    results.duplicates["n_groups"] = 0
    assert describe_audit(results)["summary"].startswith("No recording occurs twice")
    none = replace(results, params=params)
    none.duplicates["n_groups"] = 0
    assert describe_audit(none)["summary"].startswith("No two tracks have equal samples.")


def test_the_page_says_what_every_model_was_tuned_by(page: str, run: Run) -> None:
    start = page.index("What was tuned")
    listed = page[start : page.index("</ul>", start)]
    for model in run.models:
        assert f"<code>{model}</code>: {registry.entry(model).tuned}" in listed


def test_the_page_shows_the_epoch_that_was_kept(page: str) -> None:
    assert "kept epochs 12–12 of up to 20" in page


@pytest.mark.parametrize(
    ("n_grouped", "said"),
    [
        (0, "No artists are known (data/groups.csv lists none)"),
        (60, "Artists are kept apart, as far as data/groups.csv lists them (60 tracks)"),
        (59, "59 tracks; 1 track has no known artist and stands alone"),
    ],
)
def test_page_answer_and_audit_say_whether_artists_are_kept_apart(
    n_grouped: int, said: str, run: Run
) -> None:
    results = replace(read_results(run.params, run.inputs), n_grouped=n_grouped)
    assert said in answer.plain_answer(results)
    assert said in artists.for_the_audit(results)
    assert artists.artists_known(results) == (n_grouped > 0)


def test_what_a_pattern_captures_is_not_taken_for_artists(run: Run) -> None:
    results = replace(
        read_results(run.params, run.inputs),
        n_grouped=60,
        groups="corpus.group_pattern",
        groups_are_artists=False,
    )
    assert not artists.artists_known(results)
    said = artists.for_the_audit(results)
    assert "kept apart, as corpus.group_pattern finds them (60 tracks)" in said
    assert "List artists or albums in data/groups.csv" in said


def test_pieces_that_nothing_keeps_together_are_told_with_the_setting(run: Run) -> None:
    pieces = find_pieces(f"a/{song}.{n}.wav" for song in ("x", "y") for n in range(3))
    assert pieces is not None
    results = replace(read_results(run.params, run.inputs), pieces=pieces.facts())
    said = describe_audit(results)["pieces"]
    assert said["said"].startswith("2 names with 3 numbered parts each, such as a/x.…: parts of")
    assert said["setting"] == f"corpus.group_pattern: '{PATTERN}'"
    assert describe_audit(read_results(run.params, run.inputs))["pieces"] is None


def test_the_page_asks_whether_names_are_pieces(page: str, tmp_path: Path) -> None:
    pieces = find_pieces(f"a/<i>{song}.{n}.wav" for song in "xy" for n in range(3))
    assert pieces is not None
    html = page_of(finished(tmp_path, pieces=pieces.facts(), tracks_per_genre=6, windows=3))
    assert "such as a/&lt;i&gt;x.…: parts of one recording?" in html
    assert "parts of one recording?" not in page


def test_several_sources_of_groups_are_named(run: Run) -> None:
    both = "data/groups.csv and data/labels.csv"
    results = replace(read_results(run.params, run.inputs), n_grouped=60, groups=both)
    assert f"as far as {both} list them" in answer.plain_answer(results)


def test_the_demo_says_that_it_knows_its_bands(run: Run) -> None:
    results = replace(read_results(run.params, run.inputs), n_grouped=60, groups="")
    assert "each of the demo's bands" in answer.plain_answer(results)


def test_what_ignoring_artists_would_claim_stands_beside_the_headline(tmp_path: Path) -> None:
    made = finished(tmp_path, n_grouped=60)
    html = page_of(made)
    results = read_results(made.params, made.inputs)
    honest = 100 * results.track("svm_handcrafted")["accuracy"]
    assert "Ignoring artists would have claimed" in answer.plain_answer(results)
    assert f"svm_handcrafted 90.0 % instead of {honest:.1f} %" in answer.plain_answer(results)
    for label in ("xgb_mel, artists ignored", "xgb_mel, artists apart"):
        assert label in html


def test_files_set_aside_and_ignored_are_counted(run: Run) -> None:
    results = read_results(run.params, run.inputs)
    results.tracks_stamp.facts["ignored"] = ["jazz/cover.jpg"]
    told = dict(corpus_facts.corpus_facts(results))["Set aside"]
    assert told.endswith("; 1 file ignored: no audio, or not in a table of labels")


def test_where_ignoring_artists_changes_nothing_the_answer_says_so(tmp_path: Path) -> None:
    made = finished(tmp_path, n_grouped=60)
    results = read_results(made.params, made.inputs)
    claims = artists.claimed(results)
    for model, claim in claims.items():
        claim["accuracy"] = results.track(model)["accuracy"]
    said = " and ".join(f"{m} ({text.percent(c['accuracy'])})" for m, c in claims.items())
    assert artists.ignored(results) == [f"Ignoring artists would have claimed the same of {said}."]


def test_what_was_not_tried_is_named(tmp_path: Path) -> None:
    made = finished(tmp_path)
    off = {name: {"enabled": False} for name in ("naive", "ungrouped", "chain_audit")}
    params = Params.model_validate(made.params.model_dump() | off)
    write_json({"skipped": "naive.enabled is false"}, made.naive)
    write_json({"skipped": "chain_audit.enabled is false"}, made.chain)
    html = page_of(replace(made, params=params))
    said = "naive.enabled: false, ungrouped.enabled: false and chain_audit.enabled: false"
    assert f"Not tried ({said})." in html
    assert "constant offset alone" not in html
    assert "naive protocol would have claimed" not in html


def test_a_chain_that_tells_the_genre_is_warned_of_with_what_gave_it_away(tmp_path: Path) -> None:
    made = finished(tmp_path, tracks_per_genre=6, windows=3)
    write_json(chain_found(GENRES, told=True), made.chain)
    results = read_results(made.params, made.inputs)
    said = answer.plain_answer(results)
    assert "better than chance: balanced accuracy 40.0 %, chance 10.0 %" in said
    assert "by bandwidth and format. So models may know recordings" in said
    html = page_of(made)
    assert '<span class="tag warn">recording chain</span>' in html
    assert "clearly more than chance (p = 0.010, groups permuted)" in html
    assert "<small>alone 30.0 %</small>" in html
    assert "<td>8.25 kHz</td><td>MPEG/&lt;i&gt; (75 %)</td>" in html
    assert "Constant offset" not in html, "it gained nothing"
    assert "audio.augment" in html


def test_no_line_of_the_answer_ends_before_a_percent_sign(run: Run) -> None:
    build_report(run.params, run.inputs, run.report)
    page = (run.report / "index.html").read_text(encoding="utf-8")
    said = page[page.index("<h1") : page.index('<section id="leaderboard"')]
    sentences = re.findall(r"<(?:h1|p)\b[^>]*>(.*?)</(?:h1|p)>", said)
    assert sum("\u00a0%" in one for one in sentences) > 2
    assert not [one for one in sentences if " %" in one]


def test_a_chain_that_tells_a_little_is_not_called_chance(tmp_path: Path) -> None:
    made = finished(tmp_path, tracks_per_genre=6, windows=3)
    found = chain_found(GENRES)
    found["chain"] |= {"balanced_accuracy": 0.155, "low": 0.107, "high": 0.22, "p_value": 0.01}
    write_json(found, made.chain)
    assert chain.warning(read_results(made.params, made.inputs)) == []
    html = page_of(made)
    assert "That is more than chance (p = 0.010, groups permuted), but perhaps by so little" in html
    assert "not clearly more" not in html


def test_a_chain_that_chance_explains_is_one_sentence(page: str, run: Run) -> None:
    results = read_results(run.params, run.inputs)
    assert chain.warning(results) == []
    assert "not clearly more than chance (p = 0.40, groups permuted)" in page
    assert "recording chain</span>" not in page
    assert "audio.augment" not in page


def test_files_that_differ_in_nothing_are_said_to_have_come_the_same_way(run: Run) -> None:
    found = chain_found(GENRES)
    same = found | {"chain": {**found["chain"], "traces": []}}
    results = read_results(run.params, run.inputs)
    vars(results)["chain"] = same
    said = chain.describe_chain(results)
    assert said is not None
    assert said["summary"].startswith("Every track came the same way")


def test_models_that_cannot_be_told_apart_are_named(run: Run) -> None:
    results = read_results(run.params, run.inputs)
    found = results.table("pairs")
    apart = {
        frozenset(pair)
        for pair in zip(found["model"], found["other"], strict=True)
        if found.set_index(["model", "other"])["p_adjusted"][pair] < 0.05
    }
    names = pairs.in_short(results)
    for run_of_models in names.rstrip(".").partition(": ")[2].split("; "):
        members = run_of_models.replace(" and ", ", ").split(", ")
        assert not any(frozenset(pair) in apart for pair in combinations(members, 2))
    best = results.trained[0]
    alike = pairs.rivals(results, results.trained)
    assert all(frozenset((best, rival)) not in apart for rival in alike)


@pytest.mark.parametrize(
    ("models", "apart", "runs"),
    [
        ("abcd", ["ac", "ad", "bd"], ["ab", "bc", "cd"]),
        ("abcd", [], ["abcd"]),
        ("abc", ["ab", "ac", "bc"], []),
        ("abcd", ["ad"], ["abc", "bcd"]),
    ],
)
def test_runs_of_models_that_are_alike_are_the_longest(
    models: str, apart: list[str], runs: list[str]
) -> None:
    found = pairs._alike(list(models), {frozenset(pair) for pair in apart})
    assert ["".join(run) for run in found] == runs


def test_every_pair_is_shown_from_both_sides(page: str, run: Run) -> None:
    results = read_results(run.params, run.inputs)
    rows = {row["model"]: row["cells"] for row in pairs.matrix(results)}
    assert list(rows) == results.models
    for i, model in enumerate(results.models):
        assert rows[model][i] is None
        for j, other in enumerate(results.models[:i]):
            there, here = rows[other][i]["delta"], rows[model][j]["delta"]
            assert {there, here} == {"0.0"} or (there[1:] == here[1:] and there[0] != here[0])
            assert rows[other][i]["p"] == rows[model][j]["p"]
    assert 'class="pairs"' in page


def test_several_runs_show_their_spread_in_table_and_leaderboard(tmp_path: Path) -> None:
    made = finished(tmp_path, models=("svm_handcrafted", "xgb_mel"), n_folds=3, repeats=2, seeds=2)
    html = page_of(made)
    assert "Luck, apart." in html
    spread = read_results(made.params, made.inputs).track("xgb_mel")
    assert f"± {100 * spread['sd_repeats']:.1f} by split" in html
    assert f"± {100 * spread['sd_seeds']:.1f} by seed" in html
    table = pd.read_csv(made.report / "comparison.csv").set_index(["model", "level"])
    assert table.loc[("xgb_mel", "track"), "sd_seeds"] == pytest.approx(spread["sd_seeds"])


@pytest.mark.parametrize(
    "shape",
    [
        {"models": ("xgb_mel",), "n_folds": 1},
        {"models": ("xgb_mel",), "n_folds": 3, "seeds": 2},
        {"models": ("xgb_mel", "cnn"), "n_folds": 1, "repeats": 3},
        {"models": ("xgb_mel", "svm_mel"), "n_folds": 2, "genres": ("seed", "fold")},
    ],
    ids=str,
)
def test_a_page_comes_of_every_shape_of_run(shape: dict[str, Any], tmp_path: Path) -> None:
    made = finished(tmp_path, tracks_per_genre=6, windows=2, **shape)
    assert "Leaderboard" in page_of(made)


def test_one_run_shows_no_spread(page: str) -> None:
    assert "Luck, apart." not in page


def test_test_tracks_per_genre_and_fold_are_counted(run: Run, page: str) -> None:
    results = read_results(run.params, run.inputs)
    balance = corpus_facts.fold_balance(results)
    assert [genre for genre, _ in balance] == sorted(results.genres)
    assert sum(sum(counts) for _, counts in balance) == len(
        results.splits[results.splits["role"] == "test"]
    )
    assert "Test tracks per genre and fold" in page


def test_a_learning_curve_says_what_more_data_did(tmp_path: Path) -> None:
    made = finished(tmp_path, models=("svm_handcrafted", "xgb_mel"))
    points = [
        {"model": model, "fraction": f, "n": 60, "n_train": 40 * f, "accuracy": 0.4 + 0.2 * f}
        | {"low": 0.3, "high": 0.7}
        for model in ("svm_handcrafted", "xgb_mel")
        for f in (0.5, 1.0)
    ]
    write_json({"points": points}, made.corpus_size)
    html = page_of(made)
    assert "+10.0 points for svm_handcrafted and +10.0 points for xgb_mel" in html
    assert '"chart-size"' in html


def test_a_curve_without_intervals_is_drawn_all_the_same(tmp_path: Path) -> None:
    made = finished(tmp_path, models=("xgb_mel",))
    point = {"model": "xgb_mel", "n": 6, "n_train": 20, "accuracy": 0.5}
    write_json({"points": [point | {"fraction": f} for f in (0.5, 1.0)]}, made.corpus_size)
    assert '"chart-size"' in page_of(made)


def test_with_several_seeds_it_says_which_of_them_speaks_and_counts_decisions(
    tmp_path: Path,
) -> None:
    made = finished(tmp_path, models=("xgb_mel", "cnn"), n_folds=3, seeds=11)
    page_of(made)
    said = answer.plain_answer(read_results(made.params, made.inputs))
    assert said.count("(first seeds alone)") == 2
    card = (made.report / "model_cards/cnn.md").read_text(encoding="utf-8")
    # Ten test tracks of a genre, eleven times.
    assert re.search(r"\| blues \|.*\| 110 \|", card)
    assert "| F1 | decisions |" in card
    assert card.index("'0.2'") < card.index("'0.10'")


def test_every_row_says_what_the_model_learnt_from(run: Run) -> None:
    table = pd.read_csv(run.report / "comparison.csv")
    assert set(zip(table["n_train"], table["n_valid"], strict=True)) == {(36.0, 12.0)}


def test_the_leaderboard_is_captioned_with_what_is_not_known(page: str) -> None:
    caption = page.split('id="leaderboard"')[1].split("</p>")[0]
    assert "Artists are not kept apart" in caption


def chart_rows(page: str, id_: str) -> pd.DataFrame:
    """Return the data that a chart of the page holds."""
    specs = json.loads(page.split('id="charts">')[1].split("</script>")[0])["specs"]
    (rows,) = specs[id_]["datasets"].values()
    return pd.DataFrame(rows)


def section(page: str, id_: str) -> str:
    return page.split(f'<section id="{id_}"')[1].split("</section>")[0]


@pytest.fixture
def changed(small: Run) -> Iterator[Run]:
    """Yield a run whose robustness a test may invent anew."""
    yield small
    invent_robustness(small)


def test_every_model_is_drawn_after_every_change_with_its_accuracy(run: Run, page: str) -> None:
    table = read_results(run.params, run.inputs).table("robustness")
    drawn = chart_rows(page, "chart-robustness")
    assert list(dict.fromkeys(drawn["title"])) == [robustness.UNCHANGED, *CHANGES.values()]
    assert set(drawn["model"]) == {*run.models, "ensemble"}
    assert drawn["percent"].to_numpy() == pytest.approx(100 * table["accuracy"].to_numpy())
    clean = table["model"].map(table[table["change"] == CLEAN].set_index("model")["accuracy"])
    assert drawn["delta"].to_numpy() == pytest.approx((table["accuracy"] - clean).to_numpy())


def test_what_the_heat_map_shows_can_be_read_in_a_list(run: Run, page: str) -> None:
    table = robustness.measured(read_results(run.params, run.inputs))
    listed = section(page, "robustness").split("<details>")[1]
    assert listed.count('<tr><th scope="row"') == len(table) == 8 * (len(CHANGES) + 1)
    for row in table.sample(5, random_state=0).to_dict("records"):
        cells = (row["title"], row["accuracy_text"], row["delta_text"], row["agreement_text"])
        assert re.search(".*".join(f">{re.escape(cell)}<" for cell in cells), listed)


def test_the_answer_names_the_three_changes_that_cost_the_best_model_most(changed: Run) -> None:
    cost = {"louder": 0.01, "room": 0.2, "mp3_32": 0.1, "noise": 0.3, "band_16khz": 0.4}
    invent_robustness(changed, cost)
    results = read_results(changed.params, changed.inputs)
    (said,) = robustness.in_short(results)
    table = results.table("robustness").set_index(["model", "change"])["accuracy"]
    best = results.trained[0]
    costly = ("band_16khz", "noise", "room")
    named = "; ".join(f"{CHANGES[c]} {text.percent(table[best, c])}" for c in costly)
    assert f"{best} may know less: {named}, instead of {text.percent(table[best, CLEAN])}" in said
    assert "that is what another recording chain does" in said
    assert CHANGES["mp3_32"] not in said
    assert said in answer.plain_answer(results)
    assert said in page_of(changed)


@pytest.mark.parametrize("cost", [0.01, 0.3])
def test_an_unchanged_accuracy_that_is_not_the_leaderboards_is_explained(
    changed: Run, cost: float
) -> None:
    invent_robustness(changed, {"room": cost})
    results = read_results(changed.params, changed.inputs)
    scores = results.track(results.trained[0])
    scores["unchanged_accuracy"] = scores["accuracy"]
    assert "fewer windows" not in robustness.in_short(results)[0]
    scores["unchanged_accuracy"] = 0.25
    above = text.percent(scores["accuracy"])
    said = f"25.0 % unchanged (not {above}: fewer windows or tracks are judged)"
    assert said in robustness.in_short(results)[0]


def test_a_change_that_costs_little_is_not_named(changed: Run) -> None:
    invent_robustness(changed, {"louder": 0.01, "room": 0.2, "quieter": -0.1})
    (said,) = robustness.in_short(read_results(changed.params, changed.inputs))
    assert CHANGES["room"] in said
    assert not any(CHANGES[change] in said for change in ("louder", "quieter"))


def test_a_model_that_no_change_costs_two_points_holds(changed: Run) -> None:
    invent_robustness(changed, {"louder": 0.01, "room": 0.019, "quieter": -0.1})
    (said,) = robustness.in_short(read_results(changed.params, changed.inputs))
    assert "holds: of 3 changes" in said
    assert "none costs it more than two points" in said


def test_it_says_which_tracks_were_changed(run: Run, page: str, changed: Run) -> None:
    assert "The 20 test tracks of one fold went through 19 changes" in page
    results = read_results(run.params, run.inputs)
    table = robustness.measured(results).assign(n=60)
    assert robustness.describe(results, table)["tracks"] == "the 60 test tracks of all folds"
    assert "The 40 test tracks went through 19 changes" in page_of(changed)


def test_robustness_stands_in_tables_leaderboard_and_cards(changed: Run) -> None:
    invent_robustness(changed, {"louder": 0.0, "room": 0.2})
    html = page_of(changed)
    table = pd.read_csv(changed.report / "comparison.csv").set_index(["model", "level"])
    metrics = read_json(changed.evaluation / "metrics.json")
    names = ["unchanged_accuracy", "robust_accuracy", "worst_accuracy"]
    assert table.loc[("xgb_mel", "window"), names].isna().all()
    markdown = (changed.report / "comparison.md").read_text(encoding="utf-8")
    assert "Robust: mean accuracy after 2 changes" in markdown
    for model in metrics:
        track = metrics[model]["track"]
        clean, mean, worst = (text.percent(track[name]) for name in names)
        assert list(table.loc[(model, "track"), names]) == pytest.approx([track[n] for n in names])
        assert re.search(rf"\| `{model}` .*\| {clean} \| {mean} \| {worst} \|", markdown)
        assert (
            f'title="worst: {CHANGES["room"]}: {worst}">{mean}<span class="about">of {clean}</span>'
            in html
        )
    card = (changed.report / "model_cards/xgb_mel.md").read_text(encoding="utf-8")
    clean, mean, worst = (text.percent(metrics["xgb_mel"]["track"][name]) for name in names)
    assert f"it gets {clean} right unchanged" in " ".join(card.split())
    assert f"it gets {mean} right on average and {worst} at worst ({CHANGES['room']})" in card
    assert "90.0 % of its answers are those for the unchanged track" in card


@pytest.mark.parametrize("clean_alone", [False, True])
def test_a_page_without_robustness_says_how_to_have_it(changed: Run, clean_alone: bool) -> None:
    path = changed.evaluation / "robustness.csv"
    table = read_results(changed.params, changed.inputs).table("robustness")
    invent_robustness(changed, {})
    assert pd.read_csv(path).empty
    if clean_alone:
        write_csv(table[table["change"] == CLEAN], path)
    html = page_of(changed)
    assert "<code>robustness.enabled: true</code>" in section(html, "robustness")
    assert 'id="chart-robustness"' not in html
    assert ">Robust</button>" not in html
    assert robustness.in_short(read_results(changed.params, changed.inputs)) == []
    assert pd.read_csv(changed.report / "comparison.csv")["robust_accuracy"].isna().all()
    card = (changed.report / "model_cards/xgb_mel.md").read_text(encoding="utf-8")
    assert "was not measured (`robustness.enabled`)" in card


def test_robustness_without_intervals_is_drawn_all_the_same(changed: Run) -> None:
    table = read_results(changed.params, changed.inputs).table("robustness")
    path = changed.evaluation / "robustness.csv"
    write_csv(table.assign(low=np.nan, high=np.nan), path)
    drawn = chart_rows(page_of(changed), "chart-robustness")
    assert not drawn["accuracy_text"].str.contains(r"\[|nan").any()
