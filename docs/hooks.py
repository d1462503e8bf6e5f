"""What MkDocs does to a page before it renders it: see `hooks` in mkdocs.yml."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"(\]\()\.\./([^)#\s]+)")
"""A link out of the folder of the documentation, which works on GitHub alone."""
_COMMANDS = "<!-- the commands -->"


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Point links out of docs/ to the repository; say what the commands say of themselves."""

    def to_repository(link: re.Match[str]) -> str:
        if not (ROOT / link[2]).exists():
            raise PluginError(f"{page.file.src_uri} links to ../{link[2]}, which isn't there")
        return f"{link[1]}{config.extra['repository']}/blob/main/{link[2]}"

    markdown = _LINK.sub(to_repository, markdown)
    return markdown.replace(_COMMANDS, _commands()) if _COMMANDS in markdown else markdown


def on_page_content(html: str, **_: Any) -> str:
    """Take the roles of Sphinx out of docstrings, which editors show with them."""
    return re.sub(r":(?:class|func|meth|mod):(?=<code>)", "", html)


def _commands() -> str:
    """Return what typer writes of all commands, a heading each."""
    command = [sys.executable, "-m", "typer", "genreflow.cli", "utils", "docs"]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, "--name", "genreflow"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise PluginError(f"the commands can't be listed: {done.stderr.strip()}")
    without_title = done.stdout.partition("\n")[2]
    # What DVC's stages and `make` call is for nobody else.
    listed = re.sub(r"^\* `workflow`:.*\n", "", without_title, flags=re.MULTILINE)
    return listed.partition("\n## `genreflow workflow`")[0]
