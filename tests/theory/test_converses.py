"""Converses and their rivals: against enumeration of all sets, linear programs and counting."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulate import ranked_code as ranked_simulation
from simulate import separability
from simulate.jobs import intervals
from simulate.jobs.checks import CONFIDENCE
from theory import (
    converses,
    false_positives,
    ideal_residual,
    noisy_residual,
    ranked_code,
    zero_failures,
)
from theory.domain import DomainError
from theory.formulas.converses import EXPECTED_LISTS
from theory.moment_curve import radon_width, radon_width_with_bias
from theory.separable_sets import all_separable_sets

# --- converses ------------------------------------------------------------------------------------


def sets_by_size(points: np.ndarray) -> list[int]:
    sizes = [own.bit_count() for own in all_separable_sets(points)]
    return [sizes.count(k) for k in range(len(points) + 1)]


def moment_curve(n: int, d: int) -> np.ndarray:
    nodes = np.arange(n) - n // 2
    return np.stack([nodes**power for power in range(1, d + 1)], axis=1)


SIZES = [(5, 1), (8, 2), (12, 3), (9, 4), (12, 2)]


@pytest.mark.parametrize(("n", "d"), [*SIZES, pytest.param(12, 5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("on_curve", [False, True])
def test_no_points_separate_more_than_the_bounds(n: int, d: int, on_curve: bool) -> None:
    """All separable sets of integer points, counted exactly: Cover's number, met; both bounds."""
    rng = np.random.default_rng(n * d)
    points = moment_curve(n, d) if on_curve else rng.integers(-999, 1000, size=(n, d))
    by_size = sets_by_size(points)
    assert sum(by_size) == round(math.exp(converses.log_dichotomies(n, d)))
    for k in range(1, n):
        for bound in (converses.log_cover_bound, converses.log_clarkson_shor_bound):
            assert math.log(by_size[k]) <= bound(n, k, d) + 1e-12, (k, bound)
        share = by_size[k] / math.comb(n, k)
        assert share <= math.exp(converses.log_success_bound(n, k, d)) + 1e-12
    # the moment curve separates every set of up to d/2
    if on_curve:
        assert by_size[d // 2] == math.comb(n, d // 2)


def test_enumeration_agrees_with_linear_programs() -> None:
    """An independent route to the same sets, and a planted fault that it notices."""
    points = np.random.default_rng(1).integers(-99, 100, size=(8, 3))
    found = all_separable_sets(points)
    for own in range(1, 2**8 - 1):
        members = np.array([i for i in range(8) if own >> i & 1])
        assert separability.is_separable(points.astype(float), members) == (own in found)
    moved = all_separable_sets(points + np.eye(8, 3, dtype=int) * 300)
    assert moved != found


def test_points_on_a_hyperplane_are_refused() -> None:
    with pytest.raises(DomainError, match="on one hyperplane"):
        all_separable_sets(np.array([[0, 0], [1, 1], [2, 2], [5, 1]]))


def test_a_bound_below_the_count_is_noticed() -> None:
    """Cover's sum with one term fewer falls below a count."""
    points = moment_curve(9, 4)
    assert sum(sets_by_size(points)) > round(math.exp(converses.log_dichotomies(9, 3)))
    pairs = math.comb(9, 2)
    assert converses.log_cover_bound(9, 2, 1) < math.log(pairs)


def test_known_widths() -> None:
    assert converses.smallest_width(4096, 8, 1e-6) >= 8
    assert converses.smallest_width(50257, 16, 1e-6) >= 16
    # by Cover's count alone, as printed: C(n-1, i) summed to d
    assert math.exp(converses.log_cover_bound(4096, 8, 7)) < 0.01 * math.comb(4096, 8)
    assert math.exp(converses.log_cover_bound(4096, 8, 8)) >= math.comb(4096, 8)


@given(k=st.integers(1, 6), zeros=st.integers(10, 14), epsilon=st.floats(1e-9, 0.9))
def test_2k_is_a_threshold_where_failures_are_allowed(k: int, zeros: int, epsilon: float) -> None:
    """At fixed k and growing n: d = 2k - 1 separates a share of O(1/n), d = 2k everything."""
    n = 10**zeros
    share = converses.threshold_share(n, k)
    assert math.log(share) == pytest.approx(math.log(converses.threshold_share(10 * n, k) * 10))
    assert converses.log_clarkson_shor_bound(n, k, 2 * k - 1) - math.log(math.comb(n, k)) <= (
        math.log(share) + 1e-6
    )
    found = converses.smallest_width(n, k, epsilon)
    assert found <= radon_width(k)
    if share < 1.0 - epsilon:
        assert found == radon_width(k)
        assert converses.smallest_width_with_bias(n, k, epsilon) == radon_width_with_bias(k)


def test_failure_and_success_are_one() -> None:
    for d in (1, 3, 7):
        total = math.exp(converses.log_failure(4096, 4, d))
        total += math.exp(converses.log_success_bound(4096, 4, d))
        assert total == pytest.approx(1.0)
    assert converses.log_failure(4096, 4, 8) == -math.inf


# --- the ranked dense code ------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "d"), [(1, 3), (2, 1), (2, 4), (3, 3), (4, 2), (5, 2)])
def test_pair_rate_by_enumeration(k: int, d: int) -> None:
    """All signs of a member, a non-member and the sum of the other members."""
    signs = list(product((-1, 1), repeat=d))
    reached = cases = 0
    for member, other in product(signs, repeat=2):
        for rest in product(signs, repeat=k - 1):
            x = [member[c] + sum(vector[c] for vector in rest) for c in range(d)]
            gap = sum((member[c] - other[c]) * x[c] for c in range(d))
            reached += gap <= 0
            cases += 1
    exact = Fraction(reached, cases)
    assert math.exp(ranked_code.log_pair_rate(k, d)) == pytest.approx(float(exact), rel=1e-12)


@given(k=st.integers(2, 60), d=st.integers(1, 900))
def test_chernoff_and_hoeffding_are_above_the_pair_rate(k: int, d: int) -> None:
    exact = ranked_code.log_pair_rate(k, d)
    assert exact <= d * ranked_code.pair_exponent(k) + 1e-9
    assert d * ranked_code.pair_exponent(k) <= -d / (4 * k)
    n = k + 1000
    assert ranked_code.log_failure(n, k, d) <= ranked_code.log_failure_bound(n, k, d) + 1e-9


@pytest.mark.parametrize("k", [2, 3, 8])
def test_exponent_of_the_pair_rate(k: int) -> None:
    """(ln P)/d approaches Cramér's exponent like (ln d)/d; a fault of 2 % is noticed."""
    slope = (ranked_code.log_pair_rate(k, 1600) - ranked_code.log_pair_rate(k, 800)) / 800
    assert slope == pytest.approx(ranked_code.pair_exponent(k), rel=0.02)
    gaps = [
        abs(ranked_code.log_pair_rate(k, d) / d - ranked_code.pair_exponent(k)) for d in (400, 1600)
    ]
    assert gaps[1] < gaps[0] / 2 + 1e-12  # k = 2: (3/4)^d, exactly


@pytest.mark.parametrize("k", [2, 3, 4, 7, 12])
def test_pair_rate_falls_with_the_width(k: int) -> None:
    rates = [ranked_code.log_pair_rate(k, d) for d in range(1, 300)]
    assert (np.diff(rates) < 0.0).all()


def test_widths_of_the_ranked_code() -> None:
    """775 and 576 by the closed bound; less by exact tails; the least that suffices."""
    assert ranked_code.sufficient_width(4096, 8, 1e-6) == 775
    assert ranked_code.sufficient_width(1024, 4, 1e-12) == 576
    for n, k, epsilon in ((4096, 8, 1e-6), (1024, 4, 1e-12), (1000, 8, 0.01), (50, 2, 0.5)):
        d = ranked_code.smallest_width(n, k, epsilon)
        assert d <= ranked_code.sufficient_width(n, k, epsilon)
        assert ranked_code.log_failure(n, k, d) <= math.log(epsilon)
        assert ranked_code.log_failure(n, k, d - 1) > math.log(epsilon)


def test_counted_failures_of_the_ranked_code() -> None:
    """Below the bound, and not far below: its pairs are nearly disjoint events when rare."""
    n, k, d = 200, 4, 90
    counts = ranked_simulation.ranked_failures(np.random.default_rng(2), n, k, d, 100, 100)
    measured = intervals.clustered_proportion(counts, 100, CONFIDENCE)
    bound = math.exp(ranked_code.log_failure(n, k, d))
    assert measured.interval[0] <= bound
    assert measured.interval[1] >= bound / 4
    # planted: the bound of a code a third wider is noticed
    assert measured.interval[0] > math.exp(ranked_code.log_failure(n, k, 4 * d // 3))


@pytest.mark.slow
@pytest.mark.parametrize(("d", "share"), [(260, 0.045), (300, 0.010), (380, 0.0007)])
def test_counted_failures_at_n_1000(d: int, share: float) -> None:
    counts = ranked_simulation.ranked_failures(np.random.default_rng(d), 1000, 8, d, 200, 500)
    measured = intervals.clustered_proportion(counts, 500, CONFIDENCE)
    assert measured.interval[0] <= math.exp(ranked_code.log_failure(1000, 8, d))
    assert measured.value == pytest.approx(share, rel=0.35)


# --- the ideal residual ---------------------------------------------------------------------------


def test_known_capacities() -> None:
    """As computed apart from the project; 675 there took Phi(t) for 1."""
    known = {(6625, 120): 17, (49152, 576): 73, (50257, 768): 104, (128256, 4096): 676}
    assert {sizes: ideal_residual.largest_k(*sizes) for sizes in known} == known


def test_threshold_width_in_closed_form() -> None:
    """k = n/2: by symmetry t = 0, and half of every square: n/2. Wendel (1962) and Cover agree."""
    assert ideal_residual.threshold_width(1000, 500) == pytest.approx(500.0, rel=1e-9)
    assert ideal_residual.threshold_width(9, 9) == 0.0
    widths = [ideal_residual.threshold_width(1000, k) for k in range(1, 500, 20)]
    assert (np.diff(widths) > 0.0).all()


def test_linear_programs_on_random_readouts() -> None:
    """Well above the threshold width sets are separable, well below none is: Gaussian and masks."""
    n, d = 300, 40
    k = ideal_residual.largest_k(n, d)
    rng = np.random.default_rng(3)
    masks = (rng.random((n, d)) < 0.2).astype(float)
    for columns in (rng.standard_normal((n, d)), masks):
        assert separability.separable_sets(rng, columns, k // 2, 4).all()
        assert not separability.separable_sets(rng, columns, 2 * k, 4).any()


def test_ideal_failure_is_a_probability() -> None:
    assert ideal_residual.log_failure(100, 5, 10) == 0.0
    assert -3.0 > ideal_residual.log_failure(100, 5, 99) > -20.0
    d = ideal_residual.smallest_width(1000, 20, 0.5)
    assert d - 1 <= ideal_residual.threshold_width(1000, 20) < d


# --- noise ----------------------------------------------------------------------------------------


def test_noise_by_enumeration() -> None:
    """All residuals of a tiny code: P_fail from the law of the union, bit by bit."""
    n, k, d, m, sigma = 5, 2, 4, 2, 0.4
    delta = noisy_residual.flip_probability(sigma)
    masks = [mask for mask in range(2**d) if mask.bit_count() == m]
    success = 0.0
    for first, second in product(masks, repeat=2):
        for ones in range(2**d):
            flips = ((first | second) ^ ones).bit_count()
            weight = delta**flips * (1 - delta) ** (d - flips) / len(masks) ** 2
            if (first | second) & ~ones:
                continue
            inside = sum(mask & ~ones == 0 for mask in masks) / len(masks)
            success += weight * (1 - inside) ** (n - k)
    found = noisy_residual.failure_probability(n, k, d, m, sigma)
    assert found == pytest.approx(1.0 - success, rel=1e-12)


def test_without_noise_it_is_the_exact_rate() -> None:
    exact = false_positives.failure_probability(60, 3, 40, 6)
    assert noisy_residual.failure_probability(60, 3, 40, 6, 0.0) == pytest.approx(exact, rel=1e-11)
    rates = [noisy_residual.failure_probability(60, 3, 40, 6, sigma) for sigma in (0, 0.1, 0.3, 1)]
    assert rates == sorted(rates)
    assert rates[-1] <= 1.0


def test_counted_failures_with_noise() -> None:
    n, k, d, m, sigma = 60, 3, 40, 6, 0.25
    counts = ranked_simulation.noisy_failures(np.random.default_rng(4), n, k, d, m, sigma, 300, 40)
    measured = intervals.clustered_proportion(counts, 40, CONFIDENCE)
    assert measured.contains(noisy_residual.failure_probability(n, k, d, m, sigma))
    assert not measured.contains(noisy_residual.failure_probability(n, k, d, m, 0.23))


def test_limits_of_bits_and_of_noise() -> None:
    assert noisy_residual.width_of_bits(4096, 8, 1e-6) == 81
    assert noisy_residual.width_of_bits(4096, 8, 1e-6, bits=16) == 6
    # one bit a coordinate is also what SNR = 3 carries
    assert noisy_residual.noisy_width(4096, 8, 1e-6, 3.0) == pytest.approx(80.7, abs=0.1)
    assert noisy_residual.gap_to_bits(0.5) == pytest.approx(2.885, abs=1e-3)


# --- no failure, few failures ---------------------------------------------------------------------


def test_first_moment() -> None:
    assert zero_failures.sufficient_width(4096, 8).width == 1068
    assert zero_failures.sufficient_width(1024, 4).width == 260


def test_furedi_by_exhaustive_search() -> None:
    """k = 2, d <= 5: no family of which no 2 masks cover a third is larger; d masks always do."""
    for d in (3, 4, 5):
        largest = largest_cover_free(d)
        assert d <= largest <= zero_failures.furedi_bound(2, d)


def largest_cover_free(d: int) -> int:
    """Depth first over all families of masks of d bits."""

    def covered(family: list[int]) -> bool:
        return any(
            family[c] & ~(family[a] | family[b]) == 0
            for c in range(len(family))
            for a in range(len(family))
            for b in range(a)
            if c not in (a, b)
        )

    def largest(family: list[int], rest: list[int]) -> int:
        best = len(family)
        for i, mask in enumerate(rest):
            if best >= len(family) + len(rest) - i:
                break
            if not covered([*family, mask]):
                best = max(best, largest([*family, mask], rest[i + 1 :]))
        return best

    return largest([], list(range(1, 2**d)))


def test_order_of_the_limits() -> None:
    """Lower bounds below the first moment's width; both laws of order k^2."""
    for n, k in ((1024, 4), (4096, 8)):
        assert zero_failures.disjunct_width(n, k) <= zero_failures.sufficient_width(n, k).width
    n, k = 10**6, 2
    d = zero_failures.disjunct_width(n, k)
    assert zero_failures.furedi_bound(k, d) >= n > zero_failures.furedi_bound(k, d - 1)


@given(k=st.integers(1, 4), d=st.integers(2, 30), n=st.integers(6, 40), size=st.integers(1, 3))
def test_lists(k: int, d: int, n: int, size: int) -> None:
    """P(#FP >= L) <= E C(#FP, L), with equality at L = N; L = 1 is P_fail and E#FP."""
    m = max(1, d // (2 * k))
    many = zero_failures.many_false_positives(n, k, d, m, size)
    assert many <= math.exp(zero_failures.log_expected_lists(n, k, d, m, size)) * (1 + 1e-9)
    if size == 1:
        exact = false_positives.failure_probability(n, k, d, m)
        assert many == pytest.approx(exact, rel=1e-9)
    law = false_positives.false_positive_count_law(n, k, d, m, np.arange(n - k + 1))
    assert many == pytest.approx(law[size:].sum(), rel=1e-7, abs=1e-14)
    mean = sum(math.comb(x, size) * p for x, p in enumerate(law))
    assert math.exp(zero_failures.log_expected_lists(n, k, d, m, size)) == pytest.approx(
        mean, rel=1e-7
    )


def test_lists_in_exact_rationals() -> None:
    for sizes in (
        {"n": 7, "k": 2, "d": 5, "m": 2, "L": 2},
        {"n": 9, "k": 3, "d": 6, "m": 1, "L": 3},
    ):
        exact = float(EXPECTED_LISTS.exact(**sizes))
        assert EXPECTED_LISTS.evaluate(**sizes) == pytest.approx(exact, rel=1e-12)
        assert EXPECTED_LISTS.evaluate(**sizes | {"L": 1}) != pytest.approx(exact, rel=1e-2)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (converses.smallest_width, (10, 11, 0.1), "k must be"),
        (converses.smallest_width, (10, 2, 1.0), "epsilon must be"),
        (converses.log_success_bound, (10, 2, 0), "d must be"),
        (ranked_code.sufficient_width, (10, 1, 0.1), "k must be"),
        (ideal_residual.largest_k, (0, 3), "n must be"),
        (noisy_residual.noisy_width, (10, 2, 0.1, -1.0), "snr must be"),
        (noisy_residual.failure_probability, (10, 2, 4, 2, -0.1), "sigma must be"),
        (zero_failures.furedi_bound, (1, 5), "k must be"),
        (zero_failures.many_false_positives, (10, 2, 4, 2, 0), "size must be"),
    ],
)
def test_bad_input_is_named(function, arguments, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        function(*arguments)
