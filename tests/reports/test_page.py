"""The page in a real browser: its arithmetic against Python's, and what a reader does with it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest

from reports.page import build
from reports.page.__main__ import main
from reports.page.golden import golden_numbers
from simulate.constructions import clamp, complement, complement_limit
from simulate.jobs.checks import CONFIDENCE
from simulate.jobs.intervals import proportion
from simulate.network import ReluNetwork, divergence
from simulate.sampling import random_hashes
from tests.reports.conftest import DESKTOP, HOW, PHONE, TABLET, no_browser
from tests.simulate.running import run
from theory import false_positives, quenched, union_size
from theory.domain import DomainError
from train.reading import masks
from train.reading import weights as weight_files
from train.reading.weights import Weights

# relative: binomials and their sums; the incomplete beta function; float32 weights in float64
EXACT, INTERVAL, PASS = 1e-11, 1e-8, 1e-9
STAGES = 7


def ask(page: Any, name: str, **given: Any) -> np.ndarray:
    """What the page's own arithmetic says."""
    found = page.evaluate("([name, given]) => reluBloom.arithmetic[name](given)", [name, given])
    return np.asarray(found, dtype=float)


def state(page: Any) -> dict[str, Any]:
    return page.evaluate("reluBloom.state()")


def wait_until(page: Any, condition: str, seconds: float = 60.0) -> None:
    """Asks again and again; playwright's own waiting is an eval, which the page forbids."""
    started = time.monotonic()
    while not page.evaluate(condition):
        assert time.monotonic() - started < seconds, condition
        page.wait_for_timeout(30)


def settle(page: Any) -> None:
    """Waits for the address and the rates, which follow a change after a moment."""
    page.wait_for_timeout(250)


def masks_of(bits: list[list[int]], d: int) -> np.ndarray:
    hashes = np.zeros((len(bits), d), dtype=bool)
    for token, own in enumerate(bits):
        hashes[token, own] = True
    return hashes


# ---- arithmetic ----


def test_every_golden_number(open_page, disguised):
    page = open_page()
    names = set()
    for record in golden_numbers(disguised[0]):
        found = ask(page, record.name, **record.given)
        expected = np.asarray(record.expected, dtype=float)
        loose = {"proportion": INTERVAL, "trained": PASS}
        # entries far below the largest are rounding of a softmax or of a law
        floor = 1e-13 * np.abs(expected).max(initial=0.0)
        tolerance = loose.get(record.name, EXACT)
        np.testing.assert_allclose(found.reshape(expected.shape), expected, tolerance, floor)
        names.add(record.name)
    assert names == set(page.evaluate("Object.keys(reluBloom.arithmetic)"))
    assert "recomputed" in page.inner_text("#self-check")


def test_random_sizes_against_theory(page):
    rng = np.random.default_rng(5)
    for _ in range(60):
        d = int(rng.integers(1, 200))
        k, m = int(rng.integers(1, 13)), int(rng.integers(1, d + 1))
        n = k + int(rng.integers(0, 500))
        given = {"k": k, "d": d, "m": m}
        failure = false_positives.failure_probability(n, k, d, m)
        assert ask(page, "failure_probability", n=n, **given) == pytest.approx(failure, rel=EXACT)
        rate = false_positives.false_positive_rate(k, d, m)
        assert ask(page, "false_positive_rate", **given) == pytest.approx(rate, rel=EXACT)
        law = ask(page, "union_size_law", **given)
        np.testing.assert_allclose(law, union_size.union_size_law(k, d, m), EXACT, 1e-290)


def test_a_wrong_number_is_noticed(open_page, tmp_path):
    text = build()
    start = text.index('"name":"failure_probability"')
    spot = text.index('"expected":', start) + len('"expected":')
    end = text.index("}", spot)
    path = tmp_path / "wrong.html"
    path.write_text(text[:spot] + repr(float(text[spot:end]) * (1 + 1e-6)) + text[end:], "utf-8")
    assert "does not agree" in open_page(path=path).inner_text("#self-check")


def test_the_shown_input_is_the_networks(open_page):
    """The page's hashes and coefficients, put through simulate's networks."""
    page = open_page("n=60&d=40&m=6&k=4&beta=2.5&c=3&seed=77&tokens=3,9,31,50")
    for mechanism, make in (("clamp", clamp), ("complement", complement)):
        page.check(f"input[name=mechanism][value={mechanism}]")
        trace = page.evaluate(
            """() => { const t = reluBloom.traces().lab; return {
            bits: t.family.bits, alpha: t.alpha, tokens: t.tokens, logits: [...t.logits],
            p: [...t.probabilities], tv: t.totalVariation, kl: t.kl, missing: t.missing,
            fp: t.falsePositives, w: t.unionSize }; }"""
        )
        hashes = masks_of(trace["bits"], 40)
        assert (hashes.sum(axis=1) == 6).all()
        tokens, alpha = np.array([trace["tokens"]]), np.array([trace["alpha"]])
        assert ((alpha >= 1) & (alpha <= 3)).all()
        logits = make(hashes, 2.5).logits(tokens, alpha)
        np.testing.assert_allclose(trace["logits"], logits[0], 1e-14, 1e-14)
        expected = divergence(logits, tokens)
        assert trace["tv"] == pytest.approx(expected.total_variation[0], rel=1e-12)
        assert trace["kl"] == pytest.approx(expected.kl[0], rel=1e-12)
        union = hashes[tokens[0]].any(axis=0)
        assert trace["w"] == union.sum()
        missing = (hashes & ~union).sum(axis=1)
        assert trace["missing"] == missing.tolist()
        assert trace["fp"] == [t for t in range(60) if missing[t] == 0 and t not in tokens]


def test_both_mechanisms_give_one_output(open_page):
    page = open_page("mechanism=clamp")
    read = "() => [...reluBloom.traces().lab.probabilities]"
    first = page.evaluate(read)
    page.check("input[name=mechanism][value=complement]")
    np.testing.assert_allclose(page.evaluate(read), first, 1e-12)


def test_random_inputs_follow_the_exact_rates(page):
    """Annealed and quenched, each against its own exact rate; draws are by the page's generator."""
    n, k, d, m, draws = 48, 3, 32, 11, 20_000
    new = page.evaluate(
        "([n, k, d, m, draws]) => { let f = 0; for (let i = 1; i <= draws; i++)"
        " f += reluBloom.drawWithNewHashes(9, i, n, k, d, m).failed; return f; }",
        [n, k, d, m, draws],
    )
    exact = false_positives.failure_probability(n, k, d, m)
    assert proportion(new, draws, CONFIDENCE).contains(exact)
    textbook = 1 - (1 - false_positives.classic(k, d, m)) ** (n - k)
    assert not proportion(new, draws, CONFIDENCE).contains(textbook)

    same, bits = page.evaluate(
        "([n, k, d, m, draws]) => { const family = reluBloom.randomFamily(4, n, d, m); let f = 0;"
        " for (let i = 1; i <= draws; i++)"
        " f += reluBloom.drawWithTheseHashes(9, i, family, k).failed;"
        " return [f, family.bits]; }",
        [n, k, d, m, draws],
    )
    own = float(quenched.failure_probability(masks_of(bits, d), k))
    assert proportion(same, draws, CONFIDENCE).contains(own)


def test_hashes_and_tokens_are_uniform(page):
    families, n, d, m = 20, 200, 12, 5
    bits = page.evaluate(
        "([f, n, d, m]) => Array.from({length: f},"
        " (_, seed) => reluBloom.randomFamily(seed, n, d, m).bits)",
        [families, n, d, m],
    )
    hashes = np.concatenate([masks_of(family, d) for family in bits])
    assert (hashes.sum(axis=1) == m).all()
    pairs = hashes.T.astype(float) @ hashes
    for a in range(d):
        assert proportion(int(pairs[a, a]), len(hashes), CONFIDENCE).contains(m / d)
        for b in range(a):
            both = m * (m - 1) / (d * (d - 1))
            assert proportion(int(pairs[a, b]), len(hashes), CONFIDENCE).contains(both)
    tokens = page.evaluate(
        "() => Array.from({length: 20000}, (_, i) => reluBloom.randomTokens(12, 4, 3, i))"
    )
    assert {len(set(row)) for row in tokens} == {4}
    for count in np.bincount(np.ravel(tokens), minlength=12):
        assert proportion(int(count), len(tokens), CONFIDENCE).contains(4 / 12)


# ---- the trained network ----


def test_masks_of_the_disguised_network(open_page, disguised):
    weights, hashes = disguised
    page = open_page()
    bits, agreement, clamps = page.evaluate(
        "() => { const n = reluBloom.network(); return [n.family.bits, n.agreement, n.clampUnits] }"
    )
    np.testing.assert_array_equal(masks_of(bits, weights.relu_network.h), hashes)
    assert (agreement, clamps) == (1.0, weights.relu_network.h)


def _complement_weights() -> Weights:
    rng = np.random.default_rng(1)
    hashes = random_hashes(rng, 64, 16, 3)
    exact = complement_limit(hashes, beta=4.0, eta=0.05)
    tensors = {
        name: (tensor + 0.01 * rng.standard_normal(tensor.shape)).astype(np.float32)
        for name in ("W_E", "W_in", "b_in", "W_out", "W_U")
        for tensor in [getattr(exact, name)]
    }
    # fewer digits: a file of another dtype
    return Weights(ReluNetwork(**tensors), {"k": "2", "c": "1.5"})


def test_the_page_splits_weights_as_the_analysis_does(open_page, disguised, tmp_path):
    """A file opened in the page has no masks of Python's; the page finds the same ones."""
    page = open_page()
    for weights in (disguised[0], _complement_weights()):
        network, k = weights.relu_network, int(weights.metadata["k"])
        path = tmp_path / "network.safetensors"
        weight_files.save(path, network, weights.metadata)
        page.set_input_files("#net-file", path)
        wait_until(page, f"reluBloom.network().n === {network.n} && reluBloom.network().k === {k}")
        found = page.evaluate(
            "() => { const n = reluBloom.network();"
            " return [n.family.bits, n.clampUnits, n.k, n.c, n.n, n.h] }"
        )
        expected = masks.extract(network, k, float(weights.metadata["c"]))
        np.testing.assert_array_equal(masks_of(found[0], network.h), expected.read)
        assert found[1] == (expected.orientation == masks.CLAMP).sum()
        assert found[2:] == [k, float(weights.metadata["c"]), network.n, network.h]
        assert "running now" in page.inner_text("#net-message")


def saved_by_other_names(path: Path, network: ReluNetwork, **more: np.ndarray) -> None:
    """As a torch module saves it: Linear layers transposed, by names of its own, without a task."""
    from safetensors.numpy import save_file

    tensors = {
        "model.wte.weight": network.W_E,
        "model.mlp.fc1.weight": network.W_in.T,
        "model.mlp.fc1.bias": network.b_in,
        "model.mlp.fc2.weight": network.W_out.T,
        "model.mlp.fc2.bias": network.b_out,
        "lm_head.weight": network.W_U.T,
        "lm_head.bias": network.b_U,
        **more,
    }
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path)


def test_a_network_by_other_names(open_page, disguised, tmp_path):
    """The page takes the names that the analysis takes; k and c are asked for where none are."""
    pytest.importorskip("safetensors")
    from train.analysis.subject import Subject

    network = disguised[0].relu_network
    path = tmp_path / "other.safetensors"
    saved_by_other_names(path, network)
    expected = Subject.from_state(path, k=4, c=1.5).network
    page = open_page()
    page.fill("#net-k", "4")
    page.fill("#net-c", "1.5")
    page.set_input_files("#net-file", path)
    wait_until(page, "document.getElementById('net-message').textContent !== ''")
    assert "k = 4 and c = 1.5" in page.inner_text("#net-message")
    for name in ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U"):
        found = page.evaluate("name => [...reluBloom.network()[name]]", name)
        np.testing.assert_array_equal(found, getattr(expected, name).ravel())


def test_tied_and_without_biases(open_page, disguised, tmp_path):
    pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    from train.analysis.subject import Subject

    network = disguised[0].relu_network
    names = {"embed": network.W_E, "mlp.0.weight": network.W_in.T, "mlp.2.weight": network.W_out.T}
    path = tmp_path / "tied.safetensors"
    save_file({name: np.ascontiguousarray(value) for name, value in names.items()}, path)
    expected = Subject.from_state(path, k=3).network
    page = open_page()
    page.set_input_files("#net-file", path)
    wait_until(page, "document.getElementById('net-message').textContent !== ''")
    for name in ("W_E", "W_in", "b_in", "W_out", "W_U"):
        found = page.evaluate("name => [...reluBloom.network()[name]]", name)
        np.testing.assert_array_equal(found, getattr(expected, name).ravel())


def test_a_network_outside_the_class_is_refused(open_page, disguised, tmp_path):
    pytest.importorskip("safetensors")
    network = disguised[0].relu_network
    path = tmp_path / "norm.safetensors"
    saved_by_other_names(path, network, **{"model.ln_f.weight": network.b_in})
    page = open_page()
    page.set_input_files("#net-file", path)
    wait_until(page, "document.getElementById('net-message').textContent !== ''")
    said = page.inner_text("#net-message")
    assert "there seems to be a norm in the file (model.ln_f.weight)" in said
    assert "with a residual connection" in said


def shown_names(page: Any) -> dict[str, str]:
    """What the page takes each tensor for, by the file's names."""
    return page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('#net-names-rows select')].map("
        "choice => [choice.getAttribute('aria-label'), choice.selectedOptions[0].text]))"
    )


def test_names_said_by_hand(open_page, disguised, tmp_path):
    """Where names say nothing the reader says what the tensors are, and how they are stored."""
    pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    network = disguised[0].relu_network
    stored = {
        "one": (network.W_E.T, "W_E [d, n]"),
        "two": (network.W_in.T, "W_in [h, d]"),
        "three": (network.b_in, "b_in [h]"),
        "four": (network.W_out, "W_out [h, d]"),
        "lm_head.weight": (network.W_U.T, None),
        "steps": (network.b_in, "left out"),
    }
    path = tmp_path / "nameless.safetensors"
    save_file({name: np.ascontiguousarray(value) for name, (value, _) in stored.items()}, path)
    page = open_page()
    page.set_input_files("#net-file", path)
    wait_until(page, "document.getElementById('net-message').textContent !== ''")
    said = page.inner_text("#net-message")
    assert "do not tell what four, one, steps, three and two are" in said
    assert shown_names(page)["lm_head.weight"] == "W_U [n, d]"
    for name, (_, label) in stored.items():
        if label:
            page.locator(f"#net-names-rows select[aria-label='{name}']").select_option(label=label)
    page.click("#net-names-run")
    wait_until(page, "document.getElementById('net-message').textContent.includes('running now')")
    assert "without steps" in page.inner_text("#net-message")
    for name in ("W_E", "W_in", "b_in", "W_out", "W_U"):
        found = page.evaluate("name => [...reluBloom.network()[name]]", name)
        np.testing.assert_array_equal(found, getattr(network, name).ravel())

    # two tensors for one place are refused, and so are axes in an order that does not fit
    choice = page.locator("#net-names-rows select[aria-label='four']")
    for label, complaint in (("W_in [d, h]", "two tensors"), ("?", "do not tell what four is")):
        choice.select_option(label=label)
        page.click("#net-names-run")
        assert complaint in page.inner_text("#net-message")
    choice.select_option(label="W_out [h, d]")
    page.locator("#net-names-rows select[aria-label='one']").select_option(label="W_E [n, d]")
    page.click("#net-names-run")
    assert "shapes must fit" in page.inner_text("#net-message")


def test_the_names_that_were_guessed_are_shown(open_page, disguised, tmp_path, axe):
    pytest.importorskip("safetensors")
    path = tmp_path / "other.safetensors"
    saved_by_other_names(path, disguised[0].relu_network)
    page = open_page(viewport=PHONE)
    page.set_input_files("#net-file", path)
    wait_until(page, "document.getElementById('net-message').textContent !== ''")
    assert shown_names(page) == {
        "model.wte.weight": "W_E [n, d]",
        "model.mlp.fc1.weight": "W_in [h, d]",
        "model.mlp.fc1.bias": "b_in [h]",
        "model.mlp.fc2.weight": "W_out [d, h]",
        "model.mlp.fc2.bias": "b_out [d]",
        "lm_head.weight": "W_U [n, d]",
        "lm_head.bias": "b_U [n]",
    }
    page.evaluate("() => { document.getElementById('net-names').open = true }")
    assert axe.run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_half_precision(page):
    """Every number of 16 bits, as NumPy reads it."""
    bits = np.arange(2**16, dtype=np.uint16)
    found = page.evaluate("() => Array.from({ length: 65536 }, (_, i) => reluBloom.half(i))")
    expected = bits.view(np.float16).astype(float)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(np.array(found, dtype=float)[finite], expected[finite])


def test_bfloat16_files(open_page, disguised, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    network = disguised[0].relu_network
    names = ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U")
    tensors = {name: torch.from_numpy(getattr(network, name)).bfloat16() for name in names}
    save_file(tensors, tmp_path / "half.safetensors", metadata={"k": "3"})
    page = open_page()
    page.set_input_files("#net-file", tmp_path / "half.safetensors")
    wait_until(page, "document.getElementById('net-message').textContent !== ''")
    found = page.evaluate("() => [...reluBloom.network().W_U]")
    np.testing.assert_array_equal(found, tensors["W_U"].float().numpy().ravel())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no safetensors file"),
        (b"\x80\x04pickle", "no safetensors file"),
        ((10).to_bytes(8, "little") + b"not json!!", "no safetensors file"),
        ((2).to_bytes(8, "little") + b"{}", "no tensor W_in and W_out"),
    ],
)
def test_files_that_are_no_networks(open_page, tmp_path, content, complaint):
    (tmp_path / "bad.safetensors").write_bytes(content)
    page = open_page()
    before = page.evaluate("reluBloom.network().n")
    page.set_input_files("#net-file", tmp_path / "bad.safetensors")
    wait_until(page, "document.getElementById('net-message').textContent !== ''")
    assert complaint in page.inner_text("#net-message")
    assert page.evaluate("reluBloom.network().n") == before


def test_the_masks_tell_when_the_network_fails(open_page):
    """A near-exact clamp fails where its masks do, and nowhere else."""
    page = open_page()
    for _ in range(3):
        page.click("#net-draw-100")
    number = {
        name: int(page.inner_text(f"#{name}"))
        for name in ("coveredFails", "coveredHolds", "openFails", "openHolds")
    }
    assert sum(number.values()) == 300
    assert number["coveredFails"] > 0
    assert (number["coveredHolds"], number["openFails"]) == (0, 0)
    page.click("#net-show")
    trace = page.evaluate(
        "() => { const t = reluBloom.traces().trace;"
        " return [t.tokens.reduce((s, i) => s + t.probabilities[i], 0), t.falsePositives] }"
    )
    assert trace[0] < (3 / 4 + 1) / 2
    assert trace[1]


# ---- what a reader does ----


def test_tokens_go_in_and_out(open_page):
    page = open_page()
    grid = page.locator("#lab-tokens button")
    assert grid.count() == 48
    assert state(page)["tokens"] == [8, 34, 44]
    grid.nth(20).click()
    assert state(page)["tokens"] == [8, 20, 34, 44]
    assert grid.nth(20).get_attribute("aria-pressed") == "true"
    assert "Token 20 read" in page.inner_text("#status")
    for token in (8, 20, 34):
        grid.nth(token).click()
    assert state(page)["tokens"] == [44]
    grid.nth(44).click()
    assert state(page)["tokens"] == [44]
    assert "At least one" in page.inner_text("#status")


def test_why_names_who_covers_what(open_page):
    page = open_page()
    text = page.inner_text("#lab-why")
    trace = page.evaluate(
        "() => { const t = reluBloom.traces().lab; return [t.falsePositives, t.family.bits,"
        " t.tokens] }"
    )
    intruder = trace[0][0]
    assert f"Token {intruder} was not read" in text
    assert f"Why token {intruder}?" in page.inner_text("#lab-why-title")
    for bit in trace[1][intruder]:
        covering = [t for t in trace[2] if bit in trace[1][t]]
        line = next(
            line
            for line in text.splitlines()
            if re.search(rf"\b{bit}\b", line.split(":")[0]) and "token" in line
        )
        assert re.findall(r"\d+", line.split(":")[1]) == [str(t) for t in covering]


def test_find_a_false_positive_and_show_the_last_failure(open_page):
    page = open_page("tokens=0,1,2&d=40&m=9")
    page.click("#find-failure")
    assert "Found" in page.inner_text("#status")
    assert page.evaluate("reluBloom.traces().lab.falsePositives.length") > 0
    page.click("#draw-100")
    page.click("#draw-100")
    page.click("#show-failure")
    assert page.evaluate("reluBloom.traces().lab.falsePositives.length") > 0


def test_running_rate_beside_the_exact_one(open_page):
    page = open_page()
    page.click("#draw-1")
    assert "of 1 inputs failed" in page.inner_text("#tally")
    page.click("#draw-100")
    page.click("#run")
    drawn = "document.querySelectorAll('#tally b')[1].textContent"
    wait_until(page, f"Number({drawn}.replace(/\\D/g, '')) > 500")
    page.click("#run")
    counts = [int(re.sub(r"\D", "", b)) for b in page.locator("#tally b").all_inner_texts()[:2]]
    exact = false_positives.failure_probability(48, 3, 32, 7)
    assert proportion(*counts, CONFIDENCE).contains(exact)
    shown = page.inner_text("#exact-facts").replace("\u202f", " ")
    assert f"{100 * exact:.4g} %" in shown
    # another size is another tally
    page.fill("#m-number", "6")
    page.press("#m-number", "Enter")
    settle(page)
    assert "Nothing drawn" in page.inner_text("#tally")


def test_sizes_stay_in_their_ranges(open_page):
    page = open_page()
    for name, typed, kept in (("d", "5", 5), ("n", "9999", 512), ("k", "0", 1), ("m", "-3", 1)):
        page.fill(f"#{name}-number", typed)
        page.press(f"#{name}-number", "Tab")
        now = state(page)
        assert (len(now["tokens"]) if name == "k" else now[name]) == kept
    page.fill("#m-number", "")
    page.press("#m-number", "Tab")
    assert page.input_value("#m-number") == "1"
    page.fill("#n-number", "2")
    page.press("#n-number", "Tab")
    assert max(state(page)["tokens"]) < 2
    page.click("#find-failure")
    page.click("#best-m")
    page.click("#reset")
    assert (state(page)["n"], state(page)["m"]) == (48, 7)


@pytest.mark.parametrize("size", [PHONE, TABLET, DESKTOP])
def test_numbers_stand_beside_the_bars(open_page, size):
    """Overlaps of two figures each, such as 12/12, at every width, in both parts."""
    page = open_page("d=64&m=12&tokens=3,9,31", viewport=size)
    for picture in ("#lab-picture", "#net-picture", "#beside-picture"):
        gaps = page.evaluate(
            """picture => [...document.querySelectorAll(`${picture} .row`)].map(row => {
              const right = row.querySelector('.strip').getBoundingClientRect().right;
              const edge = row.ownerSVGElement.getBoundingClientRect().right;
              const boxes = [...row.querySelectorAll('.row-value')].map(
                each => each.getBoundingClientRect());
              const lefts = boxes.map(box => box.left);
              const ends = [right, ...boxes.map(box => box.right)];
              return [Math.min(...lefts.map((left, i) => left - ends[i])),
                edge - Math.max(...boxes.map(box => box.right))];
            })""",
            picture,
        )
        assert gaps
        assert np.min(gaps) >= 0
        between = page.evaluate(
            """picture => [...document.querySelectorAll(`${picture} .band-name`)]
              .filter(name => name.nextElementSibling.textContent).map(name =>
              name.nextElementSibling.getBoundingClientRect().left
              - name.getBoundingClientRect().right)""",
            picture,
        )
        assert np.min(between) > 0


def test_what_is_changed_is_said(open_page):
    page = open_page()
    for name, typed, said in (
        ("n", "9999", "n goes from 2 to 512"),
        ("d", "5", "m is 5 now"),
        ("k", "40", "k goes from 1 to 12"),
        ("beta", "3.3", "β goes in steps of 0.5"),
    ):
        page.fill(f"#{name}-number", typed)
        page.press(f"#{name}-number", "Tab")
        assert said in page.inner_text("#sizes-note")
    page.fill("#c-number", "1.5")
    page.press("#c-number", "Tab")
    assert page.text_content("#sizes-note") == ""
    page = open_page("m=1e9&tokens=1,2,600", viewport=PHONE)
    note = page.inner_text("#sizes-note")
    assert "m goes from 1 to 128" in note
    assert "1 token of the address cannot be read" in note


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_contents(open_page, size):
    page = open_page("d=40", viewport=size)
    links = page.locator(".contents a")
    assert links.count() >= 4
    before = state(page)
    for place in range(links.count()):
        page.click(".contents summary")
        target = links.nth(place).get_attribute("href")
        links.nth(place).click()
        wait_until(
            page,
            f"Math.abs(document.querySelector('{target}').getBoundingClientRect().top) < 120"
            " || innerHeight + scrollY >= document.body.scrollHeight - 2",
        )
        assert page.locator(".contents details").get_attribute("open") is None
        # on a phone it stays within reach
        top = page.locator(".contents").bounding_box()["y"]
        assert (size is DESKTOP) or 0 <= top < 60
    assert state(page) == before


def test_extreme_sizes_draw(open_page):
    page = open_page()
    for fragment in (
        "n=512&d=128&m=128&tokens=0,1,2,3,4,5,6,7,8,9,10,11&beta=12",
        "n=2&d=2&m=1&tokens=0,1",
        "n=512&d=128&m=1&tokens=511&beta=0.5&curve=d",
        "n=4&d=3&m=3&tokens=0",
    ):
        page.evaluate("fragment => { location.hash = fragment }", fragment)
        settle(page)
        assert page.locator("#lab-picture svg").evaluate("node => node.childElementCount") > 5
        assert "NaN" not in page.inner_text("main")
        assert "Infinity" not in page.inner_text("main")
        assert "NaN" not in page.locator("#lab-picture").inner_html()


def test_state_round_trips_through_the_address(open_page):
    page = open_page()
    page.fill("#d-number", "40")
    page.press("#d-number", "Enter")
    page.locator("#lab-tokens button").nth(3).click()
    page.check("input[name=mechanism][value=complement]")
    page.check("input[name=draws][value=these]")
    page.check("input[name=curve][value=d]")
    page.click("#theme")
    page.click("#lab-transport [data-back]")
    page.click("#net-new-input")
    settle(page)
    fragment = page.evaluate("location.hash").lstrip("#")
    given = parse_qs(fragment)
    assert given["d"] == ["40"]
    assert given["mechanism"] == ["complement"]
    assert given["stage"] == ["6"]
    assert state(open_page(fragment)) == state(page)


def test_any_state_survives_being_written(page):
    rng = np.random.default_rng(2)
    for _ in range(50):
        d, n = int(rng.integers(2, 129)), int(rng.integers(2, 513))
        given = {
            "n": n,
            "d": d,
            "m": int(rng.integers(1, d + 1)),
            "beta": float(rng.integers(1, 25)) / 2,
            "c": round(float(rng.integers(10, 41)) / 10, 1),
            "seed": int(rng.integers(0, 2**32)),
            "mechanism": str(rng.choice(["clamp", "complement"])),
            "draws": str(rng.choice(["new", "these"])),
            "curve": str(rng.choice(["m", "d"])),
            "theme": str(rng.choice(["auto", "light", "dark"])),
            "stage": round(float(rng.uniform(0, 7)), 2),
            "tokens": sorted(map(int, rng.choice(n, min(n, int(rng.integers(1, 13))), False))),
            "net": sorted(map(int, rng.choice(96, 3, False))),
        }
        same = page.evaluate(
            """given => {
              const before = { ...reluBloom.state(), ...given };
              const text = reluBloom.writeState(before, reluBloom.network());
              return [before, reluBloom.readState("#" + text, reluBloom.network())];
            }""",
            given,
        )
        assert same[0] == same[1]


BROKEN = (
    "n=abc&d=&m=1e9&beta=-3&seed=1.5&tokens=x,,999,-1&stage=99&theme=blue&net=a,b",
    "tokens=" + ",".join(map(str, range(200))),
    "%%%&&==&n==7&m=NaN&c=Infinity",
    "<script>alert(1)</script>",
)


def test_a_broken_address_is_read_as_well_as_it_can_be(open_page):
    page = open_page(BROKEN[0])
    for fragment in BROKEN:
        page.evaluate("fragment => { location.hash = fragment }", fragment)
        page.wait_for_timeout(100)
        now = state(page)
        assert 2 <= now["n"] <= 512
        assert 1 <= now["m"] <= now["d"] <= 128
        assert 1 <= len(now["tokens"]) <= 12
        assert all(0 <= token < now["n"] for token in now["tokens"])
        assert 0 <= now["stage"] <= STAGES
        assert len(now["net"]) == 3


def test_the_address_can_be_edited(open_page):
    page = open_page()
    page.evaluate("() => { location.hash = 'd=64&tokens=1,2&net=5,6,7' }")
    wait_until(page, "reluBloom.state().d === 64")
    assert page.evaluate("reluBloom.traces().lab.columns") == 64
    assert page.evaluate("reluBloom.traces().trace.tokens") == [5, 6, 7]


# ---- the animation ----


def test_play_goes_through_all_stages(open_page):
    page = open_page("stage=5.1")
    page.click("#lab-transport [data-play]")
    seen = []
    while not seen or seen[-1] < STAGES:
        seen.append(state(page)["stage"])
        page.wait_for_timeout(30)
    assert seen == sorted(seen)
    assert seen[-1] == STAGES
    assert any(5.1 < value < STAGES for value in seen)
    assert page.inner_text("#lab-transport [data-play]") == "Play"
    # from the end it starts over
    page.click("#lab-transport [data-play]")
    wait_until(page, "reluBloom.state().stage < 1")
    page.click("#lab-transport [data-play]")


def test_reduced_motion_goes_in_whole_steps(open_page):
    page = open_page("stage=5", reduced_motion="reduce")
    page.click("#lab-transport [data-play]")
    seen = set()
    while page.inner_text("#lab-transport [data-play]") == "Pause":
        seen.add(state(page)["stage"])
        page.wait_for_timeout(60)
    seen.add(state(page)["stage"])
    assert seen <= {5, 6, 7}
    assert 7 in seen
    page.locator("#lab-transport input").fill("2.4")
    assert state(page)["stage"] == 2


def test_stages_reveal_in_order(open_page):
    """Nothing of a later stage is seen before it; at the end everything is."""
    page = open_page("stage=0")
    visible = """() => [...document.querySelectorAll('#lab-picture .row')].filter(
        row => Number(row.getAttribute('opacity')) > 0).length"""
    heights = """() => [...document.querySelectorAll('#lab-picture .probability')]
        .reduce((sum, bar) => sum + Number(bar.getAttribute('height')), 0)"""
    for stage in range(STAGES + 1):
        assert (page.evaluate(visible) > 0) == (stage >= 5)
        assert (page.evaluate(heights) > 0) == (stage == STAGES)
        name = page.inner_text("#lab-transport [aria-current=step]")
        assert name.startswith(str(max(stage, 1)))
        if stage < STAGES:
            page.click("#lab-transport [data-forward]")
    assert page.is_disabled("#lab-transport [data-forward]")
    # the softmax grows from all tokens alike
    page.evaluate("() => { location.hash = 'stage=6.02' }")
    wait_until(page, "reluBloom.state().stage === 6.02")
    bars = page.evaluate(
        "() => [...document.querySelectorAll('#lab-picture .probability')]"
        ".map(bar => Number(bar.getAttribute('height')))"
    )
    assert max(bars) / min(bars) < 1.05


def test_rows_and_bars_show_the_numbers(open_page):
    page = open_page()
    trace = page.evaluate(
        "() => { const t = reluBloom.traces().lab; return { p: [...t.probabilities],"
        " missing: t.missing, logits: [...t.logits], members: t.tokens, fp: t.falsePositives } }"
    )
    rows = page.locator("#lab-picture .row").evaluate_all(
        "rows => rows.map(row => [Number(row.dataset.token),"
        " ...[...row.querySelectorAll('.row-value')].map(text => text.textContent)])"
    )
    assert [row[0] for row in rows[:4]] == trace["members"] + trace["fp"]
    for token, overlap, logit, share in rows:
        assert overlap == f"{7 - trace['missing'][token]}/7"
        assert float(logit.replace("−", "-")) == pytest.approx(trace["logits"][token], abs=0.05)
        if "<" not in share:
            value = float(share.replace("\u202f", "").rstrip("%")) / 100
            assert value == pytest.approx(trace["p"][token], rel=0.06)
    heights = page.evaluate(
        "() => [...document.querySelectorAll('#lab-picture .probability')]"
        ".map(bar => Number(bar.getAttribute('height')))"
    )
    np.testing.assert_allclose(np.divide(heights, sum(heights)), trace["p"], rtol=1e-6, atol=1e-9)


# ---- everyone can use it ----


def test_keyboard_alone(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#lab-tokens button[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    focused = int(page.evaluate("document.activeElement.dataset.token"))
    assert focused > 2
    assert page.locator("#lab-tokens button[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    assert focused in state(page)["tokens"]
    page.keyboard.press("Space")
    assert focused not in state(page)["tokens"]
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.dataset.token") == "47"
    # one tab stop for all tokens
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "new-input"

    page.locator("#lab-figure").focus()
    page.keyboard.press("Home")
    assert state(page)["stage"] == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert state(page)["stage"] == 1
    page.keyboard.press("Space")
    wait_until(page, "reluBloom.state().stage > 1.05")
    page.keyboard.press("Space")
    stopped = state(page)["stage"]
    page.wait_for_timeout(150)
    assert state(page)["stage"] == stopped

    slider = page.locator("#lab-transport input")
    slider.focus()
    page.keyboard.press("End")
    assert state(page)["stage"] == STAGES
    assert slider.get_attribute("aria-valuetext") == "step 7 of 7, Probabilities"
    page.locator("#m").focus()
    page.keyboard.press("ArrowLeft")
    assert state(page)["m"] == 6


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_accessibility_rules(open_page, axe, size):
    """Names, roles, contrast, order; on the page as it opens, with its controls unfolded."""
    page = open_page(viewport=size)
    page.evaluate("() => { document.getElementById('lab-controls').open = true }")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.run(page).response["violations"]
        broken = [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found]
        assert broken == []


CROWDED = "n=512&d=128&m=40&tokens=500,501,502,503,504,505,506,507,508,509,510,511&beta=12"


@pytest.mark.parametrize("fragment", ["", CROWDED], ids=["usual", "crowded"])
def test_nothing_is_wider_than_the_screen(open_page, fragment):
    page = open_page(fragment, viewport=PHONE)
    page.evaluate("() => { document.getElementById('lab-controls').open = true }")
    for width in (360, 320, 768, 1440, 360):
        page.set_viewport_size({"width": width, "height": 740})
        page.wait_for_timeout(100)
        wide = page.evaluate(
            """() => [...document.querySelectorAll('body *')].filter(node => {
              const box = node.getBoundingClientRect();
              const hidden = node.closest('.visually-hidden, .skip, input[type=file]');
              return !hidden && box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
            }).map(node => node.outerHTML.slice(0, 100))"""
        )
        assert wide == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_touch_targets_on_a_phone(open_page):
    """At least 24 CSS pixels each way (WCAG 2.2, target size minimum)."""
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    page.evaluate("() => { document.getElementById('lab-controls').open = true }")
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, summary, input[type=range], label')]
          .filter(node => node.closest('.size') === null || node.tagName !== 'LABEL')
          .map(node => [node.outerHTML.slice(0, 80), node.getBoundingClientRect()])
          .filter(([, box]) => box.width > 0 && (box.height < 24 || box.width < 24))
          .map(([text]) => text)"""
    )
    assert small == []
    page.locator("#lab-tokens button").nth(5).tap()
    assert 5 in state(page)["tokens"]


def test_themes(open_page):
    ground = "getComputedStyle(document.body).backgroundColor"
    page = open_page("theme=dark", color_scheme="light")
    dark = page.evaluate(ground)
    page.click("#theme")
    assert page.inner_text("#theme") == "Theme: auto"
    light = page.evaluate(ground)
    assert light != dark
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) == dark
    page.click("#theme")
    assert page.evaluate(ground) == light
    settle(page)
    assert page.evaluate("location.hash") == "#theme=light"


@pytest.mark.parametrize("size", [PHONE, TABLET, DESKTOP], ids=["phone", "tablet", "desktop"])
def test_a_walk_over_every_control(open_page, size):
    """Uses everything at every size; the fixture hears any complaint or request."""
    page = open_page(viewport=size)
    page.evaluate(
        """() => {
          const all = (query) => document.querySelectorAll(query);
          for (const button of all('button:not(.tokens button), input[type=radio]')) button.click();
          for (const grid of all('.tokens')) grid.querySelectorAll('button')[9].click();
          for (const slider of all('input[type=range]')) {
            for (const value of [slider.min, slider.max]) {
              slider.value = value;
              slider.dispatchEvent(new Event('input', { bubbles: true }));
            }
          }
        }"""
    )
    settle(page)
    assert "NaN" not in page.inner_text("main")


# ---- the file ----


def test_the_file_names_no_other(disguised):
    text = build(disguised[0], ledger="<p>claims</p>", source="Made for a test.")
    assert "default-src 'none'" in text
    links = set(re.findall(r"https?://[^\"'\s)]+", text))
    assert links == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:link|script|img|iframe)[^>]+(?:src|href)=\"(?!data:)", text)
    assert "<p>claims</p>" in text
    assert text == build(disguised[0], ledger="<p>claims</p>", source="Made for a test.")


def test_without_a_network_the_rest_works(open_page, tmp_path):
    path = tmp_path / "alone.html"
    path.write_text(build(), "utf-8")
    page = open_page(path=path)
    assert page.locator("#trained").count() == 0
    page.click("#draw-100")
    page.click("#theme")
    assert "recomputed" in page.inner_text("#self-check")


def test_data_cannot_end_its_script(disguised):
    weights = disguised[0]
    text = build(Weights(weights.network, {"k": "3", "note": "</script><script>alert(1)"}))
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert json.loads(data.group(1))["network"]["k"] == 3


@pytest.mark.parametrize("metadata", [{}, {"k": "three"}, {"k": "0"}, {"k": "3", "c": "0.5"}])
def test_a_network_without_its_task(disguised, metadata):
    with pytest.raises(DomainError, match=r"\b[kc]\b"):
        build(Weights(disguised[0].network, metadata))


def test_a_network_too_large_to_show(disguised):
    with pytest.raises(DomainError, match="k of the page's network must be at least 1 and at most"):
        build(Weights(disguised[0].network, {"k": "13"}))


def test_the_masks_own_rates_are_shown(open_page, disguised, tmp_path):
    weights, hashes = disguised
    exact = float(quenched.failure_probability(hashes, 3))
    path = tmp_path / "page.html"
    path.write_text(build(weights, mask_failure_probability=exact), "utf-8")
    shown = open_page(path=path).inner_text("#network-facts").replace("\u202f", " ")
    assert f"{100 * exact:.3g} %" in shown
    assert f"{float(quenched.expected_false_positives(hashes, 3)):.3g}" in shown


def test_command(disguised, tmp_path: Path):
    network = tmp_path / "network.safetensors"
    weight_files.save(network, disguised[0].network, disguised[0].metadata)
    out = tmp_path / "page.html"
    command = [sys.executable, "-m", "reports.page", "--out", str(out), "--network", str(network)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert out.read_text("utf-8").startswith("<!doctype html>")
    for arguments, complaint in (
        (["--out", str(tmp_path / "no" / "page.html")], "out"),
        (["--out", str(out), "--network", str(out)], "not a safetensors file"),
    ):
        failed = run(main, *arguments)
        assert failed.code == 2
        assert failed.err.startswith("error: ")
        assert complaint in failed.err
        assert len(failed.err.splitlines()) == 1


def test_a_missing_browser_is_a_failure_where_it_is_required(monkeypatch):
    monkeypatch.setenv("RELU_BLOOM_BROWSER", "required")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        no_browser()
    monkeypatch.delenv("RELU_BLOOM_BROWSER")
    with pytest.raises(pytest.skip.Exception) as skipped:
        no_browser()
    assert HOW in str(skipped.value)
