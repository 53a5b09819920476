"""Numbers that were worked out apart from this project, in rationals or 40 digits, or are in print.

Each is compared to the digits in which it was given. Rates of filters are in test_schemes.py, the
extra widths of other column weights in test_column_weight.py, those of converses, of the ranked
dense code and of counting in test_converses.py, sizes at which rounding once went astray in
test_any_size.py.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from math import comb

import numpy as np
import pytest

from theory import (
    capacity,
    column_weight,
    dense_codes,
    false_positives,
    ideal_residual,
    large_deviations,
    ranked_code,
    width,
    zero_failures,
)
from theory.codes import log2_binomial
from theory.domain import DomainError


def given(printed: str) -> object:
    """The number, to half a unit of its last digit."""
    mantissa, _, power = printed.partition("e")
    unit = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
    return pytest.approx(float(printed), rel=0.0, abs=0.501 * unit)


# --- failure all but certain ----------------------------------------------------------------------


def exact_success(n: int, k: int, d: int, m: int) -> float:
    """1 - P_fail by inclusion-exclusion over the union's bits, in integers and 60 digits."""
    families, total = comb(d, m), Decimal(0)
    with localcontext(Context(prec=60)):
        for w in range(m, d):  # a full union covers everything
            ways = sum((-1) ** (w - j) * comb(w, j) * comb(j, m) ** k for j in range(w + 1))
            clear = Decimal(families - comb(w, m)) / families
            total += Decimal(comb(d, w) * ways) / families**k * clear ** (n - k)
    return float(total)


def test_success_where_a_narrower_code_is_the_better() -> None:
    """1 - P_fail = 5.41335e-13 at d = 22, which is more than at d = 23, whatever m."""
    n, k = 1_000_003, 3
    found = math.exp(false_positives.log_success_probability(n, k, 22, 9))
    assert found == given("5.41335e-13")
    assert found == pytest.approx(exact_success(n, k, 22, 9), rel=1e-10)
    wider = (false_positives.log_success_probability(n, k, 23, m) for m in range(1, 24))
    assert math.exp(max(wider)) < found


def test_at_one_m_failure_may_grow_with_the_width() -> None:
    """Success then rests on members that coincide, which fewer do in a wider filter."""
    sizes = [(1_000_003, 3, d, 9) for d in (20, 22, 23, 30)]
    first, second, third, last = (false_positives.log_success_probability(*size) for size in sizes)
    assert first < second > third < last
    exact = [exact_success(*size) for size in sizes[1:3]]
    assert [math.exp(second), math.exp(third)] == pytest.approx(exact, rel=1e-10)


# --- dense codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "best", "ranked"),
    [((4096, 8, 1e-6), 1017, 775), ((1024, 4, 1e-12), 824, 576), ((1000, 8, 0.01), 442, 435)],
)
def test_widths_of_dense_codes(task: tuple[int, int, float], best: int, ranked: int) -> None:
    """Random signs with a threshold for each token, and ranked without a layer by 4 k ln(k N/eps).

    435 is 32 ln(8 * 992 / 0.01), rounded up; the others are printed.
    """
    n, k, epsilon = task
    assert dense_codes.best_thresholded_width(*task) == best
    assert ranked_code.sufficient_width(*task) == ranked
    assert ranked == math.ceil(4 * k * math.log(k * (n - k) / epsilon))
    assert ranked_code.smallest_width(*task) < best


def test_largest_error_of_one_and_of_two_tokens() -> None:
    """In units of d^-1/2: the law for large n says .798 and 1.596 where 0 and .80 are true."""
    law = dense_codes.largest_error_of_gaussians
    assert law(1, 1, 1) == given("0.798")
    assert law(2, 2, 1) == given("1.596")
    d = 400
    # of two tokens both errors are their inner product, a sum of d signs over d
    sums = np.abs(d - 2.0 * np.arange(d + 1))
    log_weight = [math.log(comb(d, i)) - d * math.log(2.0) for i in range(d + 1)]
    truth = float(np.exp(log_weight) @ sums) / math.sqrt(d)
    assert truth == given("0.80")
    assert law(2, 2, d) * math.sqrt(d) > 1.9 * truth
    # where many tokens share few members the law holds
    rng = np.random.default_rng(5)
    n, k = 400, 8
    codes = rng.choice([-1.0, 1.0], size=(60, n, d)) / math.sqrt(d)
    y = np.einsum("cnd,cd->cn", codes, codes[:, :k].sum(axis=1))
    largest = np.abs(y - (np.arange(n) < k)).max(axis=1)
    error = 4.0 * largest.std() / math.sqrt(len(largest))
    assert largest.mean() == pytest.approx(law(n, k, d), abs=error + 0.02 * law(n, k, d))


def frame_defect(n: int, d: int, seed: int) -> float:
    """How far from tight and of zero sum n unit vectors of R^d stay, by alternating projections."""
    frame = np.random.default_rng(seed).standard_normal((d, n))
    defect = math.inf
    for _ in range(250):
        left, _, right = np.linalg.svd(frame - frame.mean(axis=1, keepdims=True), False)
        frame = math.sqrt(n / d) * left @ right
        defect = float(np.abs(np.linalg.norm(frame, axis=0) - 1.0).max())
        if defect < 1e-6:
            break
        frame = frame / np.linalg.norm(frame, axis=0)
    return defect


@pytest.mark.parametrize("n", range(2, 10))
def test_tight_frames_exist_where_their_error_is_stated(n: int) -> None:
    """Found at every d <= n - 1, but where they are refused: d = 1 and d = n - 2 at odd n."""
    for d in range(1, n):
        refused = n % 2 == 1 and d in (1, n - 2)
        found = any(frame_defect(n, d, seed) < 1e-6 for seed in range(2 if d > 1 else 8))
        assert found != refused, d
        if refused:
            with pytest.raises(DomainError, match="d must be neither 1 nor n - 2"):
                dense_codes.tight_frame_error(n, 1, d)
        else:
            assert dense_codes.tight_frame_error(n, 1, d) >= 0.0


# --- asymptotic laws and where they hold ----------------------------------------------------------


def test_second_order_in_a_nearly_empty_filter() -> None:
    """ln FPR is .90 below it at (3, 3000, 40): m^3 << d^2, but the fill is .04."""
    k, d, m = 3, 3000, 40
    assert m**3 < 0.01 * d**2
    below = false_positives.log_false_positive_rate(k, d, m) - math.log(
        false_positives.second_order(k, d, m)
    )
    assert below == given("-0.90")


@pytest.mark.parametrize("fill", [0.2, 0.35, 0.5, 0.65, 0.8])
@pytest.mark.parametrize("k", [2, 4, 16])
def test_second_order_at_a_fill_away_from_0_and_1(k: int, fill: float) -> None:
    """Its error at a fixed fill is at most m^3/d^2 throughout, and a quarter at half of that."""
    share = -math.expm1(math.log1p(-fill) / k)
    errors = []
    for d in (2000, 8000):
        m = max(2, min(round(share * d), round(0.2 * d ** (2 / 3))))
        tokens = round(math.log1p(-fill) / math.log1p(-m / d))
        exact = false_positives.log_false_positive_rate(tokens, d, m)
        error = abs(math.log(false_positives.second_order(tokens, d, m)) - exact)
        errors.append(error / (m**3 / d**2))
    assert max(errors) < 1.0 / fill**2


def test_width_law_of_one_token() -> None:
    """At k = 1 the law takes 1.43 times the exact width, of 1/ln 2 = 1.4427 in the limit."""
    n, k, epsilon = 10**6, 1, 1e-250
    ratio = width.width_law(n, k, epsilon) / width.smallest_width(n, k, epsilon).width
    assert ratio == given("1.43")
    assert 1.0 / large_deviations.kappa(k) < 1.0 / math.log(2.0)
    assert ratio < 1.0 / math.log(2.0)


def test_refined_law_is_low_for_small_epsilon_only() -> None:
    """Below the exact width wherever epsilon <= 0.01; on either side of it where it is larger."""
    above = {}
    for epsilon in (0.5, 0.1, 0.01, 1e-6):
        sizes = [(n, k) for n in (50, 10**5) for k in (1, 2, 4, 16)]
        above[epsilon] = sum(
            width.refined_width_law(n, k, epsilon) > width.smallest_width(n, k, epsilon).width
            for n, k in sizes
        )
    assert all(count == 0 for epsilon, count in above.items() if epsilon <= 0.01)
    assert above[0.5] > 0


# --- other numbers --------------------------------------------------------------------------------


def test_floor_of_one_family() -> None:
    """1/C(1024, 4) = 2.2e-11, above the 1e-12 that the mean over families can reach."""
    assert zero_failures.quenched_floor(1024, 4) == given("2.2e-11")
    assert log2_binomial(1024, 4) == pytest.approx(math.log2(comb(1024, 4)), rel=1e-14)
    assert zero_failures.sufficient_width(1024, 4).width == 260


def test_ideal_residual_and_the_filter() -> None:
    """The readout of a recogniser, n = 6,625 and d = 120: 17 tokens, of which a filter holds 4."""
    assert ideal_residual.largest_k(6625, 120) == 17
    assert capacity.bloom(6625, 120, 0.01).k == 4


def test_ratios_of_group_testing() -> None:
    """Independent bits take e (ln 2)^2 - 1 = 30.6 % more tests, or have 23.4 % less rate."""
    more = column_weight.bernoulli_extra_width(10**5)
    assert f"{100 * more:.1f}" == "30.6"
    assert f"{100 * more / (1 + more):.1f}" == "23.4"


def test_filters_of_unusual_shape() -> None:
    """20 draws from 8 bits make a filter; 31 different bits of 44, and the law at k = 10^7."""
    eight = column_weight.with_replacement_rate(1, 8, 20)
    law = [Fraction(comb(8, w) * _onto(20, w), 8**20) for w in range(9)]
    assert eight == pytest.approx(float(sum(p * Fraction(w, 8) ** 20 for w, p in enumerate(law))))
    assert false_positives.false_positive_rate(1, 44, 31) == given("1.926e-11")
    assert width.width_law(10**7 + 1, 10**7, 1e-7) == given("335477043.2")


def _onto(draws: int, w: int) -> int:
    return sum((-1) ** (w - j) * comb(w, j) * j**draws for j in range(w + 1))


def test_tokens_arrays_and_widths() -> None:
    """One call for a whole curve, as in the notes of a user."""
    widths = np.arange(24, 4096, 8)
    found = false_positives.failure_probability(1000, 3, widths, 8)
    assert found.shape == widths.shape
    assert (np.diff(found) < 0.0).all()
