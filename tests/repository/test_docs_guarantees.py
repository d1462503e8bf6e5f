"""The page of guarantees names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
TESTS = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py")}


def test_every_test_that_the_page_names_exists():
    file, missing, named = "", [], 0
    for name in re.findall(r"`((?:test_\w+\.py)?::test_\w+)`", PAGE):
        module, _, test = name.partition("::")
        file = module or file
        named += 1
        if not re.search(rf"^def {test}\(", TESTS.get(file, ""), re.M):
            missing.append(f"{file}::{test}")
    assert missing == []
    assert named > 60


def test_every_promise_names_a_test():
    for line in PAGE.splitlines():
        if line.startswith("| ") and not line.startswith("| promise"):
            assert "::test_" in line, line
