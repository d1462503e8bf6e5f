"""The names of folds, and of the trainings on them.

Folds are numbered through all repeats of a division: with five folds and two repeats, the second
repeat has folds 5 to 9. A training is called like its fold; a further one with another seed has
its number behind a dot: ``3``, ``3.1``, ``3.2``.
"""

from __future__ import annotations

from genreflow.params import Robustness, Splits


def fold_names(splits: Splits) -> list[str]:
    """Return the folds that a strategy makes; anything but k folds is one fold a repeat."""
    return [str(n) for n in range(_per_repeat(splits) * splits.repeats)]


def changed_folds(splits: Splits, robustness: Robustness) -> list[str]:
    """Return the folds whose test tracks are changed, to see whether models still know them."""
    folds = fold_names(splits)
    return folds if robustness.folds == "all" else folds[:1]


def repeat_of(fold: str, splits: Splits) -> int:
    """Return the number of the repeat that a fold belongs to, from 0."""
    return int(fold) // _per_repeat(splits)


def _per_repeat(splits: Splits) -> int:
    return splits.n_splits if splits.strategy == "kfold" else 1


def training_names(splits: Splits, seeds: int) -> list[str]:
    """Return the trainings of a model that has so many seeds, those of a seed side by side."""
    folds = fold_names(splits)
    return [training_name(fold, n) for n in range(seeds) for fold in folds]


def training_name(fold: str, number: int) -> str:
    """Return what the training on a fold with its seed of this number, from 0, is called."""
    return fold if number == 0 else f"{fold}.{number}"


def parse_training(name: str) -> tuple[str, int]:
    """Return the fold of a training, and the number of its seed, from 0."""
    fold, _, number = name.partition(".")
    return fold, int(number or 0)


def name_order(name: str) -> tuple[int, int, str]:
    """Order "2" before "10", "2" before "2.1", and names without a number by their text."""
    fold, _, number = name.partition(".")
    if not (fold.isdecimal() and (number or "0").isdecimal()):
        return 0, 0, name
    return int(fold), int(number or 0), name
