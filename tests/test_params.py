from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from genreflow.params import Params, ParamsError, load, parse

ROOT = Path(__file__).parent.parent


def test_defaults_are_valid_and_survive_a_round_trip():
    assert parse(yaml.safe_load(schema.default_yaml())) == Params()


def test_an_empty_file_means_defaults(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("")
    assert load(path) == Params()


def test_generated_schema_is_up_to_date():
    text = (ROOT / "workflow/schemas/params.schema.json").read_text(encoding="utf-8")
    assert text == schema.json_schema(), "run `make params`"


def test_params_yaml_names_every_parameter():
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(values, Params.model_json_schema())
    for name, _ in schema.leaves():
        value = values
        for part in name.split("."):
            assert part in value, f"params.yaml lacks {name}"
            value = value[part]


def sections(model=Params):
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield field.annotation
            yield from sections(field.annotation)


def test_every_parameter_is_described():
    for section in sections():
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
        ({"audio": {"samplerate": 44100}}, r"audio\.samplerate: Extra inputs"),
        ({"features": {"mel": {"overlap": 1.0}}}, r"features\.mel\.overlap: .*0\.95"),
        ({"splits": {"strategy": "random"}}, r"splits\.strategy: .*'holdout'"),
        ({"audio": {"min_seconds": 1.0}}, r"audio\.min_seconds \(1\.0\).*window_seconds \(1\.5\)"),
        ({"audio": {"max_seconds": 1.0}}, r"audio\.max_seconds \(1\.0\)"),
        ({"features": {"mel": {"fmax": 20000.0}}}, r"sample_rate / 2 \(11025\.0\)"),
        ({"evaluation": {"models": ["cnn"]}}, "lacks xgb_mel"),
        ({"evaluation": {"models": ["xgb_mel", "xgb_mel"]}}, "twice"),
        ({"models": {"cnn": {"filters": [8, 16]}}}, r"models\.cnn\.filters"),
    ],
)
def test_a_wrong_parameter_is_named(values, message):
    with pytest.raises(ParamsError, match=message):
        parse(values)


def test_section_is_plain_data_in_a_fixed_order():
    one = parse({"audio": {"max_seconds": 10, "sample_rate": 8000}}).section("audio")
    two = parse({"audio": {"sample_rate": 8000, "max_seconds": 10.0}}).section("audio")
    assert list(one.items()) == list(two.items())


def test_folds_follow_the_strategy():
    assert parse({}).splits.folds == ["0"]
    assert parse({"splits": {"strategy": "kfold", "n_splits": 3}}).splits.folds == ["0", "1", "2"]
