"""The constructions are Bloom filters: no false negatives, exact unions, exact logits."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate.constructions import (
    clamp,
    complement,
    complement_limit,
    complement_limit_error,
    mixed,
)
from simulate.kernels import PackedHashes
from simulate.network import ReluNetwork, divergence
from simulate.sampling import random_coefficients, random_hashes, random_sets
from theory.domain import DomainError
from theory.softmax_output import (
    kl_of_leakage,
    squared_error_of_leakage,
    total_variation_of_leakage,
)

DTYPES = (np.float16, np.float32, np.float64)
DYADIC = (0.25, 1.0, 4.0)


@st.composite
def filters(draw: st.DrawFn):
    """(hashes, tokens [1, k], alpha, c): any sizes with m = d, k = n and repeats among them.

    alpha is adversarial: at 1, at c, or anywhere between, each token on its own.
    """
    d = draw(st.integers(1, 12))
    n = draw(st.integers(1, 10))
    k = draw(st.integers(1, n))
    m = draw(st.integers(1, d))
    bits = st.permutations(range(d)).map(lambda order: order[:m])
    distinct = draw(st.lists(bits, min_size=1, max_size=n))
    hashes = np.zeros((n, d), dtype=bool)
    for token in range(n):  # few distinct hashes, so that some tokens share one
        hashes[token, draw(st.sampled_from(distinct))] = True
    tokens = np.array([draw(st.permutations(range(n)))[:k]])
    c = draw(st.sampled_from([1.0, 2.0, 16.0]))
    choice = st.one_of(
        st.just(1.0), st.just(c), st.integers(0, 8).map(lambda i: 1 + (c - 1) * i / 8)
    )
    alpha = np.array([[draw(choice) for _ in range(k)]])
    return hashes, tokens, alpha, c


def union_of(hashes: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return hashes[tokens].any(axis=1)


def test_clamp_identity_for_every_float16() -> None:
    """x - (x - 1) = 1 for all float16 x in [1, 2048], and not for all above."""
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    inside = every[(every >= 1) & (every <= 2048)]
    assert (inside - (inside - np.float16(1)) == 1).all()
    above = every[(every > 2048) & (every < 4096)]
    assert not (above - (above - np.float16(1)) == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
@given(filters(), st.sampled_from(DYADIC), st.sampled_from([0.5, 1.0, 2.0]))
def test_clamp(dtype, case, beta, alpha_min) -> None:
    """Residual after the layer is exactly the union; logits exactly beta |S ∩ union|."""
    hashes, tokens, alpha, _ = case
    network = clamp(hashes, beta, alpha_min, dtype)
    alpha = alpha * alpha_min
    union = union_of(hashes, tokens)
    after = network.after_layer(network.residual(tokens, alpha))
    assert after.dtype == dtype
    assert (after == alpha_min * union).all()
    logits = network.logits(tokens, alpha)
    assert (logits == beta * (hashes & union).sum(axis=1)).all()
    assert no_false_negative(logits, tokens)


@pytest.mark.parametrize("dtype", DTYPES)
@given(filters(), st.sampled_from(DYADIC), st.sampled_from([1.0, 8.0]))
def test_complement(dtype, case, beta, gain) -> None:
    """Hidden units are exactly 1 outside the union; logits exactly -beta M."""
    hashes, tokens, alpha, _ = case
    network = complement(hashes, beta, gain, dtype)
    hidden = np.maximum(network.residual(tokens, alpha) @ network.W_in + network.b_in, 0)
    assert (hidden == ~union_of(hashes, tokens)).all()
    logits = network.logits(tokens, alpha)
    assert (logits == -beta * PackedHashes.of(hashes).missing_bits(tokens)).all()
    assert no_false_negative(logits, tokens)


@pytest.mark.parametrize("dtype", DTYPES)
@given(filters(), st.sampled_from(DYADIC), st.data())
def test_mixed(dtype, case, beta, data) -> None:
    """Both parts at once: beta times the bits in the union, less the token's complement bits."""
    hashes, tokens, alpha, _ = case
    clamped = data.draw(st.integers(0, hashes.shape[1]))
    network = mixed(hashes, clamped, beta, dtype)
    assert (network.d, network.h) == (2 * hashes.shape[1] - clamped, hashes.shape[1])
    covered = (hashes & union_of(hashes, tokens)).sum(axis=1)
    logits = network.logits(tokens, alpha)
    assert (logits == beta * (covered - hashes[:, clamped:].sum(axis=1))).all()


@pytest.mark.parametrize("clamped", [-1, 9])
def test_mixed_parts_are_within_the_bits(clamped: int) -> None:
    with pytest.raises(DomainError, match="clamped must be at least 0 and at most d = 8"):
        mixed(random_hashes(np.random.default_rng(0), 10, 8, 2), clamped)


@given(filters(), st.sampled_from(DYADIC), st.sampled_from([1.0, 3.0]), st.floats(1e-4, 0.5))
def test_complement_limit_within_its_bound(case, beta, gain, eta) -> None:
    """0 <= logit + beta M <= beta eta c k m at width d."""
    hashes, tokens, alpha, c = case
    network = complement_limit(hashes, beta, gain, eta)
    assert network.d == hashes.shape[1]
    error = network.logits(tokens, alpha) + beta * PackedHashes.of(hashes).missing_bits(tokens)
    bound = complement_limit_error(hashes, tokens.shape[1], c, beta, eta)
    assert error.min() >= -1e-9
    assert error.max() <= bound * (1 + 1e-9) + 1e-9


def test_complement_limit_bound_is_attained() -> None:
    """k tokens with one and the same hash, all at alpha = c."""
    hashes = np.ones((3, 4), dtype=bool)
    tokens, alpha = np.array([[0, 1, 2]]), np.full((1, 3), 2.0)
    logits = complement_limit(hashes, beta=1.0, eta=0.01).logits(tokens, alpha)
    assert logits == pytest.approx(complement_limit_error(hashes, 3, 2.0, 1.0, 0.01))


def no_false_negative(logits: np.ndarray, tokens: np.ndarray) -> bool:
    """Every member has the largest logit of its input."""
    members = np.take_along_axis(logits, tokens, axis=1)
    return bool((members == logits.max(axis=1, keepdims=True)).all())


@pytest.mark.parametrize("build", [clamp, complement])
def test_every_input_at_tiny_sizes(build) -> None:
    """All families of three tokens over four bits, all inputs, all corners of the alpha box."""
    for d, m in ((4, 2), (3, 3), (4, 1)):
        rows = [[b in bits for b in range(d)] for bits in combinations(range(d), m)]
        for family in product(rows, repeat=3):
            hashes = np.array(family)
            network = build(hashes, beta=2.0)
            for k in (1, 2, 3):
                tokens = np.array(list(combinations(range(3), k)))
                for corner in product((1.0, 2.0), repeat=k):
                    alpha = np.broadcast_to(corner, tokens.shape)
                    logits = network.logits(tokens, np.ascontiguousarray(alpha))
                    union = union_of(hashes, tokens)
                    expected = 2.0 * (hashes[None] & union[:, None]).sum(axis=2)
                    if build is complement:
                        expected -= 2.0 * m
                    assert (logits == expected).all()
                    assert no_false_negative(logits, tokens)


def test_alpha_below_one_gives_false_negatives() -> None:
    """With bias -1 and alpha = 0.4 all members lose to a non-member whose bits are hit twice."""
    hashes = np.zeros((5, 6), dtype=bool)
    for token, bits in enumerate(((0, 2), (0, 3), (1, 4), (1, 5), (0, 1))):
        hashes[token, list(bits)] = True
    tokens, alpha = np.array([[0, 1, 2, 3]]), np.full((1, 4), 0.4)
    unguarded = dataclasses.replace(clamp(hashes), alpha_min=0.0)
    assert not no_false_negative(unguarded.logits(tokens, alpha), tokens)
    assert no_false_negative(clamp(hashes, alpha_min=0.25).logits(tokens, alpha), tokens)
    for bad in (alpha, np.full((1, 4), np.nan), np.full((1, 4), np.inf)):
        with pytest.raises(DomainError, match="alpha must be finite and at least 1"):
            clamp(hashes).logits(tokens, bad)
    for unknown in (-1, 5):
        with pytest.raises(DomainError, match=r"tokens must be in 0..4"):
            clamp(hashes).logits(np.array([[0, unknown]]), np.ones((1, 2)))


def test_a_planted_bias_breaks_the_union() -> None:
    """Bias -0.5 leaves 0.5 on the union: the exactness tests above would fail."""
    hashes = np.array([[1, 1, 0], [0, 1, 1]], dtype=bool)
    right = clamp(hashes)
    wrong = ReluNetwork(right.W_E, right.W_in, right.b_in / 2, right.W_out, right.W_U)
    tokens, alpha = np.array([[0]]), np.ones((1, 1))
    assert not (wrong.after_layer(wrong.residual(tokens, alpha)) == hashes[:1]).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from(DYADIC))
def test_packed_and_float_paths_agree(seed: int, beta: float) -> None:
    """Covered tokens by packed bits, by missing bits and by the logits, input by input."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 150)), int(rng.integers(1, 90))
    k, m = int(rng.integers(1, min(n, 9) + 1)), int(rng.integers(1, min(d, 12) + 1))
    hashes = random_hashes(rng, n, d, m)
    tokens = random_sets(rng, 20, n, k)
    alpha = random_coefficients(rng, 20, k, 2.0)
    packed = PackedHashes.of(hashes).count_false_positives(tokens)
    missing = PackedHashes.of(hashes).missing_bits(tokens)
    for network, top in ((clamp(hashes, beta), beta * m), (complement(hashes, beta), 0.0)):
        logits = network.logits(tokens, alpha)
        assert (logits == top - beta * missing).all()
        assert ((logits == top).sum(axis=1) - k == packed).all()


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 30.0))
def test_divergence_identities(seed: int, beta: float) -> None:
    """TV = L/(k+L), KL = ln(1 + L/k), SE = (L^2/k + Q)/(k+L)^2 on every input of the network."""
    rng = np.random.default_rng(seed)
    n, d, m, k = 40, 24, 4, 3
    hashes = random_hashes(rng, n, d, m)
    tokens = random_sets(rng, 30, n, k)
    measured = divergence(clamp(hashes, beta).logits(tokens, np.ones((30, k))), tokens)
    weights = np.exp(-beta * PackedHashes.of(hashes).missing_bits(tokens))
    leakage = weights.sum(axis=1) - k
    squared = (weights**2).sum(axis=1) - k
    close = {"rtol": 1e-9, "atol": 1e-13}
    np.testing.assert_allclose(
        measured.total_variation, total_variation_of_leakage(leakage, k), **close
    )
    np.testing.assert_allclose(measured.kl, kl_of_leakage(leakage, k), **close)
    np.testing.assert_allclose(
        measured.squared_error, squared_error_of_leakage(leakage, squared, k), **close
    )


def test_network_refuses_what_does_not_fit() -> None:
    network = clamp(np.eye(3, dtype=bool))
    tensors = [network.W_E, network.W_in, network.b_in, network.W_out, network.W_U]
    with pytest.raises(DomainError, match="W_U must be finite"):
        ReluNetwork(*tensors[:4], np.full((3, 3), np.nan))
    with pytest.raises(DomainError, match="b_in must have W_E's dtype"):
        ReluNetwork(*tensors[:2], network.b_in.astype(np.float32), *tensors[3:])
    with pytest.raises(DomainError, match="beta"):
        clamp(np.eye(3, dtype=bool), beta=np.inf)


def test_shapes_are_refused_without_the_type_checker() -> None:
    """A user's Python has no shape checking at run time; the constructor's own line must do."""
    code = (
        "import numpy as np; from simulate.network import ReluNetwork; "
        "ReluNetwork(np.eye(3), np.eye(4), np.ones(3), np.eye(3), np.eye(3))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DomainError: W_in must have shape (3, 3); got (4, 4)" in run.stderr
