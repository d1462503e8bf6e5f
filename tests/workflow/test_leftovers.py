"""Results of other folds, models and shards step aside and come back; nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from genreflow.leftovers import (
    Wanted,
    bring_back,
    find,
    put_aside,
    remove,
    set_aside,
    size,
    to_remove,
)
from genreflow.params import parse


def wanted(shards, models, trainings):
    return Wanted(shards, dict.fromkeys(models, trainings))


MODELS, SHARDS = ["xgb_mel", "cnn"], ["blues", "rock"]
FEW = wanted(["blues"], ["xgb_mel"], ["0"])
ALL = wanted(SHARDS, MODELS, ["0", "1"])
LEFT = (
    "audio/rock.arrow",
    "features/mel/rock.npz",
    "models/cnn/0",
    "models/cnn/1",
    "models/xgb_mel/1",
)


def files(folder: Path) -> dict[str, str]:
    """Return what every file below a folder holds."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write(folder: Path, *names: str, text: str = "") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text or name)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """What a run with two genres, two models and two folds left."""
    write(
        tmp_path,
        *(f"audio/{genre}.{suffix}" for genre in ("blues", "rock") for suffix in ("arrow",)),
        *(f"features/mel/{genre}.npz" for genre in ("blues", "rock")),
        *(f"models/{m}/{fold}/model.json" for m in ("xgb_mel", "cnn") for fold in "01"),
        "tracks.parquet",
        "report/index.html",
    )
    return tmp_path


def test_what_is_asked_for_follows_from_parameters_and_genres() -> None:
    params = parse(
        {
            "corpus": {"shards_per_genre": 2},
            "splits": {"strategy": "kfold", "n_splits": 3},
            "evaluation": {"models": ["xgb_mel", "lstm"]},
            "models": {"lstm": {"seeds": 2}},
        }
    )
    wanted = Wanted.by(params, ["rock", "blues"])
    assert list(wanted.shards) == ["blues-0", "blues-1", "rock-0", "rock-1"]
    assert wanted.trainings == {
        "xgb_mel": ["0", "1", "2"],
        "lstm": ["0", "1", "2", "0.1", "1.1", "2.1"],
    }


def test_other_shards_models_and_folds_are_found(results: Path) -> None:
    assert find(results, ALL) == []
    assert {path.as_posix() for path in find(results, FEW)} == set(LEFT)


def test_without_results_there_is_nothing_to_find(tmp_path: Path) -> None:
    assert find(tmp_path / "results", FEW) == []
    assert set_aside(tmp_path / "results", FEW) == []
    assert bring_back(tmp_path / "results", FEW) == []
    remove(tmp_path / "results", FEW)


def test_what_is_not_asked_for_steps_aside_and_the_rest_stays(results: Path) -> None:
    before = files(results)
    assert [path.as_posix() for path in set_aside(results, FEW)] == list(LEFT)
    after = files(results)
    moved = {name for name in before if name.startswith(LEFT)}
    assert after == {f"aside/{name}" if name in moved else name: before[name] for name in before}


def test_what_is_asked_for_again_comes_back(results: Path) -> None:
    before = files(results)
    set_aside(results, FEW)
    assert {path.as_posix() for path in bring_back(results, ALL)} == set(LEFT)
    assert files(results) == before


def test_other_changes_and_what_other_models_said_of_them_step_aside(results: Path) -> None:
    write(results, *(f"changed/{family}.parquet" for family in ("level", "mp3", "opus")))
    write(results, "changed/notes.parquet", "changed/mp3.txt", "robustness/cnn.parquet")
    before = files(results)
    few = Wanted(SHARDS, {"xgb_mel": ["0", "1"]}, ["level", "opus"])
    gone = ["changed/mp3.parquet", "models/cnn/0", "models/cnn/1", "robustness/cnn.parquet"]
    assert [path.as_posix() for path in set_aside(results, few)] == gone
    every = {model: ["0", "1"] for model in MODELS}
    bring_back(results, Wanted(SHARDS, every, ["level", "mp3"]))
    assert files(results) == before


def test_fingerprints_step_aside_with_their_shard_and_where_nobody_compares_them(
    results: Path,
) -> None:
    write(results, "fingerprints/blues.arrow", "fingerprints/rock.arrow")
    before = files(results)
    set_aside(results, FEW)
    assert [path for path in files(results) if path.startswith("fingerprints")] == [
        "fingerprints/blues.arrow"
    ]
    off = replace(ALL, fingerprints=False)
    bring_back(results, off)
    set_aside(results, off)
    assert not [path for path in files(results) if path.startswith("fingerprints")]
    bring_back(results, ALL)
    assert files(results) == before


def test_what_is_not_asked_for_stays_aside(results: Path) -> None:
    set_aside(results, FEW)
    before = files(results)
    assert bring_back(results, FEW) == []
    assert files(results) == before


def test_single_folds_of_a_model_come_back(results: Path) -> None:
    set_aside(results, FEW)
    write(results, "models/cnn/0/model.json", text="new")
    bring_back(results, ALL)
    assert files(results / "models/cnn") == {
        "0/model.json": "new",
        "1/model.json": "models/cnn/1/model.json",
    }
    assert files(results / "aside/models/cnn") == {"0/model.json": "models/cnn/0/model.json"}


def test_a_fold_of_a_model_that_is_not_asked_for_stays_aside(results: Path) -> None:
    set_aside(results, wanted(SHARDS, MODELS, ["0"]))
    bring_back(results, wanted(SHARDS, ["xgb_mel"], ["0", "1"]))
    assert (results / "models/xgb_mel/1").is_dir()
    assert (results / "aside/models/cnn/1").is_dir()
    assert not (results / "models/cnn/1").exists()


def test_nothing_is_lost_when_the_place_aside_is_taken(results: Path) -> None:
    for text in ("first", "second", "third"):
        write(results, "models/cnn/0/model.json", "audio/rock.arrow", text=text)
        set_aside(results, FEW)
    kept = files(results / "aside")
    assert [kept[f"models/cnn/0{n}/model.json"] for n in ("", "~1", "~2")] == [
        "first",
        "second",
        "third",
    ]
    assert [kept[f"audio/rock.arrow{n}"] for n in ("", "~1", "~2")] == ["first", "second", "third"]
    bring_back(results, ALL)
    assert (results / "models/cnn/0/model.json").read_text() == "first"
    assert (results / "aside/models/cnn/0~1/model.json").read_text() == "second"
    assert not (results / "models/cnn/0~1").exists()


def test_what_was_made_anew_is_not_overwritten_by_what_comes_back(results: Path) -> None:
    set_aside(results, FEW)
    write(results, "audio/rock.arrow", text="new")
    bring_back(results, ALL)
    assert (results / "audio/rock.arrow").read_text() == "new"
    assert (results / "aside/audio/rock.arrow").read_text() == "audio/rock.arrow"


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "audio/notes.txt",
        "audio/README",
        "features/mel/.rock.npz.tmp",
        "features/mel/plot.png",
        "features/chroma/rock.npz",
        "models/notes.txt",
        "models/xgb_mel/notes.txt",
        "models/xgb_mel/tried/model.json",
        "mine/rock.arrow",
        "resume/notes.txt",
        "resume/lstm/notes/state.npz",
    ],
)
def test_what_no_job_makes_is_left_alone(results: Path, name: str) -> None:
    write(results, name)
    set_aside(results, FEW)
    assert (results / name).read_text() == name
    remove(results, FEW)
    assert (results / name).read_text() == name


def test_what_no_job_makes_stays_where_the_user_put_it_aside(results: Path) -> None:
    write(results, "aside/models/cnn/notes/0/model.json", "aside/audio/notes.txt")
    assert bring_back(results, ALL) == []


def test_a_model_whose_package_is_gone_steps_aside_like_any_other(results: Path) -> None:
    write(results, "models/knn/0/model.json")
    assert set_aside(results, ALL) == [Path("models/knn/0")]
    assert not (results / "models/knn").exists()


def test_folds_come_back_whatever_was_left_out_first(results: Path) -> None:
    """Other folds step aside, then the whole model; then the model is asked for with one fold."""
    before = files(results)
    one_fold = wanted(SHARDS, MODELS, ["0"])
    set_aside(results, one_fold)
    set_aside(results, wanted(SHARDS, ["xgb_mel"], ["0"]))
    assert bring_back(results, one_fold) == [Path("models/cnn/0")]
    assert bring_back(results, ALL) == [Path("models/cnn/1"), Path("models/xgb_mel/1")]
    assert files(results) == before


def test_what_lies_aside_is_listed_one_by_one(results: Path) -> None:
    set_aside(results, FEW)
    assert [path.as_posix() for path in put_aside(results)] == [f"aside/{name}" for name in LEFT]


def test_removing_deletes_what_is_not_asked_for_and_what_is_aside(results: Path) -> None:
    set_aside(results, wanted(SHARDS, MODELS, ["0"]))
    remove(results, FEW)
    assert set(files(results)) == {
        "audio/blues.arrow",
        "features/mel/blues.npz",
        "models/xgb_mel/0/model.json",
        "tracks.parquet",
        "report/index.html",
    }
    assert not (results / "aside").exists()


def test_removing_keeps_what_was_not_listed(results: Path) -> None:
    set_aside(results, FEW)
    write(results, "aside/notes.txt", "aside/mine/keep.txt")
    remove(results, FEW)
    assert set(files(results / "aside")) == {"notes.txt", "mine/keep.txt"}


def test_removing_keeps_what_links_point_at(results: Path, tmp_path: Path) -> None:
    model, fold = tmp_path / "a model", tmp_path / "a fold"
    (results / "models/cnn").rename(model)
    (results / "models/cnn").symlink_to(model)
    (results / "models/xgb_mel/1").rename(fold)
    (results / "models/xgb_mel/1").symlink_to(fold)
    remove(results, FEW)
    assert (model / "0/model.json").is_file()
    assert (fold / "model.json").is_file()
    assert not (results / "models/xgb_mel/1").is_symlink()


def test_sizes_are_those_of_all_files(results: Path) -> None:
    write(results, "models/cnn/0/weights", "models/cnn/1/deep/weights", text="x" * 1000)
    assert size(results / "models/cnn") == 2000 + 2 * len("models/cnn/0/model.json")
    assert size(results / "models/cnn/0/weights") == 1000


def test_killed_trainings_are_kept_while_they_can_go_on(results: Path) -> None:
    """Removed are those of folds that aren't asked for, and those that were made all the same."""
    states = ("resume/xgb_mel/0", "resume/cnn/0", "resume/cnn/1", "resume/lstm/0")
    write(results, *(f"{folder}/state.npz" for folder in states))
    write(results, "models/cnn/0/predictions.parquet")
    asked = wanted(SHARDS, MODELS, ["0"])
    set_aside(results, asked)
    found = [path.as_posix() for path in to_remove(results, asked) if path.parts[0] == "resume"]
    assert found == ["resume/cnn/0", "resume/cnn/1", "resume/lstm/0"]
    remove(results, asked)
    assert list(files(results / "resume")) == ["xgb_mel/0/state.npz"]
    assert not (results / "resume/lstm").exists()
