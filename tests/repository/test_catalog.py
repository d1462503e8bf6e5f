"""What the catalog of Snakemake workflows looks for, and what it can't have."""

import re

import pytest
import yaml

from tests.conftest import BIN, ROOT, Project

MODULE = """
module genreflow:
    snakefile: "{snakefile}"
    config: config

use rule * from genreflow
"""


def test_the_catalog_is_told_how_to_use_it():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["report"] is True, "tests/workflow/test_workflow.py makes one without a network"
    assert not any(usage["software-stack-deployment"].values()), "no rule has its own environment"
    rules = "".join(path.read_text() for path in ROOT.glob("workflow/rules/*.smk"))
    assert "conda:" not in rules
    assert "container:" not in rules


def test_every_result_in_the_report_has_a_caption_and_a_category():
    rules = (ROOT / "workflow/rules/report.smk").read_text(encoding="utf-8")
    shown = re.findall(r"=report\((.*?)\n        \),", rules, re.DOTALL)
    assert len(shown) == 3
    for result in shown:
        caption = re.search(r'caption="\.\./(.*?)"', result)
        assert caption
        assert (ROOT / "workflow" / caption[1]).is_file()
        assert "category=" in result


def test_the_readme_where_the_catalog_looks_names_files_that_exist():
    page = ROOT / "config/README.md"
    links = re.findall(r"\]\((?!http)(.*?)\)", page.read_text(encoding="utf-8"))
    assert len(links) > 3
    assert all((page.parent / link).exists() for link in links)


@pytest.mark.workflow
def test_a_module_of_another_workflow_is_refused_with_what_to_do(tmp_path):
    other = Project(tmp_path)
    (tmp_path / "Snakefile").write_text(MODULE.format(snakefile=ROOT / "Snakefile"))
    done = other.run(str(BIN / "snakemake"), "-n", "--cores", "1", check=False)
    assert done.returncode == 1
    assert "genreflow runs in a clone of its own" in done.stdout + done.stderr
    assert "config/README.md" in done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {".snakemake", "Snakefile"}
