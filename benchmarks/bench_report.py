"""Measure how soon a report is there, in headless Chromium.

    python benchmarks/bench_report.py results/report/index.html

Each time counts from the start of the navigation, in a new browser with an empty cache: until the
text is there and can be scrolled (DOMContentLoaded), until the browser calls the page loaded, and
until the last chart is drawn, which waits until nothing else is to be done.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
WINDOWS = {"desk": 1440, "phone": 390}

NAVIGATION = """
const {domContentLoadedEventEnd, loadEventEnd} = performance.getEntriesByType("navigation")[0];
return [domContentLoadedEventEnd, loadEventEnd, performance.now()];
"""


def main(
    page: Annotated[Path, typer.Argument(help="A report.")] = Path("results/report/index.html"),
    repeats: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """Print medians, at a desk's width and a phone's."""
    table = Table(title=f"{page}, {page.stat().st_size / 1e6:.1f} MB")
    for name in ("window", "DOMContentLoaded", "loaded", "last chart drawn"):
        table.add_column(name, justify="right")
    for name, width in WINDOWS.items():
        times = [measure(page, width) for _ in range(repeats)]
        medians = (statistics.median(column) for column in zip(*times, strict=True))
        table.add_row(name, *(f"{value / 1000:.2f} s" for value in medians))
    Console().print(table)


def measure(page: Path, width: int) -> tuple[float, float, float]:
    """Open the page once; return the three times [ms]."""
    options = ChromeOptions()
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--window-size={width},900", f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver: Any = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
        try:
            driver.get(page.resolve().as_uri())
            while not driver.execute_script("return document.documentElement.dataset.ready"):
                time.sleep(0.01)
            content, loaded, drawn = driver.execute_script(NAVIGATION)
        finally:
            driver.quit()
    return content, loaded, drawn


if __name__ == "__main__":
    typer.run(main)
