import subprocess
import sys

import pytest

from genreflow.code import code_digest, modules_behind


def names(*entries):
    return {path.stem for path in modules_behind(*entries)}


def test_a_module_depends_on_what_it_imports_and_on_nothing_else():
    assert {"splits", "artifacts", "params"} <= names("genreflow.splits")
    assert "audio" not in names("genreflow.splits")
    assert "mel" not in names("genreflow.tracks")


def test_templates_beside_a_module_belong_to_it():
    assert "page.html" in names("genreflow.report.build")


def test_digest_is_the_same_in_every_process():
    code = "from genreflow.provenance import code_digest; print(code_digest('genreflow.splits'))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == code_digest("genreflow.splits")


def test_an_unknown_module_is_an_error():
    with pytest.raises(ValueError, match=r"genreflow\.nothing"):
        code_digest("genreflow.nothing")
