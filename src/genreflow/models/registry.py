"""The models by name. Importing this module imports none of them, nor their libraries."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from genreflow import lineage
from genreflow import params as parameters

if TYPE_CHECKING:
    from genreflow.models.base import Model, Signature

BASELINE = "xgb_mel"
"""What every other model is compared with."""


@dataclass(frozen=True)
class Entry:
    """A model as the workflow and the report see it.

    Parameters
    ----------
    name
        As in ``params.yaml``, in paths and in tables.
    title
        As in the report.
    module, class_name
        Where the code lies.
    model_files
        What :meth:`~genreflow.models.base.Model.save` writes.
    table
        The table that training leaves: ``history.csv``, ``cv.csv`` or none.
    """

    name: str
    title: str
    module: str
    class_name: str
    model_files: tuple[str, ...]
    table: str | None = None

    @property
    def features(self) -> str:
        """``"mel"`` or ``"handcrafted"``."""
        return lineage.feature_kind(self.name)

    @property
    def files(self) -> tuple[str, ...]:
        """All that a training job writes into its folder."""
        table = () if self.table is None else (self.table,)
        return ("predictions.parquet", "model.json", *self.model_files, *table)


_SVM, _XGB, _KERAS = "model.skops", "model.ubj", "model.keras"
_ENTRIES = (
    Entry("svm_mel", "SVM on mel windows", "svm_mel", "SvmMel", (_SVM,)),
    Entry("xgb_mel", "XGBoost on mel windows", "xgb_mel", "XgbMel", (_XGB,), "history.csv"),
    Entry(
        "svm_handcrafted",
        "SVM on handcrafted features",
        "svm_handcrafted",
        "SvmHandcrafted",
        (_SVM,),
        "cv.csv",
    ),
    Entry(
        "xgb_handcrafted",
        "XGBoost on handcrafted features",
        "xgb_handcrafted",
        "XgbHandcrafted",
        (_SVM, _XGB),
        "cv.csv",
    ),
    Entry("cnn", "CNN on mel windows", "cnn", "Cnn", (_KERAS,), "history.csv"),
    Entry("lstm", "LSTM on mel windows", "lstm", "Lstm", (_KERAS,), "history.csv"),
    Entry("resnet50", "ResNet50 on mel windows", "resnet50", "Resnet50", (_KERAS,), "history.csv"),
)
MODELS = {entry.name: entry for entry in _ENTRIES}


class UnknownModelError(ValueError):
    """No model has that name; the message lists those there are."""


def entry(name: str) -> Entry:
    """Return the entry of a model.

    Raises
    ------
    UnknownModelError
        There is no such model.
    """
    if name not in MODELS:
        raise UnknownModelError(f"{name}: no such model; there are {', '.join(MODELS)}")
    return MODELS[name]


def module_name(name: str) -> str:
    """Return the dotted name of the module that implements a model."""
    return f"{__package__}.{entry(name).module}"


def create(params: parameters.Model, signature: Signature) -> Model[Any]:
    """Import and construct the model that `signature` names, untrained."""
    found = entry(signature.model)
    model_class = getattr(import_module(module_name(found.name)), found.class_name)
    model: Model[Any] = model_class(params, signature)
    return model
