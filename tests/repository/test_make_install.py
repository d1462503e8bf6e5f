"""What `make` installs goes into its own environment, never into the user's Python."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

UV = """#!{python}
import pathlib, sys
pathlib.Path("asked").write_text(sys.prefix)
"""
"""A stand-in for uv, which notes where it would install."""


@pytest.mark.parametrize("lost", [False, True], ids=["whole", "without pyvenv.cfg"])
def test_where_packages_go(tmp_path, lost):
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy2(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    environment = tmp_path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    uv = environment / "bin/uv"
    uv.write_text(UV.format(python=environment / "bin/python"))
    uv.chmod(0o755)
    (tmp_path / "requirements/uv.lock").write_text("")
    uv.touch()
    if lost:
        (environment / "pyvenv.cfg").unlink()
    done = subprocess.run(
        ["make", ".venv/.installed"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "asked").read_text() == str(environment)
    assert ("Setting up" in done.stdout) is lost
