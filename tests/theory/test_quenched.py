"""Rates of one fixed family: against all inputs, against counting, and averaged over families.

False-alarm budget: every statistical comparison uses an interval of confidence 1 - 1e-6 (those of
a mean are asymptotic: count ten times that); fewer than 20 comparisons, so 2e-4 for the file.
Seeds are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from simulate.jobs import intervals
from simulate.sampling import random_hashes, random_sets
from theory import false_positives, quenched
from theory.domain import DomainError
from theory.enumerate import mean, outcome_law_of_family
from theory.formula import Formula
from theory.formulas import false_positives as annealed
from theory.formulas.quenched import EXPECTED_FALSE_POSITIVES, FALSE_POSITIVE_RATE, nested

CONFIDENCE = 1 - 1e-6


@st.composite
def families(draw: st.DrawFn) -> np.ndarray:
    """Masks of any weight: repeats, no bits and all bits are common at these sizes."""
    n, d = draw(st.integers(1, 7)), draw(st.integers(0, 7))
    rows = draw(st.lists(st.integers(0, 2**d - 1), min_size=n, max_size=n))
    return np.array([[row >> bit & 1 for bit in range(d)] for row in rows], bool).reshape(n, d)


def as_sets(masks: np.ndarray) -> list[frozenset[int]]:
    return [frozenset(np.flatnonzero(mask).tolist()) for mask in masks]


def covering_sets(masks: np.ndarray, token: int, k: int) -> int:
    """The k-sets of the other tokens that cover the token, counted one by one."""
    *others, own = (*as_sets(np.delete(masks, token, axis=0)), as_sets(masks)[token])
    return sum(own <= frozenset().union(*members) for members in combinations(others, k))


def agrees_with_all_inputs(masks: np.ndarray, k: int) -> bool:
    counted = [covering_sets(masks, token, k) for token in range(len(masks))]
    return quenched.false_positive_inputs(masks, k) == counted


@given(families(), st.data())
def test_all_inputs_of_small_families(masks: np.ndarray, data: st.DataObject) -> None:
    """Every token's count, E#FP, FPR and P_fail equal those of all C(n, k) inputs, exactly."""
    n = len(masks)
    k = data.draw(st.integers(1, n))
    assert agrees_with_all_inputs(masks, k)
    law = outcome_law_of_family(as_sets(masks), k)
    expected = mean(law, lambda outcome: outcome.false_positives)
    assert quenched.expected_false_positives(masks, k) == expected
    failure = mean(law, lambda outcome: int(outcome.false_positives > 0))
    assert quenched.failure_probability(masks, k) == failure
    if k < n:
        rates = quenched.false_positive_rates(masks, k)
        assert [rate * math.comb(n - 1, k) for rate in rates] == [
            covering_sets(masks, token, k) for token in range(n)
        ]
        assert quenched.false_positive_rate(masks, k) == expected / (n - k)
        assert (1 - Fraction(k, n)) * sum(rates) == expected


def all_inputs(n: int, k: int) -> np.ndarray:
    return np.array(list(combinations(range(n), k)))


def false_positives_of(masks: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Covered non-members of each input; missing bits are a matrix product, exact in float32."""
    counts = []
    for block in np.array_split(tokens, -(-len(tokens) // 4096)):
        outside = ~masks[block].any(axis=1)
        missing = outside.astype(np.float32) @ masks.T.astype(np.float32)
        counts.append(np.count_nonzero(missing == 0, axis=1) - tokens.shape[1])
    return np.concatenate(counts)


@pytest.mark.parametrize("code", [(512, 2, 40, 16), (65, 3, 63, 6), (64, 3, 64, 5), (40, 4, 65, 7)])
def test_all_inputs_of_larger_families(code: tuple[int, int, int, int]) -> None:
    """Total false positives and failing inputs, as a matrix product finds them."""
    n, k, d, m = code
    masks = random_hashes(np.random.default_rng(1), n, d, m)
    counts = false_positives_of(masks, all_inputs(n, k))
    assert counts.sum() > 0
    assert sum(quenched.false_positive_inputs(masks, k)) == counts.sum()
    failing = int(np.count_nonzero(counts))
    assert quenched.failure_probability(masks, k) == Fraction(failing, len(counts))


def test_sixteen_bits_token_by_token() -> None:
    """m = 16, n = 512: the rates of single tokens against all pairs of the others."""
    n, k, d, m = 512, 2, 40, 16
    masks = random_hashes(np.random.default_rng(1), n, d, m)
    inputs = all_inputs(n, k)
    outside = ~masks[inputs].any(axis=1)
    found = quenched.false_positive_inputs(masks, k)
    for token in (0, 1, 255, 510, 511):
        covered = ~(outside & masks[token]).any(axis=1)
        assert found[token] == np.count_nonzero(covered) - (n - 1)  # its own inputs


def test_floats_would_not_do() -> None:
    """A rate of 4e-23, known in closed form: exact here, and lost in a sum of doubles."""
    n, k, m = 300, 20, 16
    masks = np.zeros((n, m), bool)
    masks[0] = True
    masks[1 : m + 1] = np.eye(m, dtype=bool)  # the only owners: all of them must be members
    covering = math.comb(n - 1 - m, k - m)
    assert quenched.false_positive_inputs(masks, k)[0] == covering
    exact = covering / math.comb(n - 1, k)
    size = np.bitwise_count(np.arange(1 << m)).astype(float)  # n_J = n - 1 - |J|
    terms = np.prod([1 - size / (n - 1 - i) for i in range(k)], axis=0)
    in_floats = float(np.where(size % 2, -terms, terms).sum())
    assert abs(in_floats - exact) > 1e3 * exact


@pytest.mark.parametrize(
    ("code", "sets"),
    [((512, 4, 60, 16), 200_000), ((300, 8, 100, 12), 200_000), ((50, 3, 36, 7), 400_000)],
    ids=str,
)
def test_counting(code: tuple[int, int, int, int], sets: int) -> None:
    """E#FP, and the rate of one token, from independent inputs of the one family."""
    n, k, d, m = code
    rng = np.random.default_rng(3)
    masks = random_hashes(rng, n, d, m)
    tokens = random_sets(rng, sets, n, k)
    hits = false_positives_of(masks, tokens)
    expected = quenched.expected_false_positives(masks, k)
    assert intervals.mean(hits, CONFIDENCE).contains(float(expected))

    rates = quenched.false_positive_rates(masks, k)
    token = rates.index(max(rates))
    other = tokens[(tokens != token).all(axis=1)]
    covered = ~(masks[token] & ~masks[other].any(axis=1)).any(axis=1)
    measured = intervals.proportion(int(np.count_nonzero(covered)), len(other), CONFIDENCE)
    assert measured.contains(float(rates[token]))


def test_counting_tells_the_family_from_the_mean() -> None:
    """Power: inputs of one family reject the annealed E#FP, accept its own, P_fail as well."""
    n, k, d, m = 50, 3, 36, 7
    rng = np.random.default_rng(4)
    masks = random_hashes(rng, n, d, m)
    tokens = random_sets(rng, 1_000_000, n, k)
    hits = false_positives_of(masks, tokens)
    measured = intervals.mean(hits, CONFIDENCE)
    assert measured.contains(float(quenched.expected_false_positives(masks, k)))
    assert not measured.contains(false_positives.expected_false_positives(n, k, d, m))
    failed = intervals.proportion(int(np.count_nonzero(hits)), len(hits), CONFIDENCE)
    assert failed.contains(float(quenched.failure_probability(masks, k)))
    assert not failed.contains(false_positives.failure_probability(n, k, d, m))


@pytest.mark.slow
def test_full_size() -> None:
    """m = 16, n = 4096: E#FP, the largest and the smallest rate, as counted."""
    n, k, d, m = 4096, 16, 256, 16
    rng = np.random.default_rng(5)
    masks = random_hashes(rng, n, d, m)
    found = quenched.false_positive_inputs(masks, k)
    tokens = random_sets(rng, 30_000, n, k)
    hits = false_positives_of(masks, tokens)
    expected = Fraction(sum(found), math.comb(n, k))
    assert intervals.mean(hits, CONFIDENCE).contains(float(expected))
    outside = ~masks[tokens].any(axis=1)
    for token in (found.index(max(found)), found.index(min(found))):
        apart = (tokens != token).all(axis=1)
        covered = ~(masks[token] & outside[apart]).any(axis=1)
        measured = intervals.proportion(int(np.count_nonzero(covered)), len(covered), CONFIDENCE)
        assert measured.contains(float(Fraction(found[token], math.comb(n - 1, k))))


@pytest.mark.parametrize(
    "sizes", [(2, 1, 5, 3), (3, 1, 4, 2), (3, 2, 4, 2), (4, 2, 4, 3), (4, 3, 3, 2)], ids=str
)
def test_mean_over_families_is_annealed(sizes: tuple[int, int, int, int]) -> None:
    """All C(d, m)^n families: mean FPR, E#FP and P_fail, exactly."""
    n, k, d, m = sizes
    hashes = [[bit in bits for bit in range(d)] for bits in combinations(range(d), m)]
    all_masks = [np.array(family) for family in product(hashes, repeat=n)]

    def average(rate: Callable[[np.ndarray, int], Fraction]) -> Fraction:
        return sum((rate(masks, k) for masks in all_masks), start=Fraction(0)) / len(all_masks)

    exact = Fraction(str(annealed.FALSE_POSITIVE_RATE.exact(k=k, d=d, m=m)))
    assert average(quenched.false_positive_rate) == exact
    assert average(quenched.expected_false_positives) == (n - k) * exact
    failure = Fraction(str(annealed.FAILURE_PROBABILITY.exact(n=n, k=k, d=d, m=m)))
    assert average(quenched.failure_probability) == failure


def draw(formula: Formula, rng: np.random.Generator) -> dict[str, int]:
    n, d = int(rng.integers(2, 7)), int(rng.integers(1, 6))
    code = int(rng.integers(2 ** (n * d)))
    values = {"F": code, "n": n, "d": d, "k": int(rng.integers(1, n)), "i": int(rng.integers(n))}
    return {name: values[name] for name in formula.arguments}


@pytest.mark.parametrize("formula", [FALSE_POSITIVE_RATE, EXPECTED_FALSE_POSITIVES])
def test_evaluator_equals_expression(formula: Formula) -> None:
    """The formulas of a given family, at random families; a change of 1e-9 is noticed."""
    rng = np.random.default_rng(6)
    positive = 0
    for _ in range(20):
        values = draw(formula, rng)
        exact = formula.exact(**values)
        assert formula.evaluate(**values) == pytest.approx(float(exact), rel=1e-14)
        positive += bool(exact > 0)
        if exact > 0:
            wrong = float(exact * (1 + sp.Rational(1, 10**9)))
            assert formula.evaluate(**values) != pytest.approx(wrong, rel=1e-11)
    assert positive > 5


def test_masks_without_bits_and_with_all() -> None:
    """An empty mask is always covered; no bits at all, or all bits, is a failure always."""
    for masks in (np.zeros((5, 0), bool), np.zeros((5, 3), bool), np.ones((5, 3), bool)):
        assert quenched.false_positive_rates(masks, 2) == [1] * 5
        assert quenched.expected_false_positives(masks, 2) == 3
        assert quenched.failure_probability(masks, 2) == 1
    masks = np.array([[False, False], [True, True], [False, False]])
    assert quenched.false_positive_rates(masks, 1) == [1, 0, 1]


def test_without_non_members() -> None:
    for n in (1, 4):
        masks = np.ones((n, 2), bool)
        assert quenched.false_positive_inputs(masks, n) == [0] * n
        assert quenched.expected_false_positives(masks, n) == 0
        assert quenched.failure_probability(masks, n) == 0


def test_repeats() -> None:
    """A token with c - 1 copies and no other owner of its bits: 1 - C(n - c, k) / C(n - 1, k)."""
    n, k, c = 300, 120, 3
    masks = np.zeros((n, 40), bool)
    masks[:c, :20] = True
    masks[c:, 20:] = random_hashes(np.random.default_rng(7), n - c, 20, 9)
    rates = quenched.false_positive_rates(masks, k)
    assert rates[:c] == [1 - Fraction(math.comb(n - c, k), math.comb(n - 1, k))] * c


def test_heaviest_masks() -> None:
    """Nested masks of 1 to 24 bits: FPR_i = 1 - C(i, k) / C(n - 1, k)."""
    n, k = 24, 5
    rates = quenched.false_positive_rates(nested(n), k)
    assert rates == [1 - Fraction(math.comb(i, k), math.comb(n - 1, k)) for i in range(n)]


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = random_hashes(np.random.default_rng(8), 17, 20, 4)
    whole = quenched.failure_probability(masks, 3)
    monkeypatch.setattr(quenched, "_BLOCK_WORDS", 7 * 17)
    assert quenched.failure_probability(masks, 3) == whole > 0


@given(families())
def test_memory_layout_does_not_matter(masks: np.ndarray) -> None:
    """Masks may be a view: every other row of a transposed array."""
    k = min(2, len(masks))
    view = np.repeat(masks, 2, axis=0).T.copy().T[::2]
    assert not view.flags["C_CONTIGUOUS"] or view.size <= 1 or 1 in view.shape
    for exact in (quenched.failure_probability, quenched.expected_false_positives):
        assert exact(view, k) == exact(masks, k)


def test_planted_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs dropped, the token counted among the others, or the wrong bits: all are noticed."""
    masks = random_hashes(np.random.default_rng(9), 8, 8, 3)
    right = quenched._signed_counts

    def without_signs(masks, token, signs):
        return right(masks, token, np.abs(signs))

    def opposite_signs(masks, token, signs):
        return right(masks, token, -signs)

    def itself_among_the_others(masks, token, signs):
        return right(np.vstack([masks, masks[token]]), token, signs)[1:]

    def bits_of_the_next(masks, token, signs):
        return right(masks, (token + 1) % len(masks), signs)

    assert agrees_with_all_inputs(masks, 3)
    for fault in (without_signs, opposite_signs, itself_among_the_others, bits_of_the_next):
        monkeypatch.setattr(quenched, "_signed_counts", fault)
        assert not agrees_with_all_inputs(masks, 3), fault.__name__


MASKS = np.eye(4, dtype=bool)


@pytest.mark.parametrize(
    "function",
    [
        quenched.false_positive_inputs,
        quenched.false_positive_rates,
        quenched.false_positive_rate,
        quenched.expected_false_positives,
        quenched.failure_probability,
    ],
)
def test_bad_input_is_named(function) -> None:
    for masks in (MASKS.astype(float), MASKS[0], MASKS[:0], np.array([["1"]]), MASKS[None]):
        with pytest.raises(DomainError, match=r"masks must be bool \[n, d\]"):
            function(masks, 2)
    for k in (0, 5, -1, 2.0, True):
        with pytest.raises(DomainError, match="k must be"):
            function(MASKS, k)


def test_too_large_is_named() -> None:
    with pytest.raises(DomainError, match="masks must have at most 24 bits a token; got 25"):
        quenched.false_positive_inputs(np.ones((3, 25), bool), 1)
    with pytest.raises(DomainError, match=r"C\(n, k\) must be at most 33554432 inputs; got"):
        quenched.failure_probability(np.zeros((600, 3), bool), 3)
    with pytest.raises(DomainError, match="k must be at least 1 and at most n - 1 = 3; got 4"):
        quenched.false_positive_rates(MASKS, 4)
