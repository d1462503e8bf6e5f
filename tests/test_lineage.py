import pytest

from genreflow import lineage
from genreflow.generate import reruns
from genreflow.params import Params, parse
from genreflow.registry import MODELS
from genreflow.steps import STEPS

OWN = parse({"corpus": {"root": "data/genres"}})
SECTIONS = {section for step in STEPS.values() for section in step.sections}


def test_a_stamp_holds_the_sections_that_shape_the_artifact():
    stamp = lineage.of_predictions("cnn", OWN)
    assert set(stamp.params) == {"audio", "features.mel", "tracks", "splits", "models.cnn"}
    assert stamp.params["models.cnn"]["dropout"] == OWN.at("models.cnn").dropout


def test_the_synthesiser_shapes_what_is_made_from_the_demo_and_nothing_else():
    assert "demo" in lineage.stamp("mel", Params()).params
    assert "demo" not in lineage.stamp("mel", OWN).params


@pytest.mark.parametrize("model", MODELS)
def test_a_section_is_in_the_stamp_exactly_if_editing_it_reruns_the_training(model):
    stamped = set(lineage.of_model(model, Params()).params)
    assert stamped == {name for name in SECTIONS if f"train_{model}" in reruns(name)}


def test_the_evaluation_is_stamped_with_the_compared_models_alone():
    params = parse({"evaluation": {"models": ["xgb_mel", "cnn"]}})
    stamped = set(lineage.stamp("evaluate", params, kind="evaluation").params)
    assert {name for name in stamped if name.startswith("models.")} == {
        "models.xgb_mel",
        "models.cnn",
    }


def test_a_model_its_predictions_and_the_evaluation_are_told_apart():
    kinds = {
        lineage.of_model("cnn", OWN).kind,
        lineage.of_predictions("cnn", OWN).kind,
        lineage.stamp("evaluate", OWN, kind="evaluation").kind,
        lineage.stamp("mel", OWN).kind,
    }
    assert kinds == {"model", "predictions", "evaluation", "mel"}
