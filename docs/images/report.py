"""Take the README's pictures of the report: run from the root of a project with a report.

    python docs/images/report.py docs/images

Needs Chromium, ChromeDriver, ffmpeg and the development extra.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from browser import Browser, opened

REPORT = Path("results/report/index.html")
WIDTH, MARGIN = 1440, 6
"""Of the pictures, and below the leaderboard [px]."""


def main() -> None:
    """Take what a reader sees first, and the leak audit with the cost of each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    take(parser.parse_args().folder)


def take(folder: Path) -> None:
    """Write ``report.png`` and ``evidence.png``."""
    with opened(REPORT.resolve().as_uri(), WIDTH) as browser:
        browser.until(lambda: browser.driver.find_elements("css selector", "#cost svg"))
        board = _edges(browser, "#leaderboard table")[1]
        (folder / "report.png").write_bytes(browser.picture(0, board + MARGIN))
        top, end = _edges(browser, "#audit")[0], _edges(browser, "#cost")[1]
        (folder / "evidence.png").write_bytes(browser.picture(top, end - top))


def _edges(browser: Browser, selector: str) -> tuple[float, float]:
    """Return where the first element of a kind begins and ends [px]."""
    top, end = browser.driver.execute_script(
        "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return [box.top + scrollY, box.bottom + scrollY]",
        selector,
    )
    return top, end


if __name__ == "__main__":
    main()
