"""Take the README's picture of ``genreflow serve``: run from the root of a project with releases.

    python docs/images/serve.py docs/images/serve.png data/demo/{jazz,disco,metal}/*.0000[01].flac

The tracks are shown as one file. Needs Chromium, ChromeDriver, ffmpeg and the development
extra.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from browser import Browser, opened


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
        try:
            with opened(address[0], asked.width, asked.scheme) as browser:
                asked.picture.write_bytes(_take(browser, song, asked))
        finally:
            server.terminate()


def _take(browser: Browser, song: Path, asked: argparse.Namespace) -> bytes:
    find = browser.driver.find_elements
    browser.until(lambda: find("name", "model"))
    for box in find("name", "model"):
        if box.is_selected() != (box.get_attribute("value") in asked.models):
            box.click()
    browser.driver.find_element("id", "files").send_keys(str(song))
    browser.until(lambda: find("css selector", ".state.heard, .state.failed"))
    browser.driver.execute_script(
        "const slider = document.querySelector('.picture input'); slider.value = 0.36 * slider.max;"
        "slider.dispatchEvent(new Event('input')); document.activeElement.blur()"
    )
    browser.size(browser.height())
    time.sleep(1)  # the player draws its buttons
    return browser.picture()


if __name__ == "__main__":
    main()
