"""The enclosures without enumeration: no slack on the constructions, sound elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from simulate.constructions import clamp, complement, complement_limit, complement_limit_error
from simulate.sampling import random_coefficients, random_hashes, random_sets
from tests.train.certified_networks import noisy
from theory.domain import DomainError
from train.certificate.levels import levels
from train.reading.normal_form import NormalForm

SIGN = {clamp: -1, complement: 1}


@pytest.mark.parametrize("build", [clamp, complement])
@pytest.mark.parametrize("way", ["followed", "separate", "plain"])
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 1.0, 3.0]))
def test_no_slack_on_the_constructions(build, way, seed: int, beta: float) -> None:
    """margin_s is exactly beta s, in float32 even where beta is no power of two."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 40)), int(rng.integers(2, 20))
    m, k = int(rng.integers(1, d)), int(rng.integers(1, min(n, 5)))
    hashes = random_hashes(rng, n, d, m)
    form = NormalForm(
        build(hashes, beta, dtype=np.float32), k, 2.0, hashes, np.full(d, SIGN[build])
    )
    found = levels(form, way)
    # where most tokens own a bit it is never missed, and few bits can be
    possible = np.isfinite(found.margin)
    assert possible[0]
    assert (found.margin == np.float32(beta) * np.arange(m + 1.0))[possible].all()
    assert found.member_spread == 0.0
    assert found.covered_gap == 0.0
    assert found.certified_share == 1.0


def test_the_limit_stays_within_its_error() -> None:
    """Twice the known bound on the error is what separates two logits; the proof comes close."""
    hashes = random_hashes(np.random.default_rng(0), 200, 32, 6)
    k, c, beta, eta = 3, 2.0, 3.0, 2.0**-10
    error = complement_limit_error(hashes, k, c, beta, eta)
    network = complement_limit(hashes, beta, eta=eta)
    found = levels(NormalForm(network, k, c, hashes, np.ones(32, dtype=int)))
    slack = beta * np.arange(7) - found.margin
    assert (slack <= 2 * error).all()
    assert (slack >= 0).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-4, 1e-2, 0.1]))
def test_sampled_inputs_stay_inside(seed: int, size: float) -> None:
    """Logit differences of random inputs, by missing bits, never leave the enclosures."""
    rng = np.random.default_rng(seed)
    n, d, m, k, c = 40, 14, 4, 3, 2.0
    build = clamp if rng.integers(2) else complement
    hashes = random_hashes(rng, n, d, m)
    network = noisy(build(hashes, 2.0), rng, size)
    form = NormalForm(network, k, c, hashes, np.full(d, SIGN[build]))
    tokens = random_sets(rng, 300, n, k)
    logits = network.logits(tokens, random_coefficients(rng, 300, k, c))
    members = np.take_along_axis(logits, tokens, axis=1)
    union = hashes[tokens].any(axis=1)
    missing = (hashes & ~union[:, None]).sum(axis=2)
    np.put_along_axis(missing, tokens, -1, axis=1)
    for way in ("followed", "separate", "plain"):
        found = levels(form, way)
        assert np.ptp(members, axis=1).max() <= found.member_spread + 1e-9
        lead = members.min(axis=1)[:, None] - logits
        for s in range(m + 1):
            if (missing >= s).any():
                assert lead[missing >= s].min() >= found.margin[s] - 1e-9
        if (missing == 0).any():
            lead = members.max(axis=1)[:, None] - logits
            assert lead[missing == 0].max() <= found.covered_gap + 1e-9


def test_common_vectors_and_signs_change_nothing() -> None:
    """One vector added to all columns of W_U, which no softmax sees, moves no margin."""
    rng = np.random.default_rng(3)
    hashes = random_hashes(rng, 50, 16, 4)
    network = noisy(clamp(hashes, 2.0), rng, 1e-3)
    before = levels(NormalForm(network, 3, 2.0, hashes, np.full(16, -1))).margin
    moved = type(network)(
        network.W_E,
        network.W_in,
        network.b_in,
        network.W_out,
        network.W_U + rng.standard_normal((16, 1)),
    )
    after = levels(NormalForm(moved, 3, 2.0, hashes, np.full(16, -1))).margin
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_bad_input() -> None:
    hashes = random_hashes(np.random.default_rng(6), 10, 5, 2)
    network = clamp(hashes)
    with pytest.raises(DomainError, match=r"owners must be bool \[10, 5\]"):
        NormalForm(network, 2, 2.0, hashes[:9], np.full(5, -1))
    with pytest.raises(DomainError, match="sign must be -1 or 1"):
        NormalForm(network, 2, 2.0, hashes, np.zeros(5, dtype=int))
    with pytest.raises(DomainError, match="k must be at least 1"):
        NormalForm(network, 11, 2.0, hashes, np.full(5, -1))
