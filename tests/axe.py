"""What axe-core, the usual checker of accessibility, says of a page in a browser."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ERRORS = ("serious", "critical")


def violations(driver: Any) -> list[str]:
    """Return what hinders people, one line for each kind: impact, rule, how often, where first."""
    driver.execute_script(_script())
    run = (
        "const done = arguments[0]; axe.run({resultTypes: ['violations']})"
        ".then(done, (error) => done({failed: `${error}`, passes: []}));"
    )
    found = driver.execute_async_script(run)
    assert len(found["passes"]) > 10, found.get("failed", "axe has looked at next to nothing")
    return [
        f"{one['impact']} {one['id']}: {len(one['nodes'])}, first {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in ERRORS
    ]


@cache
def _script() -> str:
    # The package drives Playwright with a copy of axe-core; the copy alone is of use here.
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-playwright-python isn't installed: make lint installs it")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")
