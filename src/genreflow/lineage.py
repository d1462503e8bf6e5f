"""Which parameters lie upstream of each artifact.

A workflow rule's ``params:`` holds its own section alone, so that an edit reruns what it must.
The stamp inside an artifact holds all the sections that shaped its content, so that a reader
notices an artifact that was left behind, or brought in from another commit.
"""

from __future__ import annotations

from genreflow.params import Params
from genreflow.registry import FEATURES, entry
from genreflow.steps import STEPS, own_sections, takes_part
from genreflow.store.stamp import Stamp


def upstream(step: str, params: Params) -> tuple[str, ...]:
    """Name the sections that shape what `step` makes, those of earlier steps first."""
    sections: dict[str, None] = {}
    for need in STEPS[step].needs:
        # What a model reads is upstream of it, whether or not the model is compared.
        if need in FEATURES or takes_part(need, params):
            sections |= dict.fromkeys(upstream(need, params))
    return tuple(sections | dict.fromkeys(own_sections(STEPS[step], params)))


def stamp(step: str, params: Params, *, kind: str | None = None) -> Stamp:
    """Return the stamp that an artifact of `step` made under `params` carries.

    Parameters
    ----------
    kind
        What the artifact is, where a step makes several kinds; else it is called like the step.
    """
    sections = {name: params.section(name) for name in upstream(step, params)}
    return Stamp(kind=kind or step, params=sections)


def of_model(model: str, params: Params) -> Stamp:
    """Return the stamp of a trained model."""
    return stamp(entry(model).step, params, kind="model")


def of_family(family: str, params: Params) -> Stamp:
    """Return the stamp of the test tracks after a family of changes; others are not in it."""
    return stamp("changed", params.of_family(family))


def of_answers(model: str, params: Params) -> Stamp:
    """Return the stamp of what a model says of changed tracks; further seeds are not in it."""
    return stamp(entry(model).robustness_step, params.of_training(model, 0))


def of_predictions(model: str, params: Params) -> Stamp:
    """Return the stamp of a trained model's predictions."""
    return stamp(entry(model).step, params, kind="predictions")
