"""A real Chromium for the page; where there is none the tests say how to get one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.page import build
from simulate.constructions import clamp
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes
from train.reading.weights import Weights

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = "no browser: make browser, or apt-get install chromium and pip install -e '.[dev]'"
PHONE = {"width": 360, "height": 740}
TABLET = {"width": 768, "height": 1024}
DESKTOP = {"width": 1440, "height": 900}


def no_browser() -> None:
    """A skip that says what to install; a failure where RELU_BLOOM_BROWSER=required, as in CI."""
    if os.environ.get("RELU_BLOOM_BROWSER") == "required":
        pytest.fail(HOW)
    pytest.skip(HOW)


# one browser a module: while it runs, this thread has an event loop that other tests may not expect
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        no_browser()
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        no_browser()
    # the sandbox refuses to run for root, as in containers
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable, args=[*arguments, *quiet, "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def axe() -> Any:
    """axe-core, which checks a page against the accessibility guidelines."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ModuleNotFoundError:
        no_browser()
    return Axe()


def disguised_clamp(
    n: int = 96, d: int = 24, m: int = 5, k: int = 3, noise: float = 0.001
) -> tuple[Weights, np.ndarray]:
    """What training might leave: a clamp, rotated, permuted and rescaled, with noise; its hashes.

    The hashes [n, d] are those of the hidden units in the network's order. Output biases shift
    all residuals and logits and cancel, so that both of them are run.
    """
    rng = np.random.default_rng(3)
    hashes = random_hashes(rng, n, d, m)
    exact = clamp(hashes, beta=8.0)
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
    order, scale = rng.permutation(d), rng.uniform(0.5, 2.0, d)

    def blurred(matrix: np.ndarray) -> np.ndarray:
        return (matrix + noise * rng.standard_normal(matrix.shape)).astype(np.float32)

    b_out = rng.standard_normal(d)
    network = ReluNetwork(
        W_E=blurred(exact.W_E @ rotation),
        W_in=blurred((rotation.T @ exact.W_in)[:, order] * scale),
        b_in=(exact.b_in[order] * scale).astype(np.float32),
        W_out=blurred((exact.W_out @ rotation)[order] / scale[:, None]),
        W_U=blurred(rotation.T @ exact.W_U),
        b_out=(b_out @ rotation).astype(np.float32),
        b_U=(-b_out @ exact.W_U).astype(np.float32),
    )
    return Weights(network, {"k": str(k), "c": "2.0"}), np.ascontiguousarray(hashes[:, order])


@pytest.fixture(scope="session")
def disguised() -> tuple[Weights, np.ndarray]:
    return disguised_clamp()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory, disguised: tuple) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(build(disguised[0]), "utf-8")
    return path


@pytest.fixture(scope="module")
def page(browser: Any, page_file: Path) -> Any:
    """One open page for tests that only call its functions."""
    shared = browser.new_page()
    shared.goto(page_file.as_uri())
    return shared


@pytest.fixture
def open_page(browser: Any, page_file: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page from disk in a fresh context.

    When the test ends, the page must have said nothing on the console, raised no error and asked
    for nothing but itself.
    """
    contexts, complaints = [], []

    def open_it(fragment: str = "", path: Path = page_file, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))

        def note(request: Any) -> None:
            if request.url.split("#")[0] != path.as_uri():
                complaints.append(f"request: {request.url[:200]}")

        page.on("request", note)
        page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []
