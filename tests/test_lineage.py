import pytest

from genreflow import lineage
from genreflow.params import Params, parse
from tests import reruns

OWN = parse({"corpus": {"root": "data/genres"}})


def test_a_stamp_holds_the_sections_that_shape_the_artifact():
    stamp = lineage.stamp("predictions", OWN, model="cnn")
    assert set(stamp.params) == {"audio", "features.mel", "tracks", "splits", "models.cnn"}
    assert stamp.params["models.cnn"]["dropout"] == OWN.models.cnn.dropout


def test_the_synthesiser_shapes_what_is_made_from_the_demo_and_nothing_else():
    assert "demo" in lineage.stamp("mel", Params()).params
    assert "demo" not in lineage.stamp("mel", OWN).params


@pytest.mark.parametrize("model", reruns.MODELS)
def test_a_section_is_in_the_stamp_exactly_if_editing_it_reruns_the_training(model):
    stamped = set(lineage.stamp("model", Params(), model=model).params)
    retrained = {name for name, rules in reruns.RERUNS.items() if f"train_{model}" in rules}
    assert stamped == {name for name in retrained if not name.startswith("corpus.")}


def test_features_follow_from_the_name_of_the_model():
    assert lineage.feature_kind("svm_handcrafted") == "handcrafted"
    assert lineage.feature_kind("resnet50") == "mel"
