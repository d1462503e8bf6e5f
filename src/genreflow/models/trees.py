"""Trees in XGBoost's own JSON format, checked before XGBoost sees them.

XGBoost is C++ and trusts its files: a broken one ends the process, or makes it read memory that
isn't its own. So Python's parser reads the file, everything that XGBoost follows without looking
(sizes of arrays, numbers of children and features) is checked here, and XGBoost is handed what was
checked and nothing else. Its binary format, UBJSON, holds the same, but nothing reads it safely.

References
----------
"Introduction to Model IO", https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
(the format and its schema).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from genreflow.models.base import ModelFileError
from genreflow.models.reading import REMEDY, reading
from genreflow.store.files import atomic

if TYPE_CHECKING:
    import xgboost as xgb

_LARGEST = 2**31 - 1
_NONE = _LARGEST
"""What the root of a tree calls its parent."""

Whole = Annotated[int, Field(ge=-1, le=_LARGEST)]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
Number = Annotated[float, Field(allow_inf_nan=True)]
Floats = Annotated[str, Field(pattern=r"^\[?[-+0-9.eE,]{1,65536}\]?$")]
Text = Annotated[str, Field(max_length=1000)]
Empty = Annotated[list[Any], Field(max_length=0)]
_ONE: Literal["1"] = "1"


class _Part(BaseModel):
    """A part of the file; what isn't named here never reaches XGBoost."""

    model_config = ConfigDict(extra="ignore", strict=True, ser_json_inf_nan="constants")


class _TreeSize(_Part):
    num_deleted: Literal["0"]
    num_feature: Digits
    num_nodes: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$")]
    size_leaf_vector: Literal["0", "1"]


class _Tree(_Part):
    """One tree: node 0 is its root, and a node's children come after it."""

    id: Whole
    tree_param: _TreeSize
    left_children: list[Whole]
    right_children: list[Whole]
    parents: list[Whole]
    split_indices: list[Whole]
    split_conditions: list[Number]
    split_type: list[Literal[0]]
    default_left: list[Literal[0, 1]]
    base_weights: list[Number]
    loss_changes: list[Number]
    sum_hessian: list[Number]
    categories: Empty
    categories_nodes: Empty
    categories_segments: Empty
    categories_sizes: Empty

    @model_validator(mode="after")
    def _leads_from_the_root_to_leaves(self) -> Self:
        n = int(self.tree_param.num_nodes)
        arrays = (
            *(self.left_children, self.right_children, self.parents, self.split_indices),
            *(self.split_conditions, self.split_type, self.default_left),
            *(self.base_weights, self.loss_changes, self.sum_hessian),
        )
        if any(len(array) != n for array in arrays):
            raise ValueError(f"holds arrays of other lengths than its {n} nodes")
        left, right, parent, feature = (
            np.array(values, dtype=np.int64)
            for values in (
                self.left_children,
                self.right_children,
                self.parents,
                self.split_indices,
            )
        )
        if ((left == -1) != (right == -1)).any():
            raise ValueError("holds a node with one child")
        inner = np.flatnonzero(left != -1)
        children, of = np.concatenate([left[inner], right[inner]]), np.tile(inner, 2)
        if (children <= of).any() or (children >= n).any():
            raise ValueError("holds a node whose children don't come after it")
        parent_of = np.full(n, _NONE)
        parent_of[children] = of
        if len(np.unique(children)) != n - 1 or (parent != parent_of).any():
            raise ValueError("holds a node whose parent is another than it says")
        if (feature < 0).any() or (feature >= int(self.tree_param.num_feature)).any():
            raise ValueError("splits on a feature that isn't there")
        return self


class _ForestSize(_Part):
    num_parallel_tree: Literal["1"]
    num_trees: Digits


class _Categories(_Part):
    enc: Empty
    feature_segments: Empty
    sorted_idx: Empty


class _Forest(_Part):
    gbtree_model_param: _ForestSize
    trees: list[_Tree]
    tree_info: list[Whole]
    iteration_indptr: list[Whole]
    cats: _Categories | None = None


class _Booster(_Part):
    name: Literal["gbtree"]
    model: _Forest


class _Shape(_Part):
    base_score: Floats
    boost_from_average: Literal["0", "1"] = _ONE
    num_class: Digits
    num_feature: Digits
    num_target: Literal["1"] = _ONE


class _Objective(_Part):
    name: Literal["multi:softprob"]
    softmax_multiclass_param: dict[Literal["num_class"], Digits]


class _Learner(_Part):
    attributes: dict[Text, Text]
    feature_names: list[Text]
    feature_types: list[Literal["float", "int", "i", "q"]]
    gradient_booster: _Booster
    learner_model_param: _Shape
    objective: _Objective

    @model_validator(mode="after")
    def _is_of_one_size(self) -> Self:
        shape, forest = self.learner_model_param, self.gradient_booster.model
        n_classes, n_features = int(shape.num_class), int(shape.num_feature)
        if self.objective.softmax_multiclass_param.get("num_class") != shape.num_class:
            raise ValueError("the objective has another number of classes")
        if shape.base_score.count(",") not in (0, n_classes - 1):
            raise ValueError("base_score has another number of classes")
        for names in (self.feature_names, self.feature_types):
            if len(names) not in (0, n_features):
                raise ValueError("names another number of features")
        if [tree.id for tree in forest.trees] != list(range(len(forest.trees))):
            raise ValueError("numbers its trees in another order than theirs")
        n_trees = int(forest.gbtree_model_param.num_trees)
        rounds = np.array(forest.iteration_indptr, dtype=np.int64)
        if not len(forest.trees) == len(forest.tree_info) == n_trees:
            raise ValueError(f"holds another number of trees than {n_trees}")
        if any(not 0 <= genre < n_classes for genre in forest.tree_info):
            raise ValueError("holds a tree of a class that isn't there")
        if (
            not len(rounds)
            or rounds[0] != 0
            or rounds[-1] != n_trees
            or (np.diff(rounds) < 0).any()
        ):
            raise ValueError("iteration_indptr doesn't count its trees")
        if any(int(tree.tree_param.num_feature) != n_features for tree in forest.trees):
            raise ValueError("holds a tree of other features")
        return self


class _File(_Part):
    learner: _Learner
    version: Annotated[
        list[Annotated[int, Field(ge=0, le=1000)]], Field(min_length=3, max_length=3)
    ]


def save_trees(trees: xgb.Booster, path: Path) -> None:
    """Write trees in XGBoost's own JSON format."""
    with atomic(path) as temporary:
        temporary.write_bytes(trees.save_raw("json"))


def load_trees(path: Path, n_inputs: int, n_genres: int) -> xgb.Booster:
    """Read what :func:`save_trees` wrote.

    Parameters
    ----------
    path
        The file.
    n_inputs, n_genres
        Numbers in a row that the trees read, and genres that they tell apart.

    Raises
    ------
    ModelFileError
        The file is missing or damaged, or holds other trees than these.
    """
    import xgboost

    with reading(path):
        checked = _File.model_validate_json(path.read_bytes())
        shape = checked.learner.learner_model_param
        found = (int(shape.num_feature), int(shape.num_class))
        if found != (n_inputs, n_genres):
            raise ModelFileError(
                f"{path}: turns {found[0]} numbers into {found[1]} genres, but model.json asks "
                f"for {n_inputs} and {n_genres}; {REMEDY}"
            )
        plain = checked.model_dump_json(exclude_none=True).encode()
        return xgboost.Booster(model_file=bytearray(plain))


def count_nodes(trees: xgb.Booster) -> int:
    """Return how many thresholds and leaf values the trees hold."""
    return sum(tree.count(":") for tree in trees.get_dump())
