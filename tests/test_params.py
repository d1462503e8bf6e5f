"""Parameters: what is valid, what an error says, and the files that are generated from them."""

import json
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from genreflow import generate, reference
from genreflow.folds import changed_folds, fold_names, name_order
from genreflow.nested import flatten
from genreflow.params import Params, ParamsError, load, parse
from genreflow.registry import BUILT_IN, MODELS
from tests.conftest import Project, synthesise

ROOT = Path(__file__).parent.parent


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_defaults_are_valid_and_survive_a_round_trip():
    assert parse(yaml.safe_load(generate.params_yaml())) == Params()


def test_an_empty_file_means_defaults(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("")
    assert load(path) == Params()


def test_params_yaml_as_it_comes_says_the_defaults():
    """A new model that learns from the corpus alone belongs there, too."""
    found = flatten(load(ROOT / "params.yaml").model_dump(mode="json"))
    default = generate.leaves()
    assert {name: value for name, value in found.items() if value != default[name]} == {}


@pytest.mark.parametrize(
    ("path", "render"),
    [
        (generate.SCHEMA, generate.json_schema),
        (generate.RERUNS, generate.reruns_page),
        (reference.PAGE, reference.parameters_page),
        (generate.README, lambda: generate.readme(text_of(generate.README))),
        (generate.PARAMS, lambda: generate.params_yaml(load(ROOT / generate.PARAMS))),
    ],
    ids=["schema", "reruns", "parameters", "readme", "params"],
)
def test_what_is_generated_is_up_to_date(path, render):
    assert text_of(path) == render(), "run `make params`"


def test_the_page_of_parameters_has_each_with_its_default_and_what_is_taken():
    page = text_of(reference.PAGE)
    named = re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)
    assert named == list(generate.leaves())
    assert "| `splits.valid_fraction` | `0.15` | number, above 0, below 1 |" in page
    assert "| `models.cnn.filters` | `[16, 32, 64, 96, 128]` | list of 5: whole number," in page
    assert "| `features.mel.fmax` | `null` | number, above 0 or `null` |" in page
    chapter = page.partition("## `models.lstm`")[2].partition("\n## ")[0]
    assert "An edit reruns `train_lstm`, `robustness_lstm`, `evaluate`, `refit_lstm`" in chapter
    assert "train_cnn" not in chapter


def test_values_in_params_yaml_survive_when_the_file_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generate.README.write_text("Before\n<!-- made by `make params` -->old<!-- end -->\nAfter\n")
    edited = parse(
        {
            "corpus": {"root": "my: music"},
            "features": {"mel": {"fmax": 8000.0}},
            "models": {"cnn": {"filters": [8, 8, 8, 8, 8]}},
            "evaluation": {"models": ["xgb_mel", "cnn"]},
            "report": {"title": "Größe #1"},
        }
    )
    plain = yaml.safe_dump(edited.model_dump(mode="json"), allow_unicode=True)
    generate.PARAMS.write_text(plain, encoding="utf-8")
    generate.write_all()
    assert load(generate.PARAMS) == edited
    assert "# Heading of the report." in generate.PARAMS.read_text(encoding="utf-8")


def test_where_there_is_no_params_yaml_it_is_made_of_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generate.README.write_text("")
    generate.write_all()
    assert load(generate.PARAMS) == Params()


def test_all_of_the_readme_but_its_table_survives():
    text = "Before\n<!-- made by `make params` -->old<!-- end -->\nAfter\n"
    made = generate.readme(text)
    assert made.startswith("Before\n")
    assert made.endswith("<!-- end -->\nAfter\n")
    assert "old" not in made
    assert all(f"| `{model}` |" in made for model in BUILT_IN)


def editors_schema():
    """Return the schema that an editor takes: the one that params.yaml names in its first line."""
    first = text_of(generate.PARAMS).splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert name != first
    schema = json.loads(text_of(Path(name)))
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def test_an_editor_finds_params_yaml_valid():
    jsonschema.validate(yaml.safe_load(text_of(generate.PARAMS)), editors_schema())


@pytest.mark.parametrize(
    "edit",
    [
        {"audio": {"samplerate": 44100}},
        {"audio": {"sample_rate": "fast"}},
        {"audio": {"augment": ["flanger"]}},
        {"models": {"cnn": {"filters": [8, 16]}}},
        {"models": {"transformer": {}}},
        {"features": {"mel": {"overlap": 1.0}}},
        {"splits": {"strategy": "random"}},
        {"robustness": {"changes": ["mp3"]}},
        {"robustness": {"changes": []}},
    ],
    ids=str,
)
def test_an_editor_finds_what_genreflow_refuses(edit):
    with pytest.raises(ParamsError):
        parse(edit)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(edit, editors_schema())


def test_params_yaml_names_every_parameter():
    values = yaml.safe_load(text_of(generate.PARAMS))
    assert list(flatten(values)) == list(generate.leaves())


def sections(model=Params):
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield field.annotation
            yield from sections(field.annotation)


def test_every_parameter_is_described():
    found = list(sections())
    assert {MODELS[name].parameters for name in MODELS} <= set(found)
    for section in found:
        assert section.__doc__
        for name, field in section.model_fields.items():
            is_section = isinstance(field.annotation, type) and issubclass(
                field.annotation, BaseModel
            )
            assert is_section or field.description, f"{section.__name__}.{name}"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"audio": {"sample_rate": "fast"}}, r"audio\.sample_rate: .*valid integer.*'fast'"),
        (
            {"audio": {"samplerate": 44100}},
            r"audio\.samplerate: no such parameter; did you mean sample_rate\?",
        ),
        ({"models": {"cnn": {"epoch": 3}}}, r"models\.cnn\.epoch: .* did you mean epochs\?"),
        ({"naive": {"wanted": True}}, r"naive\.wanted: no such parameter; there are enabled$"),
        ({"split": {}}, r" split: no such parameter; did you mean splits\?"),
        ({"features": {"mels": {}}}, r"features\.mels: .*did you mean mel\?"),
        ({"corpus.root": "music"}, r"corpus\.root: .*root: in the section corpus"),
        ({"features": {"mel": {"overlap": 1.0}}}, r"features\.mel\.overlap: .*0\.95"),
        ({"splits": {"strategy": "random"}}, r"splits\.strategy: .*'holdout'"),
        ({"audio": {"min_seconds": 1.0}}, r"audio\.min_seconds \(1\.0\).*window_seconds \(1\.5\)"),
        ({"audio": {"max_seconds": 1.0}}, r"audio\.max_seconds \(1\.0\)"),
        ({"audio": {"augment": ["flanger"]}}, r"audio\.augment\.0: .*'codec'.*'flanger'"),
        ({"features": {"mel": {"fmax": 20000.0}}}, r"sample_rate / 2 \(11025\.0\)"),
        ({"evaluation": {"models": ["cnn"]}}, "lacks xgb_mel"),
        ({"evaluation": {"models": ["xgb_mel", "xgb_mel"]}}, "twice"),
        ({"models": {"cnn": {"filters": [8, 16]}}}, r"models\.cnn\.filters"),
        ({"models": {"svm_mel": {"seed": 5_000_000_000}}}, r"models\.svm_mel\.seed: .*4294967295"),
        ({"corpus_size": {"fractions": [0.5, 0.5]}}, r"corpus_size: .*at least two different"),
        ({"splits": {"seed": 2**32}}, r"splits\.seed: .*4294967295"),
        ({"models": {"transformer": {}}}, r"models\.transformer: no such model; list it in src/"),
        (
            {"evaluation": {"models": ["xgb_mel", "knn"]}},
            r"models\.1: 'knn': no such model; there are svm_mel, xgb.*registry/__init__",
        ),
        (
            {"robustness": {"changes": ["mp3"]}},
            r"changes\.0: 'mp3': no such change; there are quieter,",
        ),
        ({"robustness": {"changes": ["room", "room"]}}, "changes names a change twice"),
        ({"robustness": {"changes": []}}, r"robustness\.changes: .*at least 1 item"),
    ],
)
def test_a_wrong_parameter_is_named(values, message):
    with pytest.raises(ParamsError, match=message):
        parse(values)


PATHS = ("corpus.root", "corpus.labels", "corpus.groups", "splits.file", "unknown.folder")


@pytest.mark.parametrize("home", ["~", "$HOME", "${HOME}"])
@pytest.mark.parametrize("name", PATHS)
def test_a_path_that_only_a_shell_completes_is_refused_with_what_to_write(name, home, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    section, key = name.split(".")
    refused = rf"{section}\.{key}: {re.escape(home)} is not .*; write /home/ann/Music$"
    with pytest.raises(ParamsError, match=refused):
        parse({section: {key: f"{home}/Music"}})
    for taken in ("~ann/Music", "./~/Music", "Music/~", "$HOMES/Music"):
        assert parse({section: {key: taken}}).at(name) == taken


@pytest.mark.parametrize("prefix", ["onnx", "hf", "table"])
def test_so_is_the_path_of_an_encoder(prefix, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    with pytest.raises(ParamsError, match=r"encoder\.0: .*; write /home/ann/clap"):
        parse({"features": {"embedding": {"encoder": f"{prefix}:~/clap"}}})


def test_every_path_of_the_parameters_is_listed_above():
    """A parameter whose default is a path takes one."""
    found = {
        f"{name}.{key}"
        for name, section in Params()
        for key, value in section
        if isinstance(value, str) and "/" in value
    }
    assert found == set(PATHS)


def test_section_is_plain_data_in_a_fixed_order():
    one = parse({"audio": {"max_seconds": 10, "sample_rate": 8000}}).section("audio")
    two = parse({"audio": {"sample_rate": 8000, "max_seconds": 10.0}}).section("audio")
    assert list(one.items()) == list(two.items())


def test_sections_of_models_and_features_are_those_of_the_registry():
    params = parse({"models": {"cnn": {"epochs": 3}}})
    assert params.at("models.cnn").epochs == 3
    assert params.at("models.cnn.epochs") == 3
    assert params.section("models.cnn") == params.at("models.cnn").model_dump(mode="json")
    assert list(params.section("models")) == list(MODELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("corpus: {root: a}\nsplits: {seed: 1}\ncorpus: {root: b}\n", "'corpus'.*line 1.*line 3"),
        ("splits:\n  seed: 0\n  strategy: kfold\n  seed: 1\n", "'seed'.*line 2.*line 4"),
        ("models:\n  cnn: {seeds: 2, epochs: 3, seeds: 3}\n", "'seeds'.*line 2.*line 2"),
        ("corpus: {root: a}\n'corpus': {root: a}\n", "'corpus'.*line 1.*line 2"),
    ],
)
def test_a_file_that_says_something_twice_is_refused_and_both_lines_named(tmp_path, text, message):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError, match=rf"params\.yaml: {message}"):
        load(path)


@pytest.mark.workflow
def test_snakemake_refuses_a_file_that_says_something_twice(tmp_path):
    project = Project.create(tmp_path)
    path = project.folder / "params.yaml"
    path.write_text(path.read_text() + "\nsplits: {seed: 1}\n")
    done = project.run("snakemake", "--cores", "1", "--dry-run", check=False)
    assert done.returncode != 0
    assert "params.yaml: 'splits' stands twice, in line" in done.stdout + done.stderr


def test_equal_names_in_different_sections_and_overridden_anchors_are_fine(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(
        "models:\n  cnn: &net {seed: 3, epochs: 5}\n  lstm: {<<: *net, epochs: 6}\n"
        "splits: {seed: 4}\n"
    )
    params = load(path)
    assert (params.at("models.lstm.seed"), params.at("models.lstm.epochs")) == (3, 6)
    assert (params.at("models.cnn.epochs"), params.splits.seed) == (5, 4)


@pytest.mark.parametrize("text", [None, "audio: ["])
def test_a_file_that_is_missing_or_no_yaml_is_named(tmp_path, text):
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ParamsError, match=r"params\.yaml: (can't be read|is no YAML)"):
        load(path)


def test_folds_follow_the_strategy():
    assert fold_names(Params().splits) == ["0"]
    kfold = parse({"splits": {"strategy": "kfold", "n_splits": 3}})
    assert fold_names(kfold.splits) == ["0", "1", "2"]


def test_the_order_of_changes_does_not_matter():
    one, two = (
        parse({"robustness": {"changes": c}}) for c in (["room", "mp3_64"], ["mp3_64", "room"])
    )
    assert one == two
    assert one.robustness.variants == ["clean", "mp3_64", "room"]
    assert one.robustness.families == ["level", "filter", "mp3"]


def test_a_family_of_changes_has_the_parameters_that_it_would_have_alone():
    both = parse({"robustness": {"changes": ["room", "noise", "mp3_64"], "seed": 3}})
    alone = parse({"robustness": {"changes": ["room", "noise"], "seed": 3}})
    assert both.of_family("filter") == alone
    assert both.of_family("level") == alone.of_family("level")


def test_the_tracks_of_the_first_fold_are_changed_unless_all_are_asked_for():
    for robustness, folds in (({}, ["0"]), ({"folds": "all"}, ["0", "1", "2"])):
        params = parse({"splits": {"strategy": "kfold", "n_splits": 3}, "robustness": robustness})
        assert changed_folds(params.splits, params.robustness) == folds


def test_folds_are_ordered_by_their_number():
    assert sorted(["10", "2", "0"], key=name_order) == ["0", "2", "10"]


@pytest.mark.workflow
def test_the_command_that_the_docs_give_sets_one_parameter_and_leaves_the_others(tmp_path):
    page = text_of(Path("docs/reruns.md"))
    program, *options = shlex.split(re.search(r"`(snakemake --config [^`]*)`", page)[1])
    project = Project.create(tmp_path, **{"corpus.shards_per_genre": 2})
    synthesise(project.folder / "my-music", genres=("blues", "pop"), tracks=4, seconds=2.0)
    said = project.run(program, "--cores", "1", "--dry-run", "splits", *options)
    assert re.search(r"^audio +4$", said.stdout + said.stderr, re.MULTILINE)
