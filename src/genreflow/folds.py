"""The names of the folds."""

from __future__ import annotations

from genreflow.params import Splits


def fold_names(splits: Splits) -> list[str]:
    """Return the folds that a strategy makes; anything but k folds is one fold."""
    return [str(n) for n in range(splits.n_splits if splits.strategy == "kfold" else 1)]


def fold_order(name: str) -> tuple[int, str]:
    """Order "2" before "10" and names without a number by their text."""
    return (int(name), name) if name.isdecimal() else (0, name)
