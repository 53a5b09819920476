"""Every gate is decided: proofs against brute force, and counterexamples that are inputs."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from simulate.constructions import clamp, complement
from simulate.network import ReluNetwork
from simulate.sampling import random_hashes
from tests.train.certified_networks import noisy
from train.certificate import replay
from train.certificate.gates import gates
from train.reading.normal_form import NormalForm


@pytest.mark.parametrize(("build", "sign"), [(clamp, -1), (complement, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_constructions_are_proved_on_the_boundary(build, sign, dtype) -> None:
    """The clamp is on at alpha = 1 with nothing to spare, and that is enough."""
    hashes = random_hashes(np.random.default_rng(0), 60, 24, 6)
    for k, c in ((1, 1.0), (3, 2.0), (4, 3.7)):
        form = NormalForm(build(hashes, 0.7, dtype=dtype), k, c, hashes, np.full(24, sign))
        found = gates(form)
        assert found.proved.all()
        assert (found.hit.bound == 0.0).all()
        assert (found.missed.bound == 1.0).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-9, 0.3]), st.sampled_from([1.0, 2.5]))
def test_against_all_inputs(seed: int, size: float, c: float) -> None:
    """Bounds are the extremes over all inputs and ends of the alpha box, and verdicts are right."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 7)), int(rng.integers(1, 4))
    k = int(rng.integers(1, min(n, 3) + 1))
    hashes = random_hashes(rng, n, d, int(rng.integers(1, d + 1)))
    network = noisy(clamp(hashes, dtype=np.float32), rng, size)
    owners = hashes if size else rng.random((n, d)) < 0.5
    form = NormalForm(network, k, c, owners, np.full(d, -1))
    found = gates(form)
    extremes: dict[bool, list[list[Fraction]]] = {hit: [[] for _ in range(d)] for hit in (0, 1)}
    for tokens in combinations(range(n), k):
        union = owners[list(tokens)].any(axis=0)
        for alpha in product({Fraction(1), Fraction(c)}, repeat=k):
            z = replay.pre_activations(network, tokens, alpha)
            for unit in range(d):
                extremes[bool(union[unit])][unit].append(-z[unit])
    for unit in range(d):
        hit, missed = extremes[True][unit], extremes[False][unit]
        assert found.hit.holds[unit] == (not hit or max(hit) <= 0)
        assert found.missed.holds[unit] == (not missed or min(missed) >= 0)
        if hit:
            assert 0 <= Fraction(float(found.hit.bound[unit])) - max(hit) < 1e-12
        if missed:
            assert 0 <= min(missed) - Fraction(float(found.missed.bound[unit])) < 1e-12
    for statement, wrong in ((found.hit, lambda y: y > 0), (found.missed, lambda y: y < 0)):
        for unit in np.flatnonzero(~statement.holds):
            tokens = statement.tokens[unit].tolist()
            alpha = [Fraction(a) for a in statement.alpha[unit]]
            assert len(set(tokens)) == k
            y = -replay.pre_activations(network, tokens, alpha)[unit]
            assert wrong(y)
            assert owners[tokens, unit].any() == (statement is found.hit)


def test_rational_arithmetic_settles_what_float64_cannot() -> None:
    """0.1 + 0.2 - 0.3 in floats: the sign of y is that of the exact sum of the stored numbers."""
    for weights, bias in ((0.1, 0.2), -0.3), ((0.3, 0.6), -0.9), ((0.1, 0.7), -0.8):
        W_E = np.array([[w] for w in weights])
        one = np.ones((1, 1))
        network = ReluNetwork(W_E, one, np.array([bias]), one, np.ones((1, 2)))
        owners = np.array([[True], [False]])
        exact = sum(map(Fraction, weights)) + Fraction(bias)
        for sign in (-1, 1):
            found = gates(NormalForm(network, 2, 1.0, owners, np.array([sign])))
            assert found.hit.holds[0] == (sign * exact <= 0)


def test_a_flipped_bit_is_refuted_by_an_input() -> None:
    hashes = random_hashes(np.random.default_rng(1), 30, 12, 4)
    wrong = hashes.copy()
    wrong[7, 3] = not wrong[7, 3]
    found = gates(NormalForm(clamp(hashes), 2, 2.0, wrong, np.full(12, -1)))
    assert found.proved.sum() == 11
    assert not found.proved[3]
    statement = found.hit if wrong[7, 3] else found.missed
    assert 7 in statement.tokens[3]
