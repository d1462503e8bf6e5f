"""Files dated in the future, left from a time when the clock was ahead.

Snakemake compares dates. What is made now would be older than what it is made from, which
Snakemake takes for an error, and deletes; and an output dated tomorrow would look newer than all
that is made until then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def bring_to_now(folders: Iterable[Path]) -> int:
    """Date files below `folders` that are dated in the future to this moment; return how many.

    They keep their order among each other and to all other files.
    """
    now = time.time_ns()
    ahead = []
    for folder in folders:
        for path in folder.rglob("*"):
            with suppress(FileNotFoundError):  # a run under way renames its files
                date = path.lstat().st_mtime_ns
                if date > now:
                    ahead.append((date, path))
    rank = {date: number for number, date in enumerate(sorted({date for date, _ in ahead}))}
    for date, path in ahead:
        brought = now - (len(rank) - 1 - rank[date]) * 1000
        with suppress(FileNotFoundError):
            os.utime(path, ns=(brought, brought), follow_symlinks=False)
    return len(ahead)
