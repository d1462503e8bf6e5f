"""Take the README's picture of ``genreflow serve``: run from the root of a project with releases.

    python docs/images/serve.py docs/images/serve.png data/demo/{jazz,disco,metal}/*.00000.flac

The tracks are shown as one file. Needs Chromium, ChromeDriver, ffmpeg and the development
extra.
"""

from __future__ import annotations

import argparse
import base64
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from selenium.webdriver import Chrome, ChromeOptions, ChromeService


def main() -> None:
    """Join the tracks, upload them, go to the middle, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("tracks", type=Path, nargs="+")
    parser.add_argument("--models", nargs="+", default=["cnn", "svm_handcrafted"])
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--name", default="Six bands.flac")
    asked = parser.parse_args()
    command = [sys.executable, "-m", "genreflow", "serve", "--port", "0"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
    ):
        song = Path(folder) / asked.name
        if len(asked.tracks) == 1:
            shutil.copyfile(asked.tracks[0], song)
        else:
            read = [soundfile.read(track, dtype="int16") for track in asked.tracks]
            soundfile.write(song, np.concatenate([samples for samples, _ in read]), read[0][1])
        assert server.stdout is not None
        address = re.match(r"\S+", server.stdout.readline())
        assert address is not None
        options = ChromeOptions()
        for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
            options.add_argument(flag)
        browser = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
        try:
            picture = _take(browser, address[0], song, asked)
            asked.picture.write_bytes(_with_palette(picture))
        finally:
            browser.quit()
            server.terminate()


def _take(browser: Any, address: str, song: Path, asked: argparse.Namespace) -> bytes:
    def size(height: int) -> None:
        metrics = {"width": asked.width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    scheme = {"features": [{"name": "prefers-color-scheme", "value": asked.scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    size(800)
    browser.get(address)
    _until(lambda: browser.find_elements("name", "model"))
    for box in browser.find_elements("name", "model"):
        if box.is_selected() != (box.get_attribute("value") in asked.models):
            box.click()
    browser.find_element("id", "files").send_keys(str(song))
    _until(lambda: browser.find_elements("css selector", ".state.heard, .state.failed"))
    browser.execute_script(
        "const slider = document.querySelector('.picture input'); slider.value = 0.36 * slider.max;"
        "slider.dispatchEvent(new Event('input')); document.activeElement.blur()"
    )
    size(browser.execute_script("return document.documentElement.scrollHeight"))
    time.sleep(1)  # the player draws its buttons
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(shot["data"])


def _with_palette(picture: bytes) -> bytes:
    """Return a picture in 256 colours, a third of the size."""
    colours = "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none"
    command = ["ffmpeg", "-v", "error", "-f", "png_pipe", "-i", "-", "-vf", colours]
    command += ["-f", "image2pipe", "-c:v", "png", "-compression_level", "100", "-"]
    return subprocess.run(command, input=picture, capture_output=True, check=True).stdout


def _until(found: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            raise TimeoutError("the page never got there")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
