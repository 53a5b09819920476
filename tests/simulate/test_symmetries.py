"""Symmetries: another basis changes every weight and no output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from simulate.symmetries import in_another_basis


def network_of(rng: np.random.Generator, n: int, d: int, h: int) -> ReluNetwork:
    return ReluNetwork(
        W_E=rng.standard_normal((n, d)),
        W_in=rng.standard_normal((d, h)),
        b_in=rng.standard_normal(h),
        W_out=rng.standard_normal((h, d)),
        W_U=rng.standard_normal((d, n)),
        b_out=rng.standard_normal(d),
        b_U=rng.standard_normal(n),
    )


@settings(max_examples=30)
@given(
    sizes=st.tuples(st.integers(4, 20), st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 10**6),
    shift=st.sampled_from([0.0, 1.0, 30.0]),
)
def test_logits_move_together_and_units_keep_their_states(sizes, seed, shift):
    rng = np.random.default_rng(seed)
    network = network_of(rng, *sizes)
    moved, order = in_another_basis(network, rng, shift)
    tokens, alpha = random_sets(rng, 20, network.n, 3), random_coefficients(rng, 20, 3, 2.0)
    difference = moved.logits(tokens, alpha) - network.logits(tokens, alpha)
    scale = 1.0 + np.abs(network.logits(tokens, alpha)).max() * (1.0 + shift)
    assert np.ptp(difference, axis=1).max() < 1e-9 * scale
    if shift == 0.0:
        assert np.abs(difference).max() < 1e-9 * scale

    def states(of: ReluNetwork) -> np.ndarray:
        return of.residual(tokens, alpha) @ of.W_in + of.b_in

    assert ((states(moved) > 0) == (states(network)[:, order] > 0)).all()
    assert sorted(order.tolist()) == list(range(network.h))


def test_the_dtype_is_kept_and_no_weight_is():
    rng = np.random.default_rng(0)
    wide = network_of(rng, 8, 5, 6)
    names = ("W_E", "W_in", "b_in", "W_out", "W_U", "b_out", "b_U")
    network = replace(wide, **{name: getattr(wide, name).astype(np.float32) for name in names})
    moved, _ = in_another_basis(network, rng)
    for name in names[:-1]:
        assert getattr(moved, name).dtype == np.float32
        assert getattr(moved, name) != pytest.approx(getattr(network, name)), name


def test_a_negative_rescaling_is_no_symmetry():
    # the planted fault: the group's scales are positive for a reason
    rng = np.random.default_rng(1)
    network = network_of(rng, 8, 5, 6)
    flipped = replace(network, W_in=-network.W_in, b_in=-network.b_in, W_out=-network.W_out)
    tokens, alpha = random_sets(rng, 20, 8, 3), random_coefficients(rng, 20, 3, 2.0)
    difference = flipped.logits(tokens, alpha) - network.logits(tokens, alpha)
    assert np.ptp(difference, axis=1).max() > 0.1
