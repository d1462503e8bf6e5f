"""Leave the names of all modules that a workflow script has imported in ``.cache/imports``.

Python imports this at start-up, where the folder lies on ``PYTHONPATH``.
"""

import atexit
import json
import os
import sys
from pathlib import Path


def leave_names() -> None:
    if snakemake := getattr(sys.modules["__main__"], "snakemake", None):
        folder = Path(".cache/imports")
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(
            name for name in sys.modules if "." not in name or name.startswith("genreflow.")
        )
        (folder / f"{snakemake.rule}.{os.getpid()}.json").write_text(json.dumps(names))


atexit.register(leave_names)
