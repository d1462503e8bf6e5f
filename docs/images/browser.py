"""A browser without a window, for the pictures of this folder."""

from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService


@dataclass(frozen=True)
class Browser:
    """Chromium, at a width [px] and in a colour scheme."""

    driver: Any
    width: int

    def size(self, height: int) -> None:
        """Make the window so high [px]."""
        metrics = {"width": self.width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def height(self) -> int:
        """Return the height of the whole page [px]."""
        return int(self.driver.execute_script("return document.documentElement.scrollHeight"))

    def until(self, found: Callable[[], object], seconds: float = 120) -> None:
        """Wait for something on the page."""
        end = time.monotonic() + seconds
        while not found():
            if time.monotonic() > end:
                raise TimeoutError("the page never got there")
            time.sleep(0.1)

    def picture(self, top: float = 0, height: float | None = None) -> bytes:
        """Return a PNG of the window, or of the page from `top` on [px], in 256 colours."""
        asked: dict[str, Any] = {"format": "png"}
        if height is not None:
            clip = {"x": 0, "y": top, "width": self.width, "height": height, "scale": 1}
            asked |= {"clip": clip, "captureBeyondViewport": True}
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", asked)
        return _with_palette(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def opened(address: str, width: int, scheme: str = "light") -> Iterator[Browser]:
    """Open an address; the browser has ended afterwards in any case."""
    options = ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(flag)
    driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    try:
        wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser = Browser(driver, width)
        browser.size(900)
        driver.get(address)
        yield browser
    finally:
        driver.quit()


def _with_palette(picture: bytes) -> bytes:
    """Return a picture in 256 colours, a third of the size."""
    colours = "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none"
    command = ["ffmpeg", "-v", "error", "-f", "png_pipe", "-i", "-", "-vf", colours]
    command += ["-f", "image2pipe", "-c:v", "png", "-compression_level", "100", "-"]
    return subprocess.run(command, input=picture, capture_output=True, check=True).stdout
