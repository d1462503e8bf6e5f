"""Names as cells of a CSV: no spreadsheet takes one for a formula, and each comes back as it was.

Genres, files and artists are called whatever people call them, and a spreadsheet computes a cell
that begins like a formula (``=cmd|'/C calc'!A0``). So whatever genreflow writes as CSV has an
apostrophe before such a name, which spreadsheets hide; whatever reads these files takes it off
again. A name that begins with apostrophes and then like a formula gets one more: none is lost.

References
----------
OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def guarded(name: str) -> str:
    """Return a name as the cell that stands for it."""
    return f"'{name}" if _FORMULA.match(name) else name


def unguarded(cell: str) -> str:
    """Return the name that a cell stands for."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def in_names(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Change all text of a table, column names included; numbers stay as they are."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    copy = table.copy()
    for name in table.columns.difference(table.select_dtypes(["number", "bool"]).columns):
        copy[name] = table[name].map(changed)
    return copy.rename(columns=changed)
