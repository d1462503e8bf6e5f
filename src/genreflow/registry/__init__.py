"""All models and kinds of features by name: the only place that lists them.

An entry holds facts and parameters, no code: importing this package imports no model and no
library of theirs. Parameters, rules, DVC's stages, plots and documents are made from it.

A model of another package takes part by an entry point of the group ``genreflow.models`` that
names a :class:`~genreflow.registry.entry.ModelEntry`.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata

from genreflow.registry import (
    cnn,
    embedding,
    handcrafted,
    lstm,
    mel,
    mlp_embedding,
    resnet50,
    svm_embedding,
    svm_fusion,
    svm_handcrafted,
    svm_mel,
    xgb_handcrafted,
    xgb_mel,
)
from genreflow.registry.entry import FeatureKind, ModelEntry, RegistryError

ENTRY_POINTS = "genreflow.models"

FEATURES: dict[str, FeatureKind] = {
    kind.name: kind for kind in (handcrafted.KIND, mel.KIND, embedding.KIND)
}

BUILT_IN: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        svm_mel.ENTRY,
        xgb_mel.ENTRY,
        svm_handcrafted.ENTRY,
        xgb_handcrafted.ENTRY,
        cnn.ENTRY,
        lstm.ENTRY,
        resnet50.ENTRY,
        svm_embedding.ENTRY,
        mlp_embedding.ENTRY,
        svm_fusion.ENTRY,
    )
}

WITHOUT_OUTSIDE_DATA = tuple(
    name
    for name, entry in BUILT_IN.items()
    if not any(FEATURES[kind].optional for kind in entry.reads)
)
"""The models that need nothing but the corpus: those of a plain run."""

BASELINE = xgb_mel.ENTRY.name
"""What every other model is compared with."""

PROBES = (svm_handcrafted.ENTRY.name, BASELINE)
"""What side studies train: cheap models, one for each kind of features."""

ENSEMBLE = "ensemble"
"""How the weighted vote of all models that know the corpus alone is called among them."""

OPEN_ENSEMBLE = "ensemble_open"
"""How the weighted vote of all models is called where outside data has a say in some of them."""

ENSEMBLES = (ENSEMBLE, OPEN_ENSEMBLE)


def _from_other_packages() -> dict[str, ModelEntry]:
    """Load the entries that installed packages offer.

    Raises
    ------
    RegistryError
        An entry can't be imported, is no entry, or has a name or features that can't be.
    """
    found: dict[str, ModelEntry] = {}
    for point in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        package = point.dist.name if point.dist else point.module
        complaint = f"model {point.name} of the package {package}"
        try:
            entry = point.load()
        except Exception as error:
            raise RegistryError(
                f"{complaint}: {point.value} can't be imported ({error}); mend or uninstall it"
            ) from error
        if not isinstance(entry, ModelEntry) or entry.name != point.name:
            raise RegistryError(
                f"{complaint}: {point.value} is no ModelEntry called {point.name}; mend it"
            )
        if entry.name in BUILT_IN or entry.name in found or entry.name in ENSEMBLES:
            raise RegistryError(f"{complaint}: there is a model of that name; rename it")
        if unknown := [kind for kind in entry.reads if kind not in FEATURES]:
            raise RegistryError(
                f"{complaint}: reads {', '.join(unknown)}, but there are {', '.join(FEATURES)}; "
                "mend it"
            )
        found[entry.name] = replace(entry, distribution=package)
    return found


MODELS: dict[str, ModelEntry] = BUILT_IN | _from_other_packages()


def entry(name: str) -> ModelEntry:
    """Return the entry of a model.

    Raises
    ------
    RegistryError
        There is no such model.
    """
    if name not in MODELS:
        raise RegistryError(f"{name}: no such model; there are {', '.join(MODELS)}")
    return MODELS[name]


def kinds_of(model: str) -> tuple[FeatureKind, ...]:
    """Return the kinds of features that a model reads; see :func:`entry` for the error."""
    return tuple(FEATURES[kind] for kind in entry(model).reads)
