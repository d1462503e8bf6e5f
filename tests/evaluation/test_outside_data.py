"""Like is compared with like: models that know outside data, and those that know the corpus."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from genreflow import lineage
from genreflow.columns import OF_CHANGED, OF_DECISIONS, column_of
from genreflow.evaluation.run import evaluate
from genreflow.params import Params
from genreflow.registry import ENSEMBLE, OPEN_ENSEMBLE, embedding, resnet50
from genreflow.registry.changes import CLEAN
from genreflow.report import answer, pairs, robustness, text
from genreflow.report.build import build_report
from genreflow.report.costs import read_costs
from genreflow.report.results import Results, read_results
from genreflow.report.terminal import print_leaderboard
from genreflow.store import tables
from genreflow.store.files import read_csv, read_json
from tests.synthetic_results import GENRES, Run, evaluate_run, explore_run, make_run

pytestmark = pytest.mark.slow

ALONE = ("xgb_mel", "cnn", "svm_handcrafted")
OUTSIDE = ("svm_embedding", "svm_fusion")
ENCODERS = ("musicnn-msd", "vgg-msd")


def evaluated(results: Path, **options: Any) -> Run:
    run = make_run(results, **{"tracks_per_genre": 6, "windows": 2, "n_folds": 3} | options)
    evaluate_run(run)
    return run


def read(run: Run) -> Results:
    return read_results(run.params, run.inputs)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = evaluated(tmp_path_factory.mktemp("outside") / "results", models=(*ALONE, *OUTSIDE))
    explore_run(made)
    build_report(made.params, made.inputs, made.report)
    return made


@pytest.fixture(scope="module")
def results(run: Run) -> Results:
    return read(run)


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Outside data that leads astray."""
    folder = tmp_path_factory.mktemp("worse") / "results"
    skill = {"cnn": 4, "xgb_mel": 3, "svm_embedding": -1}
    made = evaluated(folder, models=("xgb_mel", "cnn", "svm_embedding"), skill=skill)
    explore_run(made)
    return read(made)


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The baseline alone learnt from this corpus alone."""
    folder = tmp_path_factory.mktemp("lonely") / "results"
    made = evaluated(folder, models=("xgb_mel", "svm_fusion"), skill={"xgb_mel": -1})
    explore_run(made)
    return read(made)


def test_one_ensemble_knows_the_corpus_alone_and_one_is_of_all(run: Run, results: Results) -> None:
    assert set(results.metrics) == {*ALONE, *OUTSIDE, ENSEMBLE, OPEN_ENSEMBLE}
    assert results.members(ENSEMBLE) == list(ALONE)
    assert results.members(OPEN_ENSEMBLE) == [*ALONE, *OUTSIDE]
    assert results.members("cnn") == ["cnn"]
    assert set(results.trained) == {*ALONE, *OUTSIDE}
    assert [set(kind) for kind in results.kinds] == [set(ALONE), set(OUTSIDE)]
    weights = read_csv(run.evaluation / "ensemble.csv")
    assert weights.groupby(["ensemble", "fold"]).size().tolist() == [3, 3, 3, 5, 5, 5]


def test_the_ensemble_is_the_one_of_a_run_without_the_others(run: Run, tmp_path: Path) -> None:
    names = {name: {m: p for m, p in of.items() if m in ALONE} for name, of in run.trained.items()}
    evaluate(run.params, names, run.splits, run.tracks, tmp_path / "alone", tmp_path / "report")
    both, alone = (read_csv(f / "ensemble.csv") for f in (run.evaluation, tmp_path / "alone"))
    pd.testing.assert_frame_equal(both[both["ensemble"] == ENSEMBLE].reset_index(drop=True), alone)
    stamp = lineage.stamp("evaluate", run.params, kind="evaluation")
    of_both, of_alone = (
        tables.read_table(folder / "predictions.parquet", stamp).query("model == 'ensemble'")
        for folder in (run.evaluation, tmp_path / "alone")
    )
    pd.testing.assert_frame_equal(of_both.reset_index(drop=True), of_alone.reset_index(drop=True))
    assert OPEN_ENSEMBLE not in read_json(tmp_path / "alone" / "metrics.json")


def test_both_ensembles_stand_in_every_table(run: Run) -> None:
    everyone = {*ALONE, *OUTSIDE, ENSEMBLE, OPEN_ENSEMBLE}
    for name in ("per_genre", "per_fold", "confusion", "calibration", "agreement", "by_length"):
        assert set(read_csv(run.evaluation / f"{name}.csv")["model"]) == everyone, name
    of_pairs = read_csv(run.evaluation / "pairs.csv")
    assert len(of_pairs) == len(everyone) * (len(everyone) - 1) / 2
    shown = {path.stem for path in (run.report / "plots" / "confusion").iterdir()}
    assert shown == everyone


def test_both_ensembles_answer_for_changed_tracks(run: Run, tmp_path: Path) -> None:
    splits = tables.read_table(run.splits, lineage.stamp("splits", run.params))
    judged = splits[(splits["fold"] == "0") & (splits["role"] == "test")]
    answers = {}
    for model in (*ALONE, *OUTSIDE):
        keys = [
            judged[["fold", "track_id", "genre"]].assign(change=change)
            for change in (CLEAN, "mp3_32")
        ]
        table = pd.concat(keys, ignore_index=True)[list(OF_CHANGED)]
        right = model in ALONE
        for position, genre in enumerate(GENRES):
            at = (table["genre"].map(GENRES.index) + (not right)) % len(GENRES)
            sure = 0.5 if right else 0.9
            share = np.where(at == position, sure, (1 - sure) / 9)
            table[column_of(genre)] = share.astype(np.float32)
        answers[model] = tmp_path / f"{model}.parquet"
        tables.write_table(table, answers[model], lineage.of_answers(model, run.params))
    out, report = tmp_path / "evaluation", tmp_path / "report"
    evaluate(run.params, run.trained, run.splits, run.tracks, out, report, answers)
    found = read_csv(out / "robustness.csv").set_index(["model", "change"])["accuracy"]
    assert found[ENSEMBLE, "mp3_32"] == 1
    assert found[OPEN_ENSEMBLE, "mp3_32"] < 1, "outside data is sure, and wrong"
    assert "robust_accuracy" in read_json(out / "metrics.json")[OPEN_ENSEMBLE]["track"]


def test_pretrained_weights_are_outside_data(tmp_path: Path) -> None:
    params = Params.model_validate({"models": {"resnet50": {"weights": "/home/me/music.h5"}}})
    assert params.outside_data_of("resnet50") == ("music.h5",)
    assert Params().outside_data_of("resnet50") == ()
    made = evaluated(
        tmp_path,
        models=("xgb_mel", "resnet50", "svm_embedding"),
        sections={
            "models": {"resnet50": {"weights": "imagenet"}},
            "features": {"embedding": {"encoder": ["vgg-mtt"]}},
        },
    )
    found = read(made)
    assert set(found.metrics) == {"xgb_mel", "resnet50", "svm_embedding", OPEN_ENSEMBLE}
    assert found.outside_data(OPEN_ENSEMBLE) == ("imagenet", "vgg-mtt")
    (said,) = answer._ensembles(found)
    assert said.startswith("A weighted vote of all models reaches")


def test_an_ensemble_costs_and_learns_what_its_members_do(results: Results) -> None:
    costs = read_costs(results)
    for name, members in ((ENSEMBLE, ALONE), (OPEN_ENSEMBLE, (*ALONE, *OUTSIDE))):
        assert costs[name].parameters == sum(costs[m].parameters or 0 for m in members)
        seconds = [costs[model].fit_seconds or 0 for model in members]
        assert costs[name].fit_seconds == pytest.approx(sum(seconds))
        assert results.learnt_from(name) == results.learnt_from("cnn")


def test_comparisons_say_which_models_know_outside_data(run: Run) -> None:
    table = pd.read_csv(run.report / "comparison.csv", keep_default_na=False)
    known = dict(zip(table["model"], table["outside_data"], strict=True))
    said = " + ".join(ENCODERS)
    assert known == dict.fromkeys((*ALONE, ENSEMBLE), "") | dict.fromkeys(
        (*OUTSIDE, OPEN_ENSEMBLE), said
    )
    markdown = (run.report / "comparison.md").read_text(encoding="utf-8")
    for model in (*OUTSIDE, OPEN_ENSEMBLE):
        assert re.search(rf"^\| `{model}` .*\| yes \(musicnn-msd, vgg-msd\) \|", markdown, re.M)
    assert len(re.findall(r"^\| `(?:xgb_mel|cnn)` .*\| no \|", markdown, re.M)) == 4


def test_the_page_has_a_column_and_the_best_of_each_kind(run: Run, results: Results) -> None:
    page = (run.report / "index.html").read_text(encoding="utf-8")
    board = page.split('id="leaderboard"')[1].split("</table>")[0]
    assert ">Outside data</button>" in board
    rows = {row.split('"')[0]: row for row in board.split('<th scope="row" data-value="')[1:]}
    for model, row in rows.items():
        knows = model in (*OUTSIDE, OPEN_ENSEMBLE)
        assert ("musicnn-msd, vgg-msd" in row) == knows
        assert ('data-value="no">no<' in row) == (not knows)
    tags = {model for model in rows if "tag best" in rows[model]}
    assert tags == {kind[0] for kind in results.kinds}
    assert "best without outside data" in rows[results.kinds[0][0]]
    assert "best with outside data" in rows[results.kinds[1][0]]
    assert "weighted vote of models without outside data" in rows[ENSEMBLE]
    assert "weighted vote of all models" in rows[OPEN_ENSEMBLE]
    assert re.search(r"mean over folds: ensemble: [^;]+; ensemble_open: ", page)


def test_names_of_encoders_are_escaped(run: Run, results: Results) -> None:
    brought = {"embedding": {"encoder": ["onnx:a/<i>*[b].onnx"]}}
    params = Params.model_validate(run.params.model_dump() | {"features": brought})
    assert replace(results, params=params).outside_data("svm_fusion") == ("onnx:<i>*[b].onnx",)
    assert text.markdown("onnx:<i>*[b].onnx") == r"onnx:\<i\>\*\[b\].onnx"


@pytest.mark.parametrize(("width", "f1"), [(80, False), (120, True)])
def test_the_terminal_has_a_column_where_it_matters(run: Run, width: int, f1: bool) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    print_leaderboard(run.report, console)
    shown = console.export_text()
    assert all(len(line) <= width for line in shown.splitlines() if "│" in line)
    assert "outside" in shown
    assert "…" not in shown
    assert ("macro F1" in shown, "robust" in shown) == (f1, f1)
    assert re.search(r"svm_fusion .* yes │", shown)
    assert re.search(r"│ ensemble  .* no │", shown)
    assert "Outside data: musicnn-msd, vgg-msd\n" in shown


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("cnn", "- **Outside data:** no; it learnt from this corpus alone"),
        ("svm_fusion", "musicnn-msd and vgg-msd: trained on the Million Song Dataset"),
        ("svm_fusion", "of GTZAN it probably does: compare with musicnn-mtt or vgg-mtt"),
    ],
)
def test_cards_say_what_outside_data_is(run: Run, model: str, said: str) -> None:
    card = (run.report / "model_cards" / f"{model}.md").read_text(encoding="utf-8")
    assert said in card


def test_every_encoder_and_weights_with_a_name_are_explained() -> None:
    assert set(embedding.TRAINED_ON) == set(embedding.BUILT_IN)
    assert set(resnet50.TRAINED_ON) == {"imagenet"}


def test_the_answer_names_the_best_model_of_each_kind(results: Results) -> None:
    (alone, *_), (other, *_) = results.kinds
    percent = {model: text.percent(results.track(model)["accuracy"]) for model in (alone, other)}
    assert results.track(other)["accuracy"] > results.track(alone)["accuracy"]
    assert answer.headline(results) == (
        f"{alone} is the most accurate model that learnt from this corpus alone: {percent[alone]} "
        f"of the test tracks right. With outside data, {other} gets {percent[other]}."
    )
    said = answer.plain_answer(results)
    gap = text.points(results.track(other)["accuracy"] - results.track(alone)["accuracy"])
    assert (
        f"Outside data has a say in {other} (musicnn-msd, vgg-msd): it gets {gap[1:]} percentage "
        f"points more than {alone} (interval "
    ) in said
    assert f"for {alone} and from" in said
    for model in (alone, other):
        assert f"The runner-up to {model} is " in said
        assert model == "xgb_mel" or f"xgb_mel, {model} stands at +" in said
    assert "A weighted vote of the models that learnt from this corpus alone reaches" in said
    assert "A weighted vote of all models reaches" in said
    assert not any(said.count(f"{name} is the most") for name in (ENSEMBLE, OPEN_ENSEMBLE, other))


def test_rivals_and_lesser_leads_are_of_the_same_kind(results: Results) -> None:
    for kind in results.kinds:
        assert set(pairs.rivals(results, kind)) <= set(kind)
        for sentence in answer._against_baseline(results, kind):
            strangers = {*ALONE, *OUTSIDE} - {*kind, "xgb_mel"}
            assert not any(model in sentence for model in strangers)


def test_robustness_speaks_of_the_best_of_each_kind_and_explains_once(results: Results) -> None:
    said = robustness.in_short(results)
    assert [kind[0] in one for kind, one in zip(results.kinds, said, strict=True)] == [True] * 2
    assert sum("what another recording chain does" in one for one in said) == 1


def test_figures_are_labelled_with_their_model(results: Results) -> None:
    (alone, *_), (other, *_) = results.kinds
    names = [name for _, name, _ in answer.key_figures(results)]
    assert f"accuracy of {alone}, without outside data" in names
    assert f"accuracy of {other}, with outside data" in names
    assert f"points from xgb_mel to {other}" in names


def test_outside_data_that_leads_astray_is_said_to(worse: Results) -> None:
    assert answer.headline(worse).startswith("cnn is the most accurate model that learnt from")
    said = answer.plain_answer(worse)
    assert re.search(
        r"svm_embedding \(musicnn-msd, vgg-msd\): it gets [\d.]+ percentage points less than cnn "
        r"\(interval −[\d.]+ to −[\d.]+\), a significant difference",
        said,
    )
    assert re.search(
        r"xgb_mel, svm_embedding stands at −[\d.]+ percentage points [^:]*, a significant", said
    )


def test_the_only_model_without_outside_data_is_called_that(lonely: Results) -> None:
    words = answer.headline(lonely)
    accuracy = text.percent(lonely.track("xgb_mel")["accuracy"])
    assert words.startswith(
        f"xgb_mel, the only model that learnt from this corpus alone, gets {accuracy}"
    )
    said = answer.plain_answer(lonely)
    assert "With outside data, svm_fusion gets" in said
    assert "is the baseline itself" not in said
    assert "models that learnt from this corpus alone reaches" not in said
    assert ENSEMBLE not in lonely.metrics
    assert OPEN_ENSEMBLE in lonely.metrics


def test_where_all_models_know_outside_data_the_answer_says_so(run: Run, tmp_path: Path) -> None:
    names: Mapping[str, Any] = {
        name: {m: p for m, p in of.items() if m in OUTSIDE} for name, of in run.trained.items()
    }
    evaluate(run.params, names, run.splits, run.tracks, tmp_path, tmp_path / "report")
    found = read_results(run.params, replace(run.inputs, evaluation=tmp_path))
    said = " ".join([answer.headline(found), *answer._outside_data(found)])
    assert said.startswith(f"{found.trained[0]} is the most accurate model: ")
    assert "(musicnn-msd, vgg-msd), and in every model that was compared. Its model card" in said


def test_without_outside_data_nobody_speaks_of_it(tmp_path: Path) -> None:
    made = evaluated(tmp_path, models=("xgb_mel", "cnn"), n_folds=1)
    explore_run(made)
    build_report(made.params, made.inputs, made.report)
    found = read(made)
    assert not found.knows_outside_data
    assert found.kinds == [found.trained]
    assert "utside data" not in answer.plain_answer(found)
    page = (made.report / "index.html").read_text(encoding="utf-8")
    assert ">Outside data</button>" not in page
    assert "best model</span>" in page
    assert "weighted vote of all models" in page
    console = Console(width=80, record=True, file=io.StringIO())
    print_leaderboard(made.report, console)
    shown, _, _ = console.export_text().partition("Report:")
    assert "utside" not in shown
    assert "macro F1" in shown
    stamp = lineage.stamp("evaluate", made.params, kind="evaluation")
    decisions = tables.read_table(made.evaluation / "predictions.parquet", stamp)
    assert set(decisions["model"]) == {"xgb_mel", "cnn", ENSEMBLE}
    assert set(OF_DECISIONS) <= set(decisions.columns)
