"""Formulas of the converses, the ranked dense code, noise, and families without failure."""

from __future__ import annotations

import math

import sympy as sp

from theory import converses, noisy_residual, ranked_code, zero_failures
from theory.formula import Formula
from theory.formulas.union_size import COVERAGE, UNION_SIZE_LAW
from theory.symbols import N, d, epsilon, k, m, n, w

i = sp.Symbol("i", integer=True, nonnegative=True)
differing = sp.Symbol("D", integer=True, nonnegative=True)
size = sp.Symbol("L", integer=True, positive=True)
snr = sp.Symbol("snr", positive=True)

DICHOTOMIES = Formula(
    "splits of n points by a hyperplane",
    2 * sp.Sum(sp.binomial(n - 1, i), (i, 0, d)),
    "exact",
    "n >= 1, d >= 1, points of R^d in general position, the sides told apart",
    "Cover 1965: C(n, D) = C(n-1, D) + C(n-1, D-1) cells of n hyperplanes in R^D, D = d + 1",
    lambda n, d: math.exp(converses.log_dichotomies(n, d)),
)

THRESHOLD_SHARE = Formula(
    "share of k-sets that 2k - 1 real numbers and a linear readout separate",
    2 * sp.binomial(2 * k - 1, k) * 4**k * k / (n - k + 1),
    "upper bound",
    "1 <= k <= n, n >= 2k + 1",
    "at most j-facets of the columns (Clarkson & Shor 1989) by the upper bound theorem",
    converses.threshold_share,
)

PAIR_RATE = Formula(
    "probability that a non-member's logit reaches a member's, random signs",
    sp.Sum(
        sp.binomial(d, differing)
        * sp.Sum(
            sp.binomial((k - 1) * differing, i) / 2 ** ((k - 1) * differing),
            (i, 0, sp.floor((k - 2) * differing / 2)),
        ),
        (differing, 0, d),
    )
    / 2**d,
    "exact",
    "k >= 1, d >= 1, alpha = 1, ties fail",
    "D coordinates differ, and (k-1) D signs sum to at most -D",
    lambda k, d: math.exp(ranked_code.log_pair_rate(k, d)),
)

RANKED_FAILURE = Formula(
    "failure probability of random signs, ranked",
    sp.Min(1, k * N * PAIR_RATE.expression),
    "upper bound",
    "1 <= k <= n, d >= 1, alpha = 1, no layer",
    "union bound over pairs of a member and a non-member",
    lambda n, k, d: math.exp(ranked_code.log_failure(n, k, d)),
)

RANKED_FAILURE_BOUND = Formula(
    "failure probability of random signs, ranked, in closed form",
    sp.Min(1, k * N * sp.exp(-d / (4 * k))),
    "upper bound",
    "k >= 2, k <= n, d >= 1, alpha = 1, no layer",
    "Hoeffding's lemma for the signs given D, and again for D",
    lambda n, k, d: math.exp(ranked_code.log_failure_bound(n, k, d)),
    of=RANKED_FAILURE,
)

SUFFICIENT_RANKED_WIDTH = Formula(
    "sufficient width of random signs, ranked",
    sp.ceiling(4 * k * sp.log(k * N / epsilon)),
    "upper bound",
    "k >= 2, k < n, 0 < epsilon < 1",
    "k N e^(-d/(4k)) <= epsilon",
    ranked_code.sufficient_width,
)

# the factor by which a differing coordinate lowers the pair's rate, e^-t cosh(t)^(k-1) at its best
COORDINATE_FACTOR = (k - 1) ** (k - 1) / sp.sqrt(k**k * (k - 2) ** (k - 2))

RANKED_EXPONENT = Formula(
    "slope of ln P_fail of random signs, ranked, nats per unit of width",
    sp.log((1 + COORDINATE_FACTOR) / 2),
    "asymptotic",
    "k >= 2; d -> infinity",
    "Cramér's theorem over D and the signs",
    ranked_code.pair_exponent,
)

NOISY_WIDTH = Formula(
    "width that carries the set through normal noise",
    sp.Max(
        0,
        2
        * (
            (1 - epsilon) * sp.log(sp.binomial(n, k))
            + epsilon * sp.log(epsilon)
            + (1 - epsilon) * sp.log(1 - epsilon)
        )
        / sp.log(1 + snr),
    ),
    "lower bound",
    "1 <= k < n, 0 < epsilon < 1, snr > 0, any residual of that mean power per coordinate",
    "Fano's inequality against the capacity (1/2) ln(1 + SNR) of a coordinate (Shannon 1948)",
    noisy_residual.noisy_width,
)

FUREDI_BOUND = Formula(
    "most masks of d bits of which k cover no other",
    k + sp.binomial(d, sp.ceiling((d - k) / sp.binomial(k + 1, 2))),
    "upper bound",
    "k >= 2, d >= 1",
    "Füredi 1996",
    zero_failures.furedi_bound,
)

EXPECTED_LISTS = Formula(
    "expected number of L-sets of false positives",
    sp.binomial(N, size) * sp.Sum(UNION_SIZE_LAW.expression * COVERAGE.expression**size, (w, m, d)),
    "exact",
    "1 <= k <= n, 1 <= m <= d, L >= 1",
    "the non-members are independent given the union",
    lambda n, k, d, m, L: math.exp(zero_failures.log_expected_lists(n, k, d, m, L)),
)

FORMULAS = (
    DICHOTOMIES,
    THRESHOLD_SHARE,
    PAIR_RATE,
    RANKED_FAILURE,
    RANKED_FAILURE_BOUND,
    SUFFICIENT_RANKED_WIDTH,
    RANKED_EXPONENT,
    NOISY_WIDTH,
    FUREDI_BOUND,
)

# L is a size here and a leakage elsewhere: tests/theory/test_converses.py draws it
OTHERS = (EXPECTED_LISTS,)
