"""Whatever does not change the function changes no number: rotations, permutations, rescalings.

Also one vector added to all columns of W_U, which moves all logits of an input alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.constructions import mixed
from simulate.network import ReluNetwork
from simulate.sampling import random_coefficients, random_sets
from simulate.symmetries import in_another_basis
from tests.train.subjects import CONSTRUCTIONS, hashes_for, plain, trained, untrained
from tests.train.zoo import ZOO
from train.analysis import mechanism
from train.analysis.exceptions import exceptions
from train.analysis.record import Analysis
from train.analysis.report import analyse
from train.reading.masks import extract
from train.reading.subject import Subject

# rounding through the rotation, relative to the number itself
TOLERANCE = 1e-6


def subject(name: str) -> tuple[ReluNetwork, int]:
    if name in CONSTRUCTIONS:
        return CONSTRUCTIONS[name](hashes_for(80, 16, 4)), 3
    if name == "mixed":
        return mixed(hashes_for(80, 16, 4), clamped=7), 3
    if name == "untrained":
        return untrained(np.random.default_rng(8), 60, 14, 20), 2
    pytest.importorskip("torch")
    return trained(name.removeprefix("trained "))


SUBJECTS = (*CONSTRUCTIONS, "mixed", "untrained", "trained clamp", "trained complement")


def numbers(record: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of the record with its path; exceptions by how many there are."""
    if isinstance(record, Mapping):
        for name, value in record.items():
            # shuffled outputs and an untrained network have bases of their own
            # and words give fewer digits, which may round apart
            if name not in ("exceptions", "baselines", "reason"):
                yield from numbers(value, f"{at}.{name}")
    elif isinstance(record, list):
        for place, value in enumerate(record):
            yield from numbers(value, f"{at}[{place}]")
    else:
        yield at, record


def assert_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    left, right = dict(numbers(one)), dict(numbers(other))
    assert left.keys() == right.keys()
    for at, value in left.items():
        if isinstance(value, float):
            assert math.isclose(value, right[at], rel_tol=TOLERANCE, abs_tol=TOLERANCE), at
        else:
            assert value == right[at], at


@pytest.mark.parametrize("name", SUBJECTS)
@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), shift=st.sampled_from([0.0, 1.0, 30.0]))
def test_every_number_of_the_mechanism_is_invariant(name, seed, shift):
    network, k = subject(name)
    moved, order = in_another_basis(network, np.random.default_rng(seed), shift)
    one, other = (
        mechanism.analyse(
            Subject(each, k, 2.0), extract(each, k, 2.0), np.random.default_rng(1), 128
        )
        for each in (network, moved)
    )
    assert_same(plain(one.record), plain(other.record))
    for field in ("read", "write", "orientation", "live", "always_on"):
        here, there = getattr(one.masks, field), getattr(other.masks, field)
        assert (here[..., order] == there).all(), field
    for field in ("hits_to_switch", "link"):
        here, there = getattr(one.masks, field), getattr(other.masks, field)
        assert here[order] == pytest.approx(there, rel=TOLERANCE, nan_ok=True)


@pytest.mark.parametrize("name", SUBJECTS)
def test_exceptions_follow_the_permutation(name):
    network, k = subject(name)
    moved, order = in_another_basis(network, np.random.default_rng(3))
    one, other = (
        mechanism.analyse(
            Subject(each, k, 2.0), extract(each, k, 2.0), np.random.default_rng(1), 128
        )
        for each in (network, moved)
    )
    before, after = (exceptions(how.subject, how.masks, how.bit_weights) for how in (one, other))
    assert {each.unit for each in before.units} == {int(order[e.unit]) for e in after.units}
    assert [each.token for each in before.tokens] == [each.token for each in after.tokens]


def moved_animal(network: ReluNetwork, seed: int, tokens_too: bool) -> ReluNetwork:
    """The same function: any basis of the residual stream, units in another order and scale.

    All logits are shifted alike. tokens_too: under other numbers of the tokens.
    """
    rng = np.random.default_rng(seed)
    moved, _ = in_another_basis(network, rng)
    # not only rotations: the basis may be any
    basis = np.linalg.qr(rng.standard_normal((network.d, network.d)))[0]
    basis *= np.exp(rng.uniform(-0.5, 0.5, network.d))
    back = np.linalg.inv(basis)
    order = rng.permutation(network.n) if tokens_too else np.arange(network.n)
    b_U = np.zeros(network.n) if network.b_U is None else network.b_U
    changed = {
        "W_E": moved.W_E[order] @ basis,
        "W_in": back @ moved.W_in,
        "W_out": moved.W_out @ basis,
        "W_U": back @ moved.W_U[:, order],
        "b_U": b_U[order] + rng.normal(),
    }
    if moved.b_out is not None:
        changed["b_out"] = moved.b_out @ basis
    as_stored = {name: array.astype(network.dtype) for name, array in changed.items()}
    return replace(moved, **as_stored)


def verdict_of(network: ReluNetwork, k: int, c: float) -> Analysis:
    return analyse(Subject(network, k, c), 2000, sections=()).record


# what a common offset of all logits loses in the network's own digits is another function
FAITHFUL = [name for name in ZOO if "offset" not in name]


@settings(max_examples=24)
@given(name=st.sampled_from(FAITHFUL), seed=st.integers(0, 10_000), tokens_too=st.booleans())
def test_the_three_parts_of_the_verdict_are_invariant(name, seed, tokens_too):
    """On every network of known truth: what holds, and where inputs are the same, every number."""
    animal = ZOO[name]
    network = animal.make()
    one = verdict_of(network, animal.k, animal.c)
    other = verdict_of(moved_animal(network, seed, tokens_too), animal.k, animal.c)
    for part in ("structure", "mechanism", "behaviour"):
        here, there = getattr(one.evidence, part), getattr(other.evidence, part)
        assert here.holds == there.holds, (part, here.reason, there.reason)
    assert (one.verdict, one.bloom_filter) == (other.verdict, other.bloom_filter)
    codes = [each.mechanism.code for each in (one, other)]
    assert len({None if code is None else code.d for code in codes}) == 1
    if one.bloom_filter and not tokens_too and network.dtype == np.float64:
        assert_same(plain(one.evidence), plain(other.evidence))


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_group_leaves_the_function_alone(name):
    network, k = subject(name)
    rng = np.random.default_rng(0)
    tokens, alpha = random_sets(rng, 50, network.n, k), random_coefficients(rng, 50, k, 2.0)
    moved, _ = in_another_basis(network, rng)
    one, other = network.logits(tokens, alpha), moved.logits(tokens, alpha)
    difference = other - one
    scale = np.abs(one).max() + np.abs(other).max()
    assert np.ptp(difference, axis=1).max() < 1e-9 * scale
