"""The harder task: formulas, every sign code at tiny sizes, bounds with their tightness."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from theory import dense_codes, harder_task
from theory.domain import DomainError
from theory.false_positives import false_positive_rate
from theory.formula import Formula
from theory.formulas.harder_task import OF_A_TARGET, Row
from theory.softmax_output import mean_leakage

TOLERANCE = 1e-11
FORMULAS = pytest.mark.parametrize("formula", OF_A_TARGET, ids=lambda formula: formula.name)
ZIPF = harder_task.centred(-np.log(np.arange(1, 9)))
logits_of = st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=6).map(np.array)


def draw(formula: Formula, rng: np.random.Generator) -> dict[str, object]:
    """A random target of 2 to 4 tokens, no logit 0, and the formula's other letters."""
    k = int(rng.integers(2, 5))
    target = Row(*(sp.Rational(2 * int(value) + 1, 8) for value in rng.integers(-10, 10, size=k)))
    first, second = map(int, rng.permutation(k)[:2])
    values: dict[str, object] = {
        "ell": target,
        "k": k,
        "n": k + int(rng.integers(1, 50)),
        "i": first,
        "j": second,
        "dprime": int(rng.integers(1, 40)),
        "eta": sp.Rational(int(rng.integers(1, 30)), 8),
        "epsilon": sp.Rational(1, int(rng.integers(2, 1000))),
        "beta": sp.Rational(int(rng.integers(1, 30)), 4),
        "L": sp.Rational(int(rng.integers(1, 30)), 40),
    }
    return {name: values[name] for name in formula.arguments}


def evaluated(formula: Formula, values: dict[str, object]) -> float:
    """The evaluator's value, rationals as floats."""
    return float(
        formula.evaluate(
            **{
                name: value if isinstance(value, int | Row) else float(value)  # type: ignore[arg-type]
                for name, value in values.items()
            }
        )
    )


@FORMULAS
def test_evaluator_equals_expression(formula: Formula) -> None:
    rng = np.random.default_rng(0)
    for _ in range(2):
        values = draw(formula, rng)
        expected = float(formula.exact(**values).evalf(30))
        assert evaluated(formula, values) == pytest.approx(expected, rel=TOLERANCE, abs=1e-250), (
            values
        )


@FORMULAS
def test_a_wrong_expression_is_noticed(formula: Formula) -> None:
    values = draw(formula, np.random.default_rng(1))
    expected = float((formula.exact(**values) * (1 + sp.Rational(1, 10**9))).evalf(30))
    assert evaluated(formula, values) != pytest.approx(expected, rel=TOLERANCE, abs=1e-250)


# --- every sign code ------------------------------------------------------------------------------


def every_code(rows: int, width: int) -> np.ndarray:
    """All sign codes of that many tokens, +-1, [2^(rows width), rows, width]."""
    return np.array(list(product((-1, 1), repeat=rows * width))).reshape(-1, rows, width)


def readouts(target_logits: np.ndarray, width: int, others: int) -> np.ndarray:
    """Extra logits of members and others over all codes, by the definition, [codes, tokens]."""
    code = every_code(len(target_logits) + others, width) / math.sqrt(width)
    carried = np.einsum("j,cjd->cd", target_logits, code[:, : len(target_logits)])
    return np.einsum("cid,cd->ci", code, carried)


TINY = [
    (np.array(target_logits), width)
    for target_logits in ([1.0, -1.0], [0.5, 0.75, -1.25], [2.0, -1.5, 0.25])
    for width in (1, 2, 3)
]


@pytest.mark.parametrize(("target_logits", "width"), TINY)
def test_moments_over_every_code(target_logits: np.ndarray, width: int) -> None:
    read = readouts(target_logits, width, 1)
    errors = read[:, :-1] - target_logits
    tau = harder_task.target(target_logits)
    assert errors.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
    covariance = harder_task.member_error_covariance(target_logits, width)
    assert errors.T @ errors / len(errors) == pytest.approx(covariance, abs=1e-12)
    variance = (errors**2 @ tau - (errors @ tau) ** 2).mean()
    assert variance == pytest.approx(harder_task.target_variance_of_error(target_logits, width))
    factor = math.exp(harder_task.log_non_member_factor(target_logits, width))
    assert np.exp(read[:, -1]).mean() == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(("target_logits", "width"), TINY)
def test_bounds_over_every_code(target_logits: np.ndarray, width: int) -> None:
    """P(max|eta| > eta) and E KL, the latter with two non-members of either weight."""
    read = readouts(target_logits, width, 1)
    k = len(target_logits)
    errors = read[:, :k] - target_logits
    largest = np.abs(errors).max(axis=1)
    for eta in (0.1, 0.5, 1.0, 2.0, 4.0):
        bound = harder_task.member_error_probability(target_logits, width, eta)
        assert (largest > eta).mean() <= bound
    whole = np.exp(target_logits).sum()
    tau = harder_task.target(target_logits)
    for leakage in (0.0, 0.05, 3.0):
        weight = np.exp(read[:, :k]).sum(axis=1) + leakage * whole * np.exp(read[:, k])
        kl = np.log(weight / whole) - errors @ tau
        assert kl.mean() <= harder_task.kl_bound(target_logits, width, leakage) + 1e-12


def test_two_members_have_a_binomial_error() -> None:
    """k = 2: both errors are l <V_1, V_2>, so that the tail is exactly two binomial tails."""
    target_logits = np.array([1.0, -1.0])
    for dprime, eta in product((16, 100, 401), (0.05, 0.2, 0.5)):
        beyond = np.abs(2 * np.arange(dprime + 1) / dprime - 1.0) > eta
        exact = stats.binom.pmf(np.arange(dprime + 1), dprime, 0.5)[beyond].sum()
        assert exact <= harder_task.member_error_probability(target_logits, dprime, eta)
        epsilon = 0.01
        enough = harder_task.sufficient_dprime(target_logits, eta, epsilon)
        assert 2 * stats.binom.cdf(math.floor(enough * (1 - eta) / 2), enough, 0.5) <= epsilon


def test_the_tail_bound_has_the_right_exponent() -> None:
    """Many equal squares: the exact exponent of one tail is within 10 % of the bound's."""
    k, dprime = 64, 50
    target_logits = np.tile([1.0, -1.0], k // 2) / 8.0
    signs, sigma = (k - 1) * dprime, math.sqrt((k - 1) / 64 / dprime)
    eta = 6 * sigma
    # eta_i = (2 B - signs) / (8 d'), B binomial
    at_least = math.floor((8 * dprime * eta + signs) / 2) + 1
    exact = math.log(stats.binom.sf(at_least - 1, signs, 0.5))
    bound = math.log(harder_task.member_error_probability(target_logits, dprime, eta) / (2 * k))
    assert bound > exact > 1.2 * bound


# --- total variation ------------------------------------------------------------------------------


def total_variation(tau: np.ndarray, errors: np.ndarray, leakage: float) -> float:
    """By the definition: the non-members hold leakage times the members' weight."""
    weights = tau * np.exp(errors)
    output = weights / weights.sum() / (1.0 + leakage)
    return float(0.5 * (np.abs(output - tau).sum() + leakage / (1.0 + leakage)))


@given(logits_of, st.data(), st.floats(0.0, 4.0), st.floats(0.0, 5.0))
def test_total_variation_is_at_most_its_bound(target_logits, data, eta, leakage) -> None:
    """TV <= bound(max|eta_i|, L) <= tanh(eta/2) + L/(1+L), for every target and errors."""
    k = len(target_logits)
    shares = st.lists(st.floats(-1.0, 1.0), min_size=k, max_size=k)
    errors = eta * np.array(data.draw(shares))
    bound = harder_task.total_variation_bound(float(np.abs(errors).max()), leakage)
    tau = harder_task.target(target_logits)
    assert total_variation(tau, errors, leakage) <= bound + 1e-12
    assert bound <= harder_task.total_variation_bound(eta, leakage) + 1e-12
    assert bound <= math.tanh(eta / 2) + leakage / (1 + leakage) + 1e-12


@pytest.mark.parametrize("leakage", [0.0, 0.01, 0.3, 3.0])
@pytest.mark.parametrize("eta", [1e-3, 0.2, 0.5, 2.0])
def test_the_total_variation_bound_is_attained(eta: float, leakage: float) -> None:
    """Errors -eta on the worst share of the target, +eta on the rest."""
    kept = math.exp(-eta) / math.sqrt(1 + leakage)
    share = min(1.0 - 1e-15, (1 - kept) / -math.expm1(-2 * eta))
    tau = np.array([share, 1 - share])
    attained = total_variation(tau, np.array([-eta, eta]), leakage)
    assert attained == pytest.approx(harder_task.total_variation_bound(eta, leakage), rel=1e-9)


@given(st.floats(1e-6, 0.99), st.floats(0.0, 0.999))
def test_sufficient_eta_inverts_the_bound(delta: float, part: float) -> None:
    leaked = part * delta
    leakage = leaked / (1 - leaked)
    eta = harder_task.sufficient_eta(delta, leakage)
    assert harder_task.total_variation_bound(eta, leakage) == pytest.approx(delta, rel=1e-9)


# --- non-members ----------------------------------------------------------------------------------


@given(logits_of, st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_no_token_reads_more_than_the_reach(target_logits, width: int, seed: int) -> None:
    """Every one of the 2^d' possible rows, given the members' errors."""
    k = len(target_logits)
    code = np.random.default_rng(seed).choice([-1.0, 1.0], size=(k, width)) / math.sqrt(width)
    carried = target_logits @ code
    errors = code @ carried - target_logits
    every_row = every_code(1, width)[:, 0] / math.sqrt(width)
    reach = harder_task.non_member_reach(target_logits, float(np.abs(errors).max()))
    assert np.abs(every_row @ carried).max() <= reach + 1e-12
    assert reach <= np.abs(target_logits).sum() + 1e-12


def test_the_reach_is_attained() -> None:
    """Members in one direction: |l|_1. Orthogonal members: |y| = |l| without any error."""
    target_logits = np.array([0.5, 1.5, 2.0])
    assert harder_task.non_member_reach(target_logits, 3.5) == pytest.approx(4.0)
    two = np.array([1.0, 1.0])
    rows = np.array([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2)
    assert np.linalg.norm(two @ rows) == pytest.approx(harder_task.non_member_reach(two, 0.0))


def test_sufficient_beta_inverts_the_leakage_bound() -> None:
    beta = harder_task.sufficient_beta(10**6, ZIPF, 0.2, 1e-3)
    assert harder_task.leakage_bound(10**6, beta, ZIPF, 0.2) == pytest.approx(1e-3, rel=1e-12)
    assert harder_task.sufficient_beta(8, ZIPF, 0.2, 1e-3) == 0.0


# --- the uniform target, and the direct rival -----------------------------------------------------


def test_the_uniform_target_is_the_task_without_a_second_embedding() -> None:
    """At l = 0: no error, and ln(1 + E L / k), the bound of the uniform task."""
    uniform = np.zeros(4)
    assert harder_task.member_error_probability(uniform, 3, 0.01) == 0.0
    leakage = mean_leakage(100, 4, 40, 6, 2.0)
    assert harder_task.kl_bound(uniform, 3, leakage / 4) == pytest.approx(math.log1p(leakage / 4))


@pytest.mark.parametrize(("n", "k", "d", "beta"), [(50, 3, 40, 2.0), (1000, 8, 5000, 9.0)])
def test_direct_rival_at_the_uniform_target(n: int, k: int, d: int, beta: float) -> None:
    """A lift alone is the dense code's softmax of beta y."""
    uniform = np.zeros(k)
    expected = dense_codes.kl_bound(n, k, d, beta)
    assert harder_task.direct_kl_bound(n, uniform, d, beta) == pytest.approx(expected, rel=1e-10)
    lifted = np.full(k, beta)
    assert harder_task.member_kl(lifted, d) == pytest.approx(dense_codes.member_kl(k, d, beta))
    assert harder_task.member_total_variation(lifted, d) == pytest.approx(
        dense_codes.member_total_variation(k, d, beta)
    )
    assert harder_task.direct_width(n, uniform, 0.1) == dense_codes.softmax_width(n, k, 0.1)


def test_widths_against_n() -> None:
    """d' does not depend on n; d grows by a constant per decade, the rival's width faster."""
    sizes = [10**exponent for exponent in (3, 4, 5, 6, 9)]
    codes = [harder_task.sufficient_code(n, ZIPF, 0.01) for n in sizes]
    assert len({code.dprime for code in codes}) == 1
    assert all(0.009 < code.kl_bound <= 0.01 for code in codes)
    steps = np.diff([code.width for code in codes[:4]])
    assert steps.max() - steps.min() <= 1
    # a decade costs k log2(10) / ln 2 bits
    assert steps.mean() == pytest.approx(8 * math.log2(10) / math.log(2), rel=0.03)
    direct = [harder_task.direct_width(n, ZIPF, 0.01) for n in sizes]
    assert (np.diff(direct[:4], n=2) > 0).all()
    assert all(width > 100 * code.total_width for width, code in zip(direct, codes, strict=True))


def test_sufficient_code_holds_its_promise() -> None:
    """Recomputed from the exact mean leakage of the uniform task; d' is the least for its share."""
    for n in (50, 10**4):
        code = harder_task.sufficient_code(n, ZIPF, 0.02)
        leakage = mean_leakage(n, 8, code.width, code.hashes, code.beta) / np.exp(ZIPF).sum()
        assert harder_task.kl_bound(ZIPF, code.dprime, leakage) <= code.kl_bound <= 0.02
        assert harder_task.kl_bound(ZIPF, code.dprime - 1, 0.0) > 0.875 * 0.02
        assert (n - 8) * false_positive_rate(8, code.width, code.hashes) <= leakage * np.exp(
            ZIPF
        ).sum()


def test_sufficient_code_does_not_depend_on_the_mean_of_the_logits() -> None:
    shifted = harder_task.sufficient_code(10**4, ZIPF + 1.5, 0.02)
    assert vars(shifted) == pytest.approx(vars(harder_task.sufficient_code(10**4, ZIPF, 0.02)))
    # which the bound itself does, so the test can fail
    assert harder_task.kl_bound(ZIPF + 1.5, shifted.dprime, 0.0) > shifted.kl_bound


@given(logits_of, st.floats(-2.0, 2.0))
def test_centring_has_the_smallest_errors(target_logits, shift: float) -> None:
    """The target stays, |l|^2 falls: d' of shifted logits is never less."""
    centred = harder_task.centred(target_logits)
    shifted = centred + shift
    assert harder_task.target(shifted) == pytest.approx(harder_task.target(target_logits))
    enough = harder_task.sufficient_dprime(centred, 0.1, 0.01)
    assert enough <= harder_task.sufficient_dprime(shifted, 0.1, 0.01)


@given(st.lists(st.fractions(-2, 2, max_denominator=6), min_size=1, max_size=5))
def test_expected_square_over_members_is_exact(values: list[Fraction]) -> None:
    """The mean over members of E eta_i^2 is (k-1) |l|^2 / (k d')."""
    k = len(values)
    exact = sum(value**2 for value in values) * (k - 1) / (k * 7)
    diagonal = np.diag(harder_task.member_error_covariance(np.array(values, dtype=float), 7))
    assert diagonal.mean() == pytest.approx(float(exact), abs=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: harder_task.centred(np.array([])), "k >= 1 finite numbers"),
        (lambda: harder_task.centred(np.array([0.0, -np.inf])), "k >= 1 finite numbers"),
        (lambda: harder_task.member_error_covariance(ZIPF[None], 4), "k >= 1 finite numbers"),
        (lambda: harder_task.member_error_probability(ZIPF, 0, 0.1), "dprime"),
        (lambda: harder_task.member_error_probability(ZIPF, 4, 0.0), "eta"),
        (lambda: harder_task.sufficient_dprime(ZIPF, 0.1, 1.0), "epsilon"),
        (lambda: harder_task.leakage_bound(7, 1.0, ZIPF, 0.1), "k must be"),
        (lambda: harder_task.total_variation_bound(-0.1, 0.0), "eta"),
        (lambda: harder_task.sufficient_eta(0.1, 0.2), "L must be below"),
        (lambda: harder_task.sufficient_code(100, ZIPF, 0.0), "delta"),
        (lambda: harder_task.direct_width(7, ZIPF, 0.1), "k must be"),
    ],
)
def test_bad_input(call, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        call()
