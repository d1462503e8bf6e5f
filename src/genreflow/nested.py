"""Nested mappings as flat ones with dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{"mel.n_fft": 1024, …}`` for ``{"mel": {"n_fft": 1024, …}}``, in the same order.

    An empty mapping is a value of its own, so that nothing disappears.
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= {f"{key}.{name}": inner for name, inner in flatten(value).items()}
        else:
            flat[key] = value
    return flat
