"""Designed masks: their promises, their certificates, and exact counts over all inputs.

False-alarm budget: one comparison at 1e-6, and the panel's own. Seeds are fixed.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate import designed_codes as codes
from simulate.designed_codes import Design
from simulate.estimators import counts_in_family
from simulate.jobs import intervals
from simulate.kernels import ENGINES, PackedHashes
from simulate.panels import designed_codes as panel
from simulate.sampling import random_hashes
from tests.simulate.running import failed
from theory import quenched
from theory.domain import DomainError
from theory.false_positives import failure_probability

sizes = st.integers(1, 20).flatmap(
    lambda d: st.tuples(st.integers(1, 30), st.just(d), st.integers(1, d))
)


@given(sizes, st.integers(0, 99))
def test_balanced_masks(size: tuple[int, int, int], seed: int) -> None:
    n, d, m = size
    hashes = codes.balanced_hashes(np.random.default_rng(seed), n, d, m)
    assert (hashes.sum(axis=1) == m).all()
    assert np.ptp(hashes.sum(axis=0)) <= 1


@settings(max_examples=30)
@given(sizes, st.integers(0, 99))
def test_searches(size: tuple[int, int, int], seed: int) -> None:
    """Weights stay, the price only falls, and at the end no single move lowers it."""
    n, d, m = size
    rng = np.random.default_rng(seed)
    greedy = codes.greedy_hashes(rng, n, d, m)
    before = greedy.copy()
    price = codes.overlap_price(greedy)
    found = codes.improved_hashes(rng, greedy, 200)
    assert (greedy == before).all()
    assert (greedy.sum(axis=1) == m).all()
    assert (found.sum(axis=1) == m).all()
    assert codes.overlap_price(found) <= price
    token = seed % n
    for own in np.flatnonzero(found[token]):
        for free in np.flatnonzero(~found[token]):
            moved = found.copy()
            moved[token, [own, free]] = False, True
            assert codes.overlap_price(moved) >= codes.overlap_price(found) * (1 - 1e-9)


def test_a_greedy_packing_wastes_nothing() -> None:
    """Eight tokens of 2 bits in 16: disjoint; the next ones share one bit, never two."""
    hashes = codes.greedy_hashes(np.random.default_rng(0), 30, 16, 2)
    overlaps = codes.overlaps_of(hashes) - 2 * np.eye(30, dtype=int)
    assert overlaps[:8, :8].max() == 0
    assert overlaps.max() == 1


@given(
    st.integers(2, 6).flatmap(lambda n: st.lists(st.integers(0, 2**7 - 1), min_size=n, max_size=n))
)
def test_certificates_are_sound(rows: list[int]) -> None:
    """No input of up to the certified number of members fails, whatever the masks."""
    masks = np.array([[row >> bit & 1 for bit in range(7)] for row in rows], dtype=bool)
    certified = codes.certified_members(masks)
    for k in range(1, min(certified, len(rows)) + 1):
        assert quenched.failure_probability(masks, k) == 0


@pytest.mark.parametrize("q", [2, 3, 4, 5, 7, 8, 11, 16])
def test_fields(q: int) -> None:
    """Commutative, associative, distributive; every nonzero element has one inverse."""
    plus, times = codes._field(q)
    a, b, c = np.ogrid[:q, :q, :q]
    assert (plus == plus.T).all()
    assert (times == times.T).all()
    assert (times[times[a, b], c] == times[a, times[b, c]]).all()
    assert (times[a, plus[b, c]] == plus[times[a, b], times[a, c]]).all()
    assert (np.sort(times[1:, 1:], axis=1) == np.arange(1, q)).all()
    assert (np.sort(plus, axis=1) == np.arange(q)).all()


@pytest.mark.parametrize(("q", "m", "size"), [(5, 5, 3), (8, 8, 3), (4, 3, 2), (7, 4, 2)])
def test_reed_solomon_codes(q: int, m: int, size: int) -> None:
    """Weight m, at most size - 1 shared bits, balance; certified for (m-1) // (size-1) members."""
    hashes = codes.reed_solomon_hashes(q, m, size)
    assert hashes.shape == (q**size, m * q)
    assert (hashes.sum(axis=1) == m).all()
    assert (hashes.sum(axis=0) == q ** (size - 1)).all()
    overlaps = codes.overlaps_of(hashes)
    np.fill_diagonal(overlaps, 0)
    assert overlaps.max() == size - 1
    assert codes.certified_members(hashes) == (m - 1) // (size - 1)


def test_certificate_is_tight() -> None:
    """One member more than certified, and inputs fail: 125 tokens over 25 bits, all inputs."""
    hashes = codes.reed_solomon_hashes(5, 5, 3)
    assert codes.enumerated_counts(hashes, 2) == (0, 0)
    failures, hits = codes.enumerated_counts(hashes, 3)
    assert 0 < failures <= hits
    assert Fraction(failures, math.comb(125, 3)) == quenched.failure_probability(hashes, 3)


@pytest.mark.parametrize(
    ("n", "k", "d"), [(512, 3, 64), (1024, 4, 96), (512, 3, 56), (1036, 4, 96)]
)
def test_zero_error(n: int, k: int, d: int) -> None:
    """Certified, exact E#FP zero, and none of 100,000 counted inputs fails; a repeat is noticed."""
    hashes = codes.zero_error_hashes(n, k, d)
    assert hashes.shape == (n, d)
    assert codes.certified_members(hashes) >= k
    assert quenched.expected_false_positives(hashes, k) == 0
    counts = counts_in_family(np.random.default_rng(1), PackedHashes.of(hashes), k, 100_000)
    assert counts.sum() == 0
    hashes[1] = hashes[0]
    assert codes.certified_members(hashes) == 0
    assert quenched.expected_false_positives(hashes, k) > 0


@pytest.mark.skipif(ENGINES[0] != "numba", reason="NumPy takes half a minute")
def test_zero_error_over_all_inputs() -> None:
    """All 22,238,720 inputs of n = 512, k = 3."""
    assert codes.enumerated_counts(codes.zero_error_hashes(512, 3, 64), 3) == (0, 0)


def test_biplane_code() -> None:
    """1000 codewords of weight 9 and 36 pairs of blocks; no two share more than 2 bits."""
    hashes = codes.biplane_hashes()
    assert hashes.shape == (1036, 96)
    weights = hashes.sum(axis=1)
    assert (weights[:1000] == 9).all()
    assert set(weights[1000:].tolist()) == {9, 10}
    overlaps = codes.overlaps_of(hashes)
    np.fill_diagonal(overlaps, 0)
    assert overlaps.max() == 2


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_all_inputs(k: int) -> None:
    inputs = np.concatenate(list(codes.all_inputs(9, k)))
    assert [tuple(row) for row in inputs.tolist()] == list(combinations(range(9), k))


@pytest.mark.parametrize("design", codes.DESIGNS)
def test_enumeration_agrees_with_the_exact_formulas(design: str) -> None:
    """P_fail and E#FP of every design, from the kernels over all inputs and from the theory."""
    masks = codes.DESIGNS[design](np.random.default_rng(2), 40, 20, 4)
    for k in (2, 3):
        failures, hits = codes.enumerated_counts(masks, k)
        inputs = math.comb(40, k)
        assert Fraction(failures, inputs) == quenched.failure_probability(masks, k)
        assert Fraction(hits, inputs) == quenched.expected_false_positives(masks, k)


def test_how_far_below_random() -> None:
    """n = 512, d = 64, k = 3: greedy masks fail 12 times, searched ones 16 times less often."""
    rng = np.random.default_rng(3)
    optimum = failure_probability(512, 3, 64, 12)
    found = {}
    for design, m in ((Design.BALANCED, 12), (Design.GREEDY, 11), (Design.SEARCH, 10)):
        masks = codes.DESIGNS[design](rng, 512, 64, m)
        found[design] = float(quenched.expected_false_positives(masks, 3)) / optimum
    assert 0.9 < found[Design.BALANCED] < 1.1
    assert found[Design.SEARCH] < found[Design.GREEDY] < 1 / 12
    assert found[Design.SEARCH] < 1 / 15
    counts = counts_in_family(rng, PackedHashes.of(masks), 3, 300_000)
    counted = intervals.mean(counts, 1 - 1e-6)
    assert counted.contains(found[Design.SEARCH] * optimum)


def test_the_panel_notices_a_code_that_fails(monkeypatch) -> None:
    """Greedy masks in place of the zero-error code, random ones in place of the greedy."""
    (task,) = (size for size in panel.TASKS if size[1] == 3)
    monkeypatch.setattr(panel, "TASKS", {task: panel.TASKS[task]})
    n, k, d = task

    def found() -> list[panel.Measured]:
        return [
            panel.measure(np.random.default_rng(4), design, n, k, d, m, 100_000, 0, False)
            for design, m in ((Design.ZERO_ERROR, 8), (Design.GREEDY, 10))
        ]

    assert failed(panel.PANEL, found()) == []
    greedy = codes.greedy_hashes(np.random.default_rng(5), n, d, 8)
    monkeypatch.setattr(codes, "zero_error_hashes", lambda n, k, d: greedy)
    monkeypatch.setitem(codes.DESIGNS, Design.GREEDY, random_hashes)
    assert len(failed(panel.PANEL, found())) == 3


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda rng: codes.balanced_hashes(rng, 5, 3, 4), "m must be"),
        (lambda rng: codes.greedy_hashes(rng, 0, 3, 2), "n must be"),
        (lambda rng: codes.improved_hashes(rng, np.ones((2, 3), bool), -1), "sweeps must be"),
        (lambda rng: codes.reed_solomon_hashes(6, 3, 2), "q must be a prime"),
        (lambda rng: codes.reed_solomon_hashes(5, 6, 2), "m must be"),
        (
            lambda rng: codes.zero_error_hashes(1037, 4, 96),
            "d must be larger, or n or k smaller, for a zero-error code",
        ),
        (
            lambda rng: codes.zero_error_hashes(512, 4, 64),
            "d must be larger, or n or k smaller, for a zero-error code",
        ),
    ],
)
def test_bad_input_is_named(call, name: str) -> None:
    with pytest.raises(DomainError, match=rf"^{name}"):
        call(np.random.default_rng(0))
