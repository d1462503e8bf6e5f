"""The report page in a real browser, with the network off."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genreflow.report.build import build_report
from tests.axe import violations
from tests.synthetic_results import evaluate_run, explore_run, make_run

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMEDRIVER = shutil.which("chromedriver")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(tmp_path_factory.mktemp("page") / "results", tracks_per_genre=6, windows=3)
    evaluate_run(run)
    explore_run(run)
    build_report(run.params, run.inputs, run.report)
    return run.report / "index.html"


@pytest.fixture(scope="module")
def browser(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip("Chromium or ChromeDriver is not installed (Debian: chromium-driver)")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(CHROMEDRIVER))
    try:
        open_page(driver, page, 1440)
        yield driver
    finally:
        driver.quit()


def open_page(driver: Any, page: Path, width: int, scheme: str = "light") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    driver.get(page.as_uri())
    wait_until(lambda: driver.execute_script("return document.documentElement.dataset.ready"))


def wait_until(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the page did not get there in time"
        time.sleep(0.05)


def js(driver: Any, script: str) -> Any:
    return driver.execute_script(f"return {script}")


def column(driver: Any, table: str, number: int) -> list[str]:
    return js(
        driver,
        f"[...document.querySelectorAll('{table} tbody tr')]"
        f".map((row) => row.cells[{number}].dataset.value)",
    )


def choose(driver: Any, name: str, value: str) -> None:
    """Choose a radio button as a reader does: by clicking its label."""
    driver.execute_script(
        f'document.querySelector(\'input[name="{name}"][value="{value}"]\')'
        ".closest('label').querySelector('span').click()"
    )


def test_the_console_stays_silent_and_nothing_is_fetched(browser: Any) -> None:
    assert browser.get_log("browser") == []
    fetched = js(browser, "performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert all(name.startswith("data:") for name in fetched)


def test_every_chart_is_drawn(browser: Any) -> None:
    empty = js(
        browser,
        "[...document.querySelectorAll('.chart')]"
        ".filter((place) => !place.querySelector('svg')).map((place) => place.id)",
    )
    assert empty == []


def test_a_click_on_a_heading_sorts_and_a_second_turns_it_round(browser: Any) -> None:
    from selenium.webdriver.common.by import By

    button = browser.find_elements(By.CSS_SELECTOR, ".leaderboard thead button")[0]
    # At once: a click in the middle of smooth scrolling lands elsewhere.
    place = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
    browser.execute_script(place, button)
    button.click()
    names = column(browser, ".leaderboard", 0)
    assert names == sorted(names)
    assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"
    button.click()
    assert column(browser, ".leaderboard", 0) == names[::-1]


def test_headings_sort_by_keyboard_and_empty_cells_stay_last(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    buttons = browser.find_elements(By.CSS_SELECTOR, ".leaderboard thead button")
    p_value = next(button for button in buttons if button.text.strip().startswith("p"))
    for _ in range(2):
        p_value.send_keys(Keys.ENTER)
        values = column(browser, ".leaderboard", 6)
        assert values[-1] == ""
    numbers = [float(value) for value in values[:-1]]
    assert numbers == sorted(numbers)


def test_confusion_matrices_switch_model_rates_and_level(browser: Any) -> None:
    shown = (
        "[...document.querySelectorAll('.matrix:not([hidden])')]"
        ".map((one) => [one.dataset.model, one.dataset.level])"
    )
    choose(browser, "confusion-model", "lstm")
    assert js(browser, shown) == [["lstm", "track"]]
    choose(browser, "confusion-level", "window")
    assert js(browser, shown) == [["lstm", "window"]]
    cell = "document.querySelector('.matrix:not([hidden]) td.right:not(.zero)').innerText"
    counted = js(browser, cell)
    choose(browser, "confusion-show", "rates")
    assert js(browser, cell) != counted
    choose(browser, "confusion-model", "svm_handcrafted")
    assert js(browser, shown) == [["svm_handcrafted", "track"]]
    assert js(browser, "!document.getElementById('confusion-whole').hidden")
    for name, value in [("confusion-level", "track"), ("confusion-show", "counts")]:
        choose(browser, name, value)


def test_arrow_keys_move_through_a_switch(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    first = browser.find_element(By.CSS_SELECTOR, "input[name='measure'][value='loss']")
    first.send_keys(Keys.ARROW_RIGHT)
    assert js(browser, "document.querySelector('input[name=\"measure\"]:checked').value") == (
        "accuracy"
    )


def test_the_measure_switch_changes_the_learning_curves(browser: Any) -> None:
    labels = "document.getElementById('chart-curve-cnn').textContent"
    choose(browser, "measure", "loss")
    wait_until(lambda: "loss [nats]" in js(browser, labels))
    choose(browser, "measure", "accuracy")
    wait_until(lambda: "accuracy [share of windows]" in js(browser, labels))


def test_the_map_switches_projection(browser: Any) -> None:
    places = (
        "[...document.querySelectorAll('#chart-map .mark-symbol path')]"
        ".map((dot) => dot.getAttribute('transform')).join()"
    )
    before = js(browser, places)
    choose(browser, "projection", "t-SNE")
    wait_until(lambda: js(browser, places) != before)


def test_the_correlation_map_reads_out_pairs_by_keyboard(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    heat = browser.find_element(By.ID, "correlations")
    heat.send_keys(Keys.ARROW_RIGHT)
    assert "r = " in browser.find_element(By.CSS_SELECTOR, ".readout").text


@pytest.mark.parametrize("width", [1440, 820, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window(browser: Any, page: Path, width: int, scheme: str) -> None:
    open_page(browser, page, width, scheme)
    assert js(browser, "document.documentElement.scrollWidth") <= width
    browser.execute_script("document.querySelectorAll('details').forEach((e) => (e.open = true))")
    assert js(browser, "document.documentElement.scrollWidth") <= width
    assert browser.get_log("browser") == []


def test_text_stands_out_from_its_ground_in_light_and_dark(browser: Any, page: Path) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        open_page(browser, page, 1440, scheme)
        for name in ("ink", "muted", "accent", "contrast"):
            ratio = contrast(*(variable(browser, v) for v in (name, "paper")))
            assert ratio >= 4.5, f"--{name} on --paper, {scheme}: {ratio:.1f}"
        grounds[scheme] = variable(browser, "paper")
    assert grounds["light"] != grounds["dark"]


def test_the_numbers_in_the_map_of_changes_stand_out_in_light_and_dark(
    browser: Any, page: Path
) -> None:
    cells = (
        "[...document.querySelectorAll('#chart-robustness .mark-rect path')]"
        ".map((cell) => [cell.getAttribute('fill'), Number(cell.getAttribute('opacity'))])"
    )
    for scheme in ("light", "dark"):
        open_page(browser, page, 1440, scheme)
        strongest: dict[str, float] = {}
        for fill, opacity in js(browser, cells):
            strongest[fill] = max(opacity, strongest.get(fill, 0))
        assert strongest["var(--contrast)"] > 0.4  # a cell has lost almost all that it can
        paper, ink = variable(browser, "paper"), variable(browser, "ink")
        for fill, opacity in strongest.items():
            colour = variable(browser, fill.removeprefix("var(--").removesuffix(")"))
            ground = over(colour, paper, opacity)
            assert contrast(ink, ground) >= 4.5, f"{fill} at {opacity:.2f}, {scheme}"


def over(colour: str, ground: str, opacity: float) -> str:
    """Return the hexadecimal colour that a translucent one has on its ground."""
    pairs = [(int(colour[i : i + 2], 16), int(ground[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in pairs)


def variable(driver: Any, name: str) -> str:
    style = "getComputedStyle(document.documentElement)"
    value: str = js(driver, f"{style}.getPropertyValue('--{name}')")
    return value.strip()


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two hexadecimal colours, after WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_controls_have_names_and_pictures_have_words(browser: Any) -> None:
    nameless = js(
        browser,
        "[...document.querySelectorAll('button, [role=img], [role=region]')].filter((one) =>"
        " !(one.getAttribute('aria-label') || one.textContent.trim())).length",
    )
    assert nameless == 0
    assert js(
        browser, "[...document.querySelectorAll('img')].every((one) => one.hasAttribute('alt'))"
    )


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1440)])
def test_nothing_hinders_readers_who_see_little_or_use_no_mouse(
    browser: Any, page: Path, scheme: str, width: int
) -> None:
    open_page(browser, page, width, scheme)
    assert violations(browser) == []


def test_on_paper_charts_are_drawn_for_its_width_on_a_light_ground(
    browser: Any, page: Path
) -> None:
    open_page(browser, page, 1440, "dark")
    widths = "[...document.querySelectorAll('.chart svg')].map((one) => one.width.baseVal.value)"
    before = js(browser, widths)
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert max(js(browser, widths)) <= 760 < max(before)
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert js(browser, widths) == before
    printed = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", printed)
    try:
        assert variable(browser, "paper") == "#fff"
        shown = "getComputedStyle(document.querySelector('thead button'), '::after').content"
        assert js(browser, shown) == "none"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
