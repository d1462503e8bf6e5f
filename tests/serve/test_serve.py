"""``genreflow serve``: what the page's server answers, and the page in a real browser."""

import asyncio
import base64
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import numpy as np
import psutil
import pytest
import soundfile
from starlette.testclient import TestClient

from genreflow import registry
from genreflow.prediction.load import load
from genreflow.serve import pool as pools
from genreflow.serve.app import STATIC, Limits, create_app
from genreflow.serve.command import ServeError, _names, start
from genreflow.serve.offer import Offered, offered
from genreflow.training import train
from tests.axe import violations
from tests.conftest import ROOT
from tests.report.test_report_browser import contrast, variable
from tests.synthetic_features import GENRES, RATE, make_corpus, sound_of

pytestmark = pytest.mark.slow

NAMES = ("xgb_mel", "svm_handcrafted")
LIMITS = Limits(megabytes=2, minutes=1.5, jobs=2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def models(corpus, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for name in NAMES:
        features = corpus.features(*registry.entry(name).reads)
        train(name, "0", corpus.params, features, corpus.splits, root / name / "0")
    return [Offered(name, str(root / name / "0"), GENRES, accuracy=0.8) for name in NAMES]


@pytest.fixture(scope="module")
def client(models):
    with TestClient(create_app(models, LIMITS), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """Two stretches, each of a genre, and some silence."""
    rng = np.random.default_rng(1)
    parts = [np.tile(sound_of(genre, rng), 15) for genre in GENRES[:2]]
    path = tmp_path_factory.mktemp("song") / "song <b>one.flac"
    soundfile.write(path, np.concatenate([*parts, np.zeros(10 * RATE)]), RATE)
    return path


def post(client, content, **query):
    query.setdefault("models", ",".join(NAMES))
    return client.post("/api/predict", params=query, content=content)


def test_an_upload_gets_what_the_classifier_says_of_the_file(client, models, song):
    found = post(client, song.read_bytes(), name=song.name).json()
    assert found["seconds"] == pytest.approx(70)
    assert [said["name"] for said in found["models"]] == list(NAMES)
    for model, said in zip(models, found["models"], strict=True):
        answer = load(model.folder).hear(song)
        np.testing.assert_allclose(said["probabilities"], answer.probabilities, atol=5e-5)
        assert [part["start"] for part in said["parts"]] == [p.start for p in answer.parts]
        assert said["genres"] == list(GENRES)


def test_the_spectrogram_is_a_small_image_of_the_whole_file(client, song):
    found = post(client, song.read_bytes()).json()
    kind, _, content = found["spectrogram"].partition(",")
    image = base64.b64decode(content)
    assert kind == "data:image/png;base64"
    width, height = (int.from_bytes(image[i : i + 4], "big") for i in (16, 20))
    assert (width, height) == (1094, 96)  # the hop of 512 samples at 8 kHz makes 64 ms
    assert len(image) < 200_000


def test_one_model_is_asked_where_none_is_named(client, song):
    found = client.post("/api/predict", content=song.read_bytes()).json()
    assert [said["name"] for said in found["models"]] == [NAMES[0]]


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", 422, "is empty"),
        (b"no audio at all", 422, "can't read it"),
        (bytes(2_000_001), 413, "larger than 2 MB, the limit of --max-mb"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(client, content, status, reason):
    response = post(client, content, name="upload.mp3")
    assert response.status_code == status
    assert reason in response.json()["error"]


def test_a_file_that_goes_on_too_long_is_refused_with_the_limit(client, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 100 * RATE)
    soundfile.write(tmp_path / "long.flac", noise, RATE, subtype="PCM_S8")
    response = post(client, (tmp_path / "long.flac").read_bytes())
    assert response.status_code == 413
    assert "lasts longer than 1.5 minutes, the limit of --max-minutes" in response.json()["error"]


def test_a_silent_file_is_refused_and_a_model_that_is_not_there(client, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(3 * RATE), RATE)
    assert "is silent" in post(client, (tmp_path / "silent.wav").read_bytes()).json()["error"]
    response = post(client, b"x", models="polka")
    assert response.status_code == 404
    assert response.json()["error"] == f"no such model: polka; there are {', '.join(NAMES)}"


def test_uploads_leave_no_files_behind(client, song, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    post(client, song.read_bytes(), name=song.name)
    post(client, b"no audio", name="../../../etc/passwd")
    post(client, bytes(2_000_001))
    assert list(tmp_path.iterdir()) == []


def test_many_uploads_at_once_all_get_their_own_answer(client, models, corpus):
    tracks = [corpus.track(f"{genre}/{i}.wav") for i in range(4) for genre in GENRES]
    with ThreadPoolExecutor(len(tracks)) as threads:
        found = list(threads.map(lambda path: post(client, path.read_bytes()).json(), tracks))
    classifiers = [load(model.folder) for model in models]
    for path, answer in zip(tracks, found, strict=True):
        for classifier, said in zip(classifiers, answer["models"], strict=True):
            expected = classifier.predict_proba(path)[0]
            np.testing.assert_allclose(said["probabilities"], expected, atol=5e-5)


def test_more_than_the_queue_holds_are_turned_away(client, song, monkeypatch):
    monkeypatch.setattr(pools, "WAITING", 0)
    response = post(client, song.read_bytes())
    assert response.status_code == 503
    assert "try again" in response.json()["error"]


def test_a_worker_that_dies_takes_no_upload_with_it(client, song):
    post(client, song.read_bytes())
    workers = client.app.state.pool._workers
    for process in workers._processes.values():
        process.kill()
    assert [post(client, song.read_bytes()).status_code for _ in range(3)] == [200] * 3


def crash_or_hear(path, models, most_seconds):
    """Stand in for a decoder that a file brings down; the others take until then."""
    if path.read_bytes() == b"crash":
        os._exit(11)
    time.sleep(0.5)
    return {"models": [{} for _ in models], "heard": path.read_text()}


def test_a_file_that_crashes_the_decoder_is_refused_and_no_other(client, monkeypatch):
    monkeypatch.setattr("genreflow.serve.judge.judge", crash_or_hear)
    uploads = [b"one", b"crash", b"two", b"crash", b"three"]
    with ThreadPoolExecutor(len(uploads)) as threads:
        found = list(threads.map(lambda content: post(client, content), uploads))
    assert [response.status_code for response in found] == [200, 422, 200, 422, 200]
    assert [response.json()["heard"] for response in found[::2]] == ["one", "two", "three"]
    assert "crashes the decoder" in found[1].json()["error"]


def test_a_model_that_cannot_be_read_is_named_in_the_answer(models, song, tmp_path):
    broken = shutil.copytree(models[0].folder, tmp_path / "xgb_mel" / "0")
    (broken / "model.ubj").write_bytes(b"")
    for path in broken.glob("model.*"):
        path.write_bytes(path.read_bytes()[:100])
    app = create_app([Offered("broken", str(broken), GENRES)], LIMITS)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        response = client.post("/api/predict", content=song.read_bytes())
    assert response.status_code == 500
    assert str(broken) in response.json()["error"]


def test_a_file_that_browsers_cannot_play_comes_back_as_one_that_they_can(client, song, tmp_path):
    samples, _ = soundfile.read(song)
    late = np.concatenate([np.zeros(35 * RATE), samples[: 20 * RATE]])
    soundfile.write(tmp_path / "song.au", late, RATE, subtype="PCM_16")
    content = (tmp_path / "song.au").read_bytes()
    response = client.post("/api/listen", params={"name": "song.au"}, content=content)
    assert response.headers["content-type"] == "audio/flac"
    heard, rate = soundfile.read(io.BytesIO(response.content))
    assert rate == RATE
    np.testing.assert_allclose(heard, late, atol=1 / 32767)
    refused = client.post("/api/listen", content=b"no audio")
    assert (refused.status_code, "can't read it" in refused.json()["error"]) == (422, True)


def test_whoever_hangs_up_leaves_nothing_behind(models, tmp_path):
    """A request whose body never ends, and then the line is dead."""
    app = create_app(models, LIMITS)
    said = []

    async def ask():
        body = iter(
            [
                {"type": "http.request", "body": b"x" * 1000, "more_body": True},
                {"type": "http.disconnect"},
            ]
        )

        async def receive():
            return next(body)

        async def send(message):
            said.append(message)

        headers = [(b"host", b"127.0.0.1")]
        scope = {"type": "http", "method": "POST", "path": "/api/predict", "headers": headers}
        scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http"}
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)
            with app.state.pool.place():
                return app.state.pool._taken

    tempfile.tempdir, before = str(tmp_path), tempfile.tempdir
    try:
        assert asyncio.run(ask()) == 1
    finally:
        tempfile.tempdir = before
    assert said[0]["status"] == 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "box"])
def test_requests_under_another_name_are_refused(client, host):
    response = client.get("/api/models", headers={"host": host})
    assert response.status_code == 400
    assert "name of this machine" in response.json()["error"]


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "192.168.1.7"])
def test_requests_to_an_address_are_answered(client, host):
    # No site can make a browser call an address by the site's name: rebinding needs a name.
    assert client.get("/api/models", headers={"host": host}).status_code == 200


def test_other_machines_may_use_the_name_of_one_that_is_open_to_them(models, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Box")
    assert _names("127.0.0.1") == ["127.0.0.1"]
    app = create_app(models, LIMITS, _names("0.0.0.0"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        for host, status in [("box:80", 200), ("box.local", 200), ("evil.example", 400)]:
            assert client.get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:99"])
def test_pages_of_others_may_not_upload(client, song, origin):
    for path in ("/api/predict", "/api/listen"):
        headers = {"origin": origin}
        response = client.post(path, content=song.read_bytes(), headers=headers)
        assert response.status_code == 403
    own = {"origin": "http://127.0.0.1"}
    assert client.post("/api/predict", content=song.read_bytes(), headers=own).status_code == 200


def test_the_page_may_load_nothing_from_elsewhere(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    for path in re.findall(r'(?:src|href)="(.*?)"', page.text):
        assert path.startswith("/static/")
        assert client.get(path).status_code == 200
    scripts = [path.name for path in STATIC.glob("*.js")]
    assert len(scripts) > 1
    for name in scripts:
        script = client.get(f"/static/{name}").text
        assert "innerHTML" not in script
        assert "http" not in script


def test_the_models_are_listed_with_what_vouches_for_them(client):
    about = client.get("/api/models").json()
    assert [model["name"] for model in about["models"]] == list(NAMES)
    expected = {"name": "xgb_mel", "accuracy": 0.8, "genres": list(GENRES)}
    assert expected.items() <= about["models"][0].items()
    assert "folder" not in about["models"][0]
    assert about["limits"] == {"megabytes": 2, "minutes": 1.5, "jobs": 2}


def test_the_command_names_a_model_or_an_address_that_cannot_be(models, tmp_path, monkeypatch):
    from genreflow.models.base import ModelFileError

    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ModelFileError, match=r"results/release: not in this folder; .make run. makes it"
    ):
        offered([])
    folder = models[0].folder
    (model,) = offered([folder])
    assert (model.name, model.accuracy) == ("xgb_mel/0", None)
    copy = shutil.copytree(folder, tmp_path / "other" / "0")
    assert [model.name for model in offered([folder, str(copy)])] == [folder, str(copy)]
    with pytest.raises(ServeError, match="can't be listened on"):
        start([folder], "203.0.113.7", 1, 1, 1, 1)


def test_without_the_extra_the_command_says_what_to_install(monkeypatch):
    from typer.testing import CliRunner

    from genreflow.cli import app

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "genreflow.serve.command")
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 1
    assert "needs uvicorn, which isn't installed; `pip install starlette uvicorn`" in result.output


# In a real browser, with a server of its own.


@contextlib.contextmanager
def served(models, folder, *options):
    """Yield a running server, whose temporary files are in a folder, and its address."""
    command = [sys.executable, "-m", "genreflow", "serve", "--port", "0", *options]
    for model in models:
        command += ["--model", model.folder]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    env = os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(command, text=True, cwd=ROOT, env=env, **pipes) as server:
        try:
            found = re.match(r"(http://127\.0\.0\.1:\d+) ", server.stdout.readline())
            assert found
            yield server, found[1]
        finally:
            server.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_the_server_ends_at_once_and_leaves_no_process_behind(models, tmp_path, ending):
    second = (6000 * np.sin(np.arange(RATE))).astype(np.int16)
    soundfile.write(tmp_path / "hours.wav", np.tile(second, 4 * 3600), RATE)
    content = (tmp_path / "hours.wav").read_bytes()
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def upload(address):
        with contextlib.suppress(httpx.HTTPError):
            return httpx.post(f"{address}/api/predict", content=content, timeout=60).status_code

    with (
        served(models, temporary, "--max-minutes", "300", "--max-mb", "300", "--jobs", "1") as (
            server,
            address,
        ),
        ThreadPoolExecutor(1) as threads,
    ):
        waiting = threads.submit(upload, address)
        process = psutil.Process(server.pid)
        until(lambda: len(process.children()) == 2)  # a worker, and Python's resource tracker
        workers = process.children()
        until(lambda: sum(worker.cpu_times().user for worker in workers) > 1.5)
        assert not waiting.done()
        server.send_signal(ending)
        assert server.wait(10) == (0 if ending == signal.SIGINT else -signal.SIGKILL)
        assert psutil.wait_procs(workers, 10)[1] == []
        assert waiting.result(10) == (503 if ending == signal.SIGINT else None)
        if ending == signal.SIGINT:
            assert server.stderr.read() == ""
            assert list(temporary.iterdir()) == []


@pytest.fixture(scope="module")
def address(models, tmp_path_factory):
    with served(models, tmp_path_factory.mktemp("served"), "--jobs", "1") as (_, found):
        yield found


@pytest.fixture
def browser(address, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium or ChromeDriver is not installed (Debian: chromium-driver)")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = chromium
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
        *("--autoplay-policy=no-user-gesture-required", f"--user-data-dir={tmp_path / 'profile'}"),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(driver))
    try:
        chrome.get(address)
        until(lambda: chrome.find_elements("css selector", "#models input"))
        yield chrome
    finally:
        chrome.quit()


def until(found, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "the page never got there"
        time.sleep(0.1)
    return value


def upload(browser, *paths):
    browser.find_element("id", "files").send_keys("\n".join(map(str, paths)))
    until(lambda: browser.find_elements("css selector", "article"))
    until(lambda: not browser.find_elements("css selector", ".state.waiting, .state.listening"))


def card_of(browser, name):
    cards = browser.find_elements("css selector", "article")
    (card,) = [c for c in cards if c.find_element("tag name", "h2").text == name]
    return card


def texts(place, selector):
    """Return what is read there, at one moment: the page may draw it anew meanwhile."""
    script = (
        "const [place, selector] = arguments;"
        "return [...(place ?? document).querySelectorAll(selector)].map((one) => one.innerText)"
    )
    if hasattr(place, "execute_script"):
        return place.execute_script(script, None, selector)
    return place.parent.execute_script(script, place, selector)


@pytest.mark.browser
def test_files_are_heard_compared_and_played_in_step(browser, address, song, corpus, tmp_path):
    (tmp_path / "bad.mp3").write_text("no audio")
    second = shutil.copy(corpus.track("hiss/9.wav"), tmp_path / "hiss.wav")
    browser.find_elements("css selector", "#models input")[1].click()
    upload(browser, song, second, tmp_path / "bad.mp3")
    bad = card_of(browser, "bad.mp3")
    assert "Can't be used" in bad.find_element("class name", "state").text
    hiss = card_of(browser, "hiss.wav")
    assert [text.split()[0] for text in texts(hiss, "li:first-child")] == ["hiss", "hiss"]
    card = card_of(browser, song.name)
    assert texts(card, ".answer h3") == ["xgb_mel/0", "svm_handcrafted/0"]
    pieces = card.find_elements("css selector", ".lane:first-child .strip button")
    assert [piece.text for piece in pieces] == ["drone", "hiss", "silent"]
    # Stretch, picture, slider and player go together.
    pieces[1].click()  # in its middle
    state = """
        const card = arguments[0], box = card.querySelector('.picture').getBoundingClientRect();
        const head = card.querySelector('.playhead').getBoundingClientRect();
        const slider = Number(card.querySelector('.picture input').value);
        const share = (head.left - box.left) / box.width;
        return [card.querySelector('audio').currentTime, slider, 70 * share]
        """
    until(lambda: browser.execute_script(state, card)[0] == pytest.approx(45, abs=0.2))
    assert browser.execute_script(state, card) == pytest.approx([45, 45, 45], abs=0.4)
    browser.execute_script("arguments[0].querySelector('audio').play()", card)
    until(lambda: browser.execute_script(state, card)[2] > 45.7)
    assert np.ptp(browser.execute_script(state, card)) < 0.5
    for lane in card.find_elements("css selector", ".lane"):
        (now,) = texts(lane, "button.now")
        assert lane.find_element("class name", "here").text.startswith(f"{now}, ")
    # Nothing was asked of anybody else, and nothing complained but the refused file.
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        message["params"]["request"]["url"]
        for message in asked
        if message["method"] == "Network.requestWillBeSent"
    ]
    of_the_network = [url for url in urls if url.startswith(("http", "ws", "ftp"))]
    assert len(of_the_network) > 3
    assert all(url.startswith(address) for url in of_the_network)
    complaints = [entry["message"] for entry in browser.get_log("browser")]
    assert all("bad.mp3" in complaint for complaint in complaints)


def focused(browser):
    return browser.switch_to.active_element


@pytest.mark.browser
def test_the_page_needs_neither_a_mouse_nor_a_wide_screen(browser, song):
    from selenium.webdriver import ActionChains, Keys

    def press(*keys):
        ActionChains(browser).send_keys(*keys).perform()

    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    press(Keys.TAB)
    assert focused(browser).get_attribute("id") == "files"
    press(Keys.TAB, Keys.TAB, Keys.SPACE)
    assert [box.is_selected() for box in browser.find_elements("name", "model")] == [True, True]
    upload(browser, song)
    card = card_of(browser, song.name)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    status = browser.find_element("id", "status").get_attribute("textContent")
    assert status.startswith(f"{song.name}: ")
    # The picture is a slider: arrows move it, the space bar plays.
    browser.execute_script("arguments[0].focus()", card.find_element("tag name", "audio"))
    for _ in range(20):
        press(Keys.TAB)
        if focused(browser).get_attribute("type") == "range":
            break
    press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.PAGE_UP)
    slider = focused(browser)
    assert float(slider.get_attribute("value")) == pytest.approx(12)
    assert slider.get_attribute("aria-valuetext").startswith("0:12; ")
    paused = "return arguments[0].querySelector('audio').paused"
    for expected in (False, True):
        press(Keys.SPACE)
        until(lambda expected=expected: browser.execute_script(paused, card) is expected)
    # One stop for each lane; arrows go through it.
    press(Keys.TAB)
    first = focused(browser).get_attribute("aria-label")
    press(Keys.ARROW_RIGHT)
    second = focused(browser).get_attribute("aria-label")
    assert (first[:5], second[:7]) == ("0:00 ", "0:30 to")
    press(Keys.ENTER)
    assert float(slider.get_attribute("value")) == pytest.approx(30)
    press(Keys.TAB, Keys.TAB, Keys.ENTER)
    rows = texts(card, "tbody tr")
    assert [row.split()[:2] for row in rows] == [
        ["0:00", "0:30"],
        ["0:30", "1:00"],
        ["1:00", "1:10"],
    ]
    assert "silent" in rows[2]
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        assert violations(browser) == [], scheme
    card.find_element("class name", "remove").send_keys(Keys.ENTER)
    assert browser.find_elements("css selector", "article") == []
    assert focused(browser).get_attribute("id") == "files"


@pytest.mark.browser
def test_files_can_be_given_to_other_models_later(browser, corpus):
    upload(browser, corpus.track("hiss/9.wav"), corpus.track("drone/9.wav"))
    again = browser.find_element("id", "again")
    assert not again.is_displayed()
    boxes = browser.find_elements("name", "model")
    boxes[1].click()
    boxes[0].click()
    assert again.is_displayed()
    again.click()
    until(lambda: texts(browser, ".answer h3") == ["svm_handcrafted/0"] * 2)
    assert not again.is_displayed()
    assert texts(browser, "h2") == ["9.wav"] * 2
    assert texts(browser, ".answer li:first-child span:first-child") == ["hiss", "drone"]
    boxes[1].click()  # the last one stays
    assert [box.is_selected() for box in boxes] == [False, True]


@pytest.mark.browser
def test_what_the_browser_cannot_play_is_fetched_from_the_server(browser, song, tmp_path):
    samples, rate = soundfile.read(song)
    soundfile.write(tmp_path / "song.au", samples, rate, subtype="PCM_16")
    upload(browser, tmp_path / "song.au")
    length = "return document.querySelector('audio').duration"
    until(lambda: browser.execute_script(length))
    assert browser.execute_script(length) == pytest.approx(70, abs=0.1)
    note = browser.find_element("class name", "playing")
    until(lambda: "you hear what the model hears" in note.text)


@pytest.mark.browser
def test_dropped_files_are_heard_and_too_large_ones_are_not_sent(browser, address):
    browser.execute_script(
        """
        const data = new DataTransfer();
        data.items.add(new File([new ArrayBuffer(101e6)], "large.wav"));
        data.items.add(new File(["no audio"], "<img src=x onerror=alert(1)>.mp3"));
        dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
        """
    )
    until(lambda: len(browser.find_elements("css selector", ".state.failed")) == 2)
    large, other = texts(browser, ".state")
    assert large == "Can't be used: is larger than 100 MB, the limit of --max-mb."
    assert "can't read it" in other
    assert texts(browser, "h2") == ["large.wav", "<img src=x onerror=alert(1)>.mp3"]
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in asked if m["method"].endswith("BeSent")]
    assert len([url for url in sent if "/api/predict" in url]) == 1


@pytest.mark.browser
def test_text_stands_out_and_nothing_moves_where_that_is_asked_for(browser, corpus):
    upload(browser, corpus.track("hiss/9.wav"))
    for scheme in ("light", "dark"):
        wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        for name in ("ink", "muted", "accent", "contrast"):
            for ground in ("paper", "raised", "wash"):
                ratio = contrast(variable(browser, name), variable(browser, ground))
                assert ratio >= 4.5, f"--{name} on --{ground}, {scheme}: {ratio:.1f}"
        grounds = browser.execute_script(
            "return [...document.styleSheets[0].cssRules].filter((rule) => "
            "/^\\.c\\d+$/.test(rule.selectorText)).map((rule) => rule.style.backgroundColor)"
        )
        assert len(grounds) == 12
        for ground in grounds:
            red, green, blue = map(int, re.findall(r"\d+", ground))
            assert contrast("#10141b", f"#{red:02x}{green:02x}{blue:02x}") >= 4.5
        moving = (
            "const place = document.querySelector('.state'); place.className = 'state listening';"
            "return getComputedStyle(place, '::after').animationName"
        )
        assert browser.execute_script(moving) == "none"


def test_docs_and_readme_show_the_page():
    assert (ROOT / "docs/images/serve.png").stat().st_size < 250_000
    assert "docs/images/serve.png" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "genreflow serve" in Path(ROOT / "docs/serve.md").read_text(encoding="utf-8")
