"""Inputs that cover a non-member: all of them, and which replacement makes the network fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.constructions import clamp
from simulate.enumeration import enumerate_inputs, subsets
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients
from tests.train.subjects import CONSTRUCTIONS, hashes_for
from train.analysis.construction_path import STEPS
from train.analysis.covered_inputs import covered_inputs, failing_on_the_way
from train.reading.masks import extract

N, D, M, K, C = 24, 14, 3, 2, 2.0


def covered_tokens(hashes: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """By the definition: the non-members of each input without a bit outside its union."""
    union = hashes[tokens].any(axis=1)
    covered = ~(hashes[None] & ~union[:, None]).any(axis=2)
    np.put_along_axis(covered, tokens, False, axis=1)
    return covered


def way(network: ReluNetwork, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Shares of covered inputs that fail along the path, and the inputs."""
    masks = extract(network, K, C)
    tokens, alpha = covered_inputs(np.random.default_rng(seed), masks, K, C, 4000)
    assert len(tokens) > 100
    return failing_on_the_way(network, masks, K, C, tokens, alpha).mean(axis=1), tokens


def test_as_many_as_enumerated() -> None:
    """One interval at the checks' confidence."""
    hashes = hashes_for(N, D, M)
    masks = extract(clamp(hashes, beta=8.0), K, C)
    tokens, alpha = covered_inputs(np.random.default_rng(1), masks, K, C, 30_000)
    assert covered_tokens(hashes, tokens).any(axis=1).all()
    assert alpha.min() >= 1.0
    assert alpha.max() <= C
    found = intervals.proportion(len(tokens), 30_000, CONFIDENCE)
    assert found.contains(float(enumerate_inputs(hashes, K).failure_probability))


@pytest.mark.parametrize("kind", CONSTRUCTIONS)
def test_a_construction_fails_on_all(kind: str) -> None:
    """Whatever is replaced: nothing but masks is there."""
    failing, _ = way(CONSTRUCTIONS[kind](hashes_for(N, D, M), beta=8.0))
    assert failing.tolist() == [1.0] * (1 + len(STEPS))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_at_the_end_it_fails_where_its_masks_cover(seed: int) -> None:
    """A theorem for every network, here one whose every weight is disturbed; no more, no less.

    beta = 8 at 22 non-members: those that miss a bit leak far too little for a failure.
    """
    rng = np.random.default_rng(seed)
    exact = clamp(hashes_for(N, D, M), beta=8.0)
    network = replace(
        exact,
        W_E=exact.W_E + 0.02 * rng.standard_normal(exact.W_E.shape),
        W_U=exact.W_U + 0.1 * rng.standard_normal(exact.W_U.shape),
    )
    masks = extract(network, K, C)
    tokens = subsets(N, K, 0, N * (N - 1) // 2)
    alpha = random_coefficients(rng, len(tokens), K, C)
    failed = failing_on_the_way(network, masks, K, C, tokens, alpha)[-1]
    np.testing.assert_array_equal(failed, covered_tokens(masks.read, tokens).any(axis=1))


def test_a_lowered_token_is_found_to_be_that() -> None:
    """Its logit is low by a constant: inputs that cover no other token fail at the last step."""
    exact = clamp(hashes_for(N, D, M), beta=8.0)
    masks = extract(exact, K, C)
    tokens, _ = covered_inputs(np.random.default_rng(0), masks, K, C, 4000)
    alone = covered_tokens(masks.read, tokens)
    alone[alone.sum(axis=1) > 1] = False
    lowered = int(alone.sum(axis=0).argmax())
    b_U = np.zeros(N)
    b_U[lowered] = -6.0
    network = replace(exact, b_U=b_U)
    alpha = random_coefficients(np.random.default_rng(1), len(tokens), K, C)
    failed = failing_on_the_way(network, extract(network, K, C), K, C, tokens, alpha)
    only = alone[:, lowered]
    assert only.sum() > 20
    assert not failed[:-1, only].any()
    assert failed[-1].all()


def test_a_path_past_the_units_is_found_to_be_that() -> None:
    """A second, one-hot embedding that units do not see tells members: no failure until it goes."""
    exact = clamp(hashes_for(N, D, M), beta=8.0)
    past = 6.0 * np.eye(N)
    network = replace(
        exact,
        W_E=np.hstack([exact.W_E, np.eye(N)]),
        W_in=np.vstack([exact.W_in, np.zeros((N, D))]),
        W_out=np.hstack([exact.W_out, np.zeros((D, N))]),
        W_U=np.vstack([exact.W_U, past]),
    )
    failing, _ = way(network)
    gone = STEPS.index("direct path") + 1
    assert failing[:gone].tolist() == [0.0] * gone
    assert failing[gone:].tolist() == [1.0] * (len(STEPS) + 1 - gone)
