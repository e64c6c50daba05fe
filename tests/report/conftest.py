"""A browser driven through chromedriver's HTTP protocol (W3C WebDriver), with the standard library alone."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1240,1000",
)
#: names under which distributions install them
BROWSERS, DRIVERS = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver", "chromium.chromedriver")


def find(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


class Browser:
    def __init__(self, address: str, session: str) -> None:
        self._address, self._session = address, session

    def go(self, url: str) -> None:
        self._post("url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function with `arguments`; gives what it returns."""
        return self._post("execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, *arguments: Any) -> Any:
        """The same for one that calls its last argument when it is done."""
        return self._post("execute/async", {"script": script, "args": list(arguments)})

    def frames(self, n: int = 2) -> None:
        """Let the page draw."""
        script = "let k = 0; const f = () => (++k > arguments[0] ? arguments[1]() : requestAnimationFrame(f)); f()"
        self.wait(script, n)

    def log(self) -> list[dict[str, Any]]:
        """What the console of the page said."""
        return self._post("se/log", {"type": "browser"})

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(call(f"{self._address}/session/{self._session}/screenshot")))

    def _post(self, what: str, body: dict[str, Any]) -> Any:
        return call(f"{self._address}/session/{self._session}/{what}", body)


def call(url: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    # no proxy: this is the machine itself
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            raise RuntimeError(json.load(error)["value"]["message"].splitlines()[0]) from None


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; tests are skipped where there is none."""
    paths = find(BROWSERS), find(DRIVERS)
    if None in paths:
        pytest.skip("no Chromium with chromedriver on this machine (Debian: apt-get install chromium chromium-driver)")
    with start(tmp_path_factory.mktemp("browser") / "profile", *map(str, paths)) as started:
        yield started


@contextmanager
def start(profile: Path, browser_path: str, driver_path: str) -> Iterator[Browser]:
    """Start browser and driver; `profile` is a new directory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (profile.parent / "chromedriver.log").open("w") as log:
        driver = subprocess.Popen([driver_path, f"--port={port}"], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, driver)
        options = {"binary": browser_path, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = call(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        try:
            yield Browser(address, session)
        finally:
            call(f"{address}/session/{session}", method="DELETE")
    finally:
        driver.terminate()
        driver.wait()


def _wait_for(address: str, driver: subprocess.Popen) -> None:
    for _ in range(200):
        assert driver.poll() is None, "chromedriver ended"
        try:
            if call(f"{address}/status")["ready"]:
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    raise AssertionError("chromedriver does not answer")
