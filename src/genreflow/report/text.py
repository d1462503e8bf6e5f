"""Numbers as a reader wants them: rounded, with units, and a dash where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pandas as pd

NONE = "–"
"""What stands for a value that isn't defined or wasn't measured."""

_MARKUP = re.compile(r"([\\`*\[\]<>|~$&#])")

Value = float | int | None


def percent(share: Value) -> str:
    """Write 0.8123 as ``81.2 %``."""
    return NONE if _missing(share) else f"{100 * float(share or 0):.1f} %"


def percent_interval(share: Value, low: Value, high: Value) -> str:
    """Write ``81.2 % [76.5, 85.5]``."""
    if _missing(low) or _missing(high):
        return percent(share)
    return f"{percent(share)} [{100 * float(low or 0):.1f}, {100 * float(high or 0):.1f}]"


def points(difference: Value) -> str:
    """Write a difference of shares in percentage points, with its sign: ``+10.7``."""
    return NONE if _missing(difference) else _signed(100 * float(difference or 0))


def points_interval(difference: Value, low: Value, high: Value) -> str:
    """Write ``+10.7 [+7.4, +14.2]``."""
    if _missing(low) or _missing(high):
        return points(difference)
    return f"{points(difference)} [{points(low)}, {points(high)}]"


def ratio(value: Value) -> str:
    """Write a number between 0 and 1 with three decimals."""
    return NONE if _missing(value) else f"{float(value or 0):.3f}"


def ratio_interval(value: Value, low: Value, high: Value) -> str:
    """Write ``0.812 [0.765, 0.855]``."""
    if _missing(low) or _missing(high):
        return ratio(value)
    return f"{ratio(value)} [{ratio(low)}, {ratio(high)}]"


def between(low: Value, high: Value, write: Callable[[float], str]) -> str:
    """Write an interval as ``76.5 to 85.5 %``; "" where there is none."""
    if low is None or high is None:
        return ""
    return f"{write(low).removesuffix(' %')} to {write(high)}"


def deviation(share: Value) -> str:
    """Write a standard deviation of shares in percentage points, ``± 1.2``."""
    return NONE if _missing(share) else f"± {100 * float(share or 0):.1f}"


def p_value(value: Value) -> str:
    """Write a p-value with two significant digits, never as zero."""
    if _missing(value):
        return NONE
    p = float(value or 0)
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def number(value: Value) -> str:
    """Write a positive number with three significant digits and thin thousands."""
    if _missing(value):
        return NONE
    size = float(value or 0)
    if size >= 1000:
        return integer(round(size))
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{size:.{decimals}f}"


def integer(value: Value) -> str:
    """Write an integer with thin spaces between the thousands."""
    return NONE if _missing(value) else f"{int(value or 0):,}".replace(",", "\u202f")


def duration(seconds: Value) -> str:
    """Write a time with the unit that suits it: ``0.42 s``, ``38 s``, ``12.5 min``, ``3.1 h``."""
    if _missing(seconds):
        return NONE
    time = float(seconds or 0)
    if time < 100:
        return f"{time:.2f} s" if time < 1 else f"{time:.1f} s" if time < 10 else f"{time:.0f} s"
    return f"{time / 60:.1f} min" if time < 6000 else f"{time / 3600:.1f} h"


def count(n: int, noun: str, plural: str | None = None) -> str:
    """Write ``1 track`` or ``1 000 tracks``."""
    return f"{integer(n)} {noun if n == 1 else plural or noun + 's'}"


def learnt_from(n_train: float, n_valid: float) -> str:
    """Write numbers of training and validation tracks as ``119 + 21``."""
    return f"{integer(round(n_train))} + {integer(round(n_valid))}"


def outside_data(names: Sequence[str]) -> str:
    """Write whether outside data has a say, and which: ``no`` or ``yes (musicnn-msd)``."""
    return f"yes ({', '.join(names)})" if names else "no"


def listing(names: list[str]) -> str:
    """Write ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def markdown(name: str) -> str:
    """Write a genre or folder as it is called, with no markup, HTML or line breaks of its own."""
    return _MARKUP.sub(r"\\\1", " ".join(name.split()))


def _signed(value: float) -> str:
    # A true minus sign, and no "−0.0".
    rounded = round(value, 1) + 0.0
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


def _missing(value: Value) -> bool:
    return value is None or bool(pd.isna(value))


def with_unit(words: str, unit: str) -> str:
    """Append a unit, unless there is no value to measure."""
    return words if words == NONE else f"{words} {unit}"
