"""The page of an exported model in a real browser, with the network off."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

import genreflow
from genreflow import registry
from genreflow.export.error import ExportError
from genreflow.export.runtime import read_runtime
from genreflow.export.write import export
from genreflow.training import train
from tests.report.test_report_browser import CHROMEDRIVER, CHROMIUM, FLAGS, js, wait_until
from tests.synthetic_features import GENRES, RATE, make_corpus, sound_of

RUNTIME = "GENREFLOW_ONNXRUNTIME_WEB"
"""Names the npm package onnxruntime-web: a folder, or what `npm pack` writes."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    folders = {}
    for name in ("svm_mel", "xgb_handcrafted"):
        folders[name] = tmp_path_factory.mktemp(name)
        features = corpus.features(*registry.entry(name).reads)
        train(name, "0", corpus.params, features, corpus.splits, folders[name])
    return folders


@pytest.fixture
def package(tmp_path):
    """Return the files of a package that looks like the runtime's."""
    return {
        "package.json": json.dumps({"name": "onnxruntime-web", "version": "1.2.3"}).encode(),
        "dist/ort.wasm.bundle.min.mjs": b"export {}",
        "dist/ort-wasm-simd-threaded.wasm": b"\0asm",
    }


def as_folder(package, path):
    for name, content in package.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def as_archive(package, path):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in package.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_the_runtime_is_read_from_a_folder_an_archive_or_where_npm_puts_it(
    package, tmp_path, monkeypatch
):
    folder = as_folder(package, tmp_path / "node_modules/onnxruntime-web")
    found = read_runtime(folder)
    assert (found.version, found.script, found.wasm) == ("1.2.3", b"export {}", b"\0asm")
    assert read_runtime(as_archive(package, tmp_path / "onnxruntime-web-1.2.3.tgz")) == found
    monkeypatch.chdir(tmp_path)
    assert read_runtime(None) == found


@pytest.mark.parametrize("kind", [as_folder, as_archive])
@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.pop("dist/ort-wasm-simd-threaded.wasm"),
        lambda files: files.update({"package.json": b'{"name": "polka"}'}),
        lambda files: files.update({"package.json": b"{"}),
    ],
)
def test_what_is_no_runtime_is_refused_with_what_to_do(kind, change, package, tmp_path):
    change(package)
    with pytest.raises(ExportError, match="run `npm pack onnxruntime-web` and name the archive"):
        read_runtime(kind(package, tmp_path / "there"))
    with pytest.raises(ExportError, match="nowhere: holds no onnxruntime-web"):
        read_runtime(tmp_path / "nowhere")


def test_a_page_holds_all_it_needs_and_may_open_no_connection(trained, package, tmp_path):
    runtime = as_folder(package, tmp_path / "runtime")
    options = {"runtime": runtime, "out": tmp_path / "page.html"}
    path = export(trained["svm_mel"], "html", **options).path
    text = path.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "connect-src" not in text
    assert "src=" not in text
    assert "http://" not in text
    assert "https://" not in text
    with pytest.raises(ExportError, match="this one reads features"):
        export(trained["xgb_handcrafted"], "html", runtime=runtime, out=tmp_path / "no.html")
    assert not (tmp_path / "no.html").exists()


@pytest.fixture(scope="module")
def page(trained, tmp_path_factory):
    if RUNTIME not in os.environ:
        pytest.skip(f"{RUNTIME} names no onnxruntime-web")
    out = tmp_path_factory.mktemp("page") / "try.html"
    return export(trained["svm_mel"], "html", out, runtime=Path(os.environ[RUNTIME])).path


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
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
        driver.get(page.as_uri())
        wait_until(lambda: said(driver) != "Starting …")
        assert said(driver) == "Ready."
        yield driver
    finally:
        driver.quit()


def said(driver):
    return js(driver, "document.getElementById('said').textContent")


def drop(driver, path):
    """Choose a file, and return what is said of it and the probabilities, by genre."""
    from selenium.webdriver.common.by import By

    driver.find_element(By.ID, "file").send_keys(str(path))
    wait_until(lambda: said(driver).startswith(f"{path.name}: "))
    rows = js(
        driver,
        "[...document.querySelectorAll('#genres:not([hidden]) tr')]"
        ".map((row) => [row.cells[0].textContent, Number(row.dataset.probability)])",
    )
    return said(driver), dict(rows)


@pytest.mark.browser
def test_a_page_stays_under_ten_megabytes(page):
    assert page.stat().st_size < 10e6


@pytest.mark.browser
@pytest.mark.parametrize("genre", GENRES)
def test_a_file_gets_in_the_browser_what_genreflow_says_of_it(genre, browser, trained, corpus):
    classifier = genreflow.load(trained["svm_mel"])
    (expected,) = classifier.predict_proba(corpus.track(f"{genre}/9.wav"))
    text, probabilities = drop(browser, corpus.track(f"{genre}/9.wav"))
    found = [probabilities[name] for name in classifier.classes_]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    best = classifier.classes_[expected.argmax()]
    assert text == f"9.wav: {best}"
    assert next(iter(probabilities)) == best


@pytest.mark.browser
def test_a_long_file_of_another_rate_is_heard_to_its_end(browser, trained, tmp_path):
    classifier = genreflow.load(trained["svm_mel"])
    rng = np.random.default_rng(2)
    sound = np.concatenate([sound_of("hiss", rng) for _ in range(20)])
    samples = np.concatenate([sound, np.zeros(30 * RATE)])
    soundfile.write(tmp_path / "long.wav", soxr.resample(samples, RATE, 44100), 44100)
    (expected,) = classifier.predict_proba(tmp_path / "long.wav")
    _, probabilities = drop(browser, tmp_path / "long.wav")
    found = [probabilities[name] for name in classifier.classes_]
    # The browser's resampler is another.
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.browser
def test_a_file_that_cannot_be_used_is_named_with_the_reason(browser, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(2 * RATE), RATE)
    soundfile.write(tmp_path / "short.wav", np.ones(100), RATE)
    (tmp_path / "text.wav").write_text("no music")
    assert drop(browser, tmp_path / "silent.wav") == ("silent.wav: it is silent", {})
    text, rows = drop(browser, tmp_path / "short.wav")
    assert (text, rows) == ("short.wav: it is too short; expected at least 1 s", {})
    text, rows = drop(browser, tmp_path / "text.wav")
    assert (text[:43], rows) == ("text.wav: your browser can't decode it; try", {})


@pytest.mark.browser
def test_nothing_leaves_the_browser(browser):
    fetched = js(browser, "performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert all(name.startswith("blob:") for name in fetched)
    refused = "fetch('https://example.org').then(() => 'sent', () => 'refused')"
    assert browser.execute_script(f"return {refused}") == "refused"
    complaints = [entry["message"] for entry in browser.get_log("browser")]
    assert all("example.org" in complaint for complaint in complaints)
