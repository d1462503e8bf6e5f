"""In a graph: XGBoost's trees.

References
----------
"TreeEnsembleRegressor", https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from genreflow.export.graph import ML, Graph
from genreflow.export.preparation import prepared
from genreflow.export.statistics import describe
from genreflow.models.xgb_handcrafted import XgbHandcrafted
from genreflow.models.xgb_mel import XgbMel

if TYPE_CHECKING:
    import xgboost as xgb


def of_windows(graph: Graph, windows: str, model: XgbMel) -> str:
    """Return the probabilities of mel windows (n, time, frequency), (n, genres)."""
    return _probabilities(graph, describe(graph, windows, model.signature.shape), model.trees)


def of_tracks(graph: Graph, features: str, model: XgbHandcrafted) -> str:
    """Return the probabilities of features (n, n_features), (n, genres)."""
    return _probabilities(graph, prepared(graph, features, model.prepare), model.trees)


def _probabilities(graph: Graph, values: str, trees: xgb.Booster) -> str:
    learner = json.loads(trees.save_raw("json"))["learner"]
    shape, forest = learner["learner_model_param"], learner["gradient_booster"]["model"]
    count = int(shape["num_class"])
    starts = [float(start) for start in shape["base_score"].strip("[]").split(",")]
    nodes: dict[str, list[Any]] = {name: [] for name in _NODE}
    leaves: dict[str, list[Any]] = {name: [] for name in _LEAF}
    for number, (tree, genre) in enumerate(zip(forest["trees"], forest["tree_info"], strict=True)):
        _add_tree(number, tree, genre, nodes, leaves)
    margins = graph.op(
        "TreeEnsembleRegressor",
        values,
        domain=ML,
        n_targets=count,
        base_values=np.broadcast_to(starts, count).tolist(),
        **{f"nodes_{name}": found for name, found in nodes.items()},
        **{f"target_{name}": found for name, found in leaves.items()},
    )
    return graph.op("Softmax", margins, axis=1)


_NODE = ("treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids")
_LEAF = ("treeids", "nodeids", "ids", "weights")


def _add_tree(
    number: int,
    tree: dict[str, Any],
    genre: int,
    nodes: dict[str, list[Any]],
    leaves: dict[str, list[Any]],
) -> None:
    left, right = tree["left_children"], tree["right_children"]
    for node, threshold in enumerate(tree["split_conditions"]):
        is_leaf = left[node] == -1
        described = (
            number,
            node,
            "LEAF" if is_leaf else "BRANCH_LT",
            0 if is_leaf else tree["split_indices"][node],
            0.0 if is_leaf else threshold,
            max(left[node], 0),
            max(right[node], 0),
        )
        for name, value in zip(_NODE, described, strict=True):
            nodes[name].append(value)
        if is_leaf:
            # A leaf's condition is its value, with the learning rate in it.
            for name, value in zip(_LEAF, (number, node, genre, threshold), strict=True):
                leaves[name].append(value)
