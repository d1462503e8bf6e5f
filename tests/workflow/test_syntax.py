"""Two sources mean the same if they do the same, however they are written."""

import hashlib

import pytest

from genreflow.syntax import meaning

SOURCE = '''
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Point:
    """A point."""

    x: float
    y: float = 0.0


@cache
def scaled(values: list[float], by: float = 2.0) -> list[float]:
    """Scale."""
    names: dict[str, int] = {"a": 1}
    total = sum(values) + names["a"]  # all of them
    print(f"{total:.3f} in all")
    return [(value * by) for value in values if value > 0]
'''


def edited(old: str, new: str) -> str:
    assert SOURCE.count(old) == 1, old
    return SOURCE.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # all of them", ""),
        ("  # all of them", "  # type: ignore"),
        ('    """Scale."""\n', ""),
        ('    """A point."""\n', "    'A place.'\n"),
        ("    y: float = 0.0\n", '    y: float = 0.0\n    """Height."""\n'),
        ("import numpy as np\n", "import numpy as np\n\n\n\n"),
        ("    total = sum(values)", "    total = \\\n        sum(values)"),
        ('{"a": 1}', "{'a': 1}"),
        ('{"a": 1}', '{"a": 1,}'),
        ('{"a": 1}', '{"a": 0x1}'),
        ('f"{total:.3f} in all"', "f'{total:.3f} in all'"),
        ('f"{total:.3f} in all"', 'f"{total:.3f}" " in all"'),
        ("[(value * by) for", "[value * by for"),
        ("by: float = 2.0)", "by: float = 2.0,)"),
        ("values: list[float], by: float", "values, by: int"),
        (" -> list[float]:", ":"),
        ("names: dict[str, int] = {", "names = {"),
        ("    x: float\n", "    x: int\n"),
        ("    from pathlib import Path\n", "    from collections.abc import Sequence\n"),
        ("if TYPE_CHECKING:\n    from pathlib import Path\n", ""),
        ("from __future__ import annotations\n", ""),
        ("    return [", "    pass\n    return ["),
    ],
)
def test_how_it_is_written_does_not_count(old, new):
    assert meaning(edited(old, new)) == meaning(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value > 0", "value > 1"),
        ("value > 0", "value > 0.0"),
        ("value > 0", "value > False"),
        ("value > 0", "value >= 0"),
        ("value * by", "value + by"),
        ("by: float = 2.0", "by: float = 3.0"),
        ("by: float = 2.0", "by: float"),
        ("@cache\n", ""),
        ("frozen=True", "frozen=False"),
        ("    y: float = 0.0\n", "    y: float = 0.0\n    z: float = 0.0\n"),
        ("    x: float\n    y: float = 0.0\n", "    y: float = 0.0\n    x: float\n"),
        ("    x: float\n", ""),
        ("} in all", "} altogether"),
        ("{total:.3f}", "{total:.2f}"),
        ("{total:.3f}", "{total!r:.3f}"),
        ("import numpy as np", "import numpy as jnp"),
        ("    return [", "    ["),
        ("def scaled", "async def scaled"),
        ('    print(f"{total:.3f} in all")\n', ""),
        ('{"a": 1}', '{b"a": 1}'),
        ("if TYPE_CHECKING:", "if not TYPE_CHECKING:"),
    ],
)
def test_what_it_does_counts(old, new):
    assert meaning(edited(old, new)) != meaning(SOURCE)


def test_what_runs_when_types_are_not_checked_counts():
    source = "if TYPE_CHECKING:\n    import a\nelse:\n    import {}\n"
    assert meaning(source.format("b")) != meaning(source.format("c"))
    assert meaning("import b\n") == meaning(source.format("b"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f(a, *b)", "f(a, b)"),
        ("{**a, None: b}", "{None: a, **b}"),
        ("def f(*, a): ...", "def f(*, a=None): ..."),
        ("def f(a, /): ...", "def f(a): ..."),
        ("x = a, b", "x = a\nb"),
        ("if a:\n    b\nc", "if a:\n    b\n    c"),
        ("f'{a}b'", "f'{a}' + 'b'"),
        ("f'{a}{{'", "f'{a}}}'"),
        ("f'{a}'", "'{a}'"),
        ("match a:\n    case None: b", "match a:\n    case True: b"),
        ("global a, b", "global ab"),
        ("x = -1", "x = 1"),
        ("return_ = 1", "return_ = 1.0"),
        ("del a", "a"),
        ("raise a from b", "raise a"),
    ],
)
def test_what_looks_alike_is_told_apart(one, other):
    assert meaning(one) != meaning(other)


def test_what_is_no_python_is_an_error():
    with pytest.raises(SyntaxError):
        meaning("def f(:")


FIXED = '''
from __future__ import annotations
import os as system, sys

@decorator(1, key="value", **more)
@other.one
class C(Base, metaclass=Meta):
    """Text."""
    field: int = 3
    bare: str

    async def method(self, a, /, b=1, *args, c, d=None, **kwargs) -> None:
        async with self.lock as lock, other():
            async for x in source(*args, **kwargs):
                await x
        return [y async for y in x if y]

def f(*, n: int = 0):
    if (m := n + 1) > 2 and not n or ...:
        yield m
    else:
        yield from ()
    nonlocal_ = lambda p, *q: (p, *q)
    text = f"a{n!r:>{m}.{n + 1}}b" "c" f"{n=}{m:%H:%M}" rf"\\d{n}{{}}é"
    bits = {1: b"x", **{2: 1e-3}, None: 1j}
    return nonlocal_[1:2, ::3], {*bits}, text if n else -n ** ~m

match command:
    case ["go", *rest] | ("run" as rest):
        pass
    case {"key": 1 | -2, **others} if others:
        del others[0]
    case Point(x=0, y=None) | None | True:
        assert others, "message"
    case _:
        raise ValueError(command) from None

try:
    x += 1; y: int; z: int = 2
except* (OSError, ValueError) as group:
    pass
else:
    while x is not None:
        break
finally:
    with open("name") as (a, b.c), d[0] as e:
        continue_ = {k: v for k, v in a.items() if v not in b}
'''
GOLDEN = "71caf655a90e8d10759e6fe33115a02f206c4e6497c1a5f18e4102d653a1cf30"
"""The same on Python 3.11, 3.12 and 3.13."""


def test_every_version_of_python_finds_the_same_meaning():
    assert hashlib.sha256(meaning(FIXED).encode()).hexdigest() == GOLDEN
