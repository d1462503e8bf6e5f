"""The site of the documentation: it builds without a warning, and needs no network to be read."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.report.test_report_browser import CHROMEDRIVER, CHROMIUM, FLAGS, js, wait_until

pytestmark = pytest.mark.skipif(
    find_spec("mkdocs") is None or find_spec("mkdocstrings") is None, reason="needs MkDocs"
)

FETCHED = {"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"}
"""Elements whose address a browser fetches by itself."""


class Assets(HTMLParser):
    """Collects what a page has the browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FETCHED:
            self.found += [value or "" for name, value in attrs if name in ("src", "href", "data")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    # Not --quiet: warnings that aren't shown don't count as --strict counts them.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", out]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_page_is_built(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert len(pages) > 25
    assert pages <= {path.stem for path in site.glob("*.html")}


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assets = Assets()
        assets.feed(page.read_text(encoding="utf-8"))
        assert len(assets.found) > 3, page
        assert [url for url in assets.found if re.match(r"(https?:)?//", url)] == [], page
    for sheet in site.rglob("*.css"):
        urls = re.findall(r"(?:url\(|@import)\s*['\"]?([^)'\"\s]+)", sheet.read_text("utf-8"))
        assert [url for url in urls if re.match(r"(https?:)?//", url)] == [], sheet


@pytest.mark.browser
@pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="needs Chromium and ChromeDriver")
def test_opened_from_the_disk_a_page_asks_nobody_and_finds_what_is_searched(
    site: Path, tmp_path: Path
) -> None:
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(CHROMEDRIVER))
    try:
        driver.set_window_size(1280, 900)
        driver.get((site / "tutorial.html").as_uri())
        driver.find_element("css selector", "input.md-search__input").send_keys("unbalanced")
        results = ".md-search-result__item h1, .md-search-result__item h2"
        wait_until(lambda: driver.find_elements("css selector", results))
        first = driver.find_elements("css selector", results)[0]
        assert first.get_attribute("textContent") == "Unbalanced genres"
        # What comes from the disk isn't listed.
        assert js(driver, "performance.getEntriesByType('resource').map((e) => e.name)") == []
        assert driver.get_log("browser") == []
    finally:
        driver.quit()


def test_the_page_of_commands_holds_every_command_and_option(site: Path) -> None:
    text = (site / "reference-cli.html").read_text(encoding="utf-8")
    for name in ("predict", "tag", "similar", "serve", "export", "prune", "corpus groups"):
        assert f"<code>genreflow {name}</code>" in text
    for option in ("--min-familiarity", "--resume", "--undo", "--max-minutes", "--subset"):
        assert option in text
    assert "genreflow workflow" not in text


def test_the_page_for_python_holds_what_a_user_calls(site: Path) -> None:
    text = (site / "reference-api.html").read_text(encoding="utf-8")
    for name in (
        "genreflow.load",
        "genreflow.prediction.classifier.Classifier.predict_proba",
        "genreflow.models.base.Model.fit",
        "genreflow.params.load",
    ):
        assert f'id="{name}"' in text
    assert ":func:" not in text


def test_the_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^):#\s]+)\)", text)
    assert len(links) > 30
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_links_out_of_the_documentation_lead_to_the_repository(site: Path) -> None:
    text = (site / "cluster.html").read_text(encoding="utf-8")
    link = "https://github.com/genreflow/genreflow/blob/main/profiles/slurm/config.yaml"
    assert f'href="{link}"' in text
