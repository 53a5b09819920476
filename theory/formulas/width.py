"""Formulas for the width, the number of hash bits, and the rate at which failures vanish."""

from __future__ import annotations

import sympy as sp

from theory import large_deviations, width
from theory.formula import Formula
from theory.symbols import N, d, epsilon, k, m, n

density = sp.Symbol("x", positive=True)
member_tilt = sp.Symbol("b", positive=True)
rate = sp.Symbol("rate", positive=True)
largest_rate = sp.Symbol("largest_rate", positive=True)
kappa = sp.Symbol("kappa", positive=True)

# the saddle point's Z, and the queried token's probability a, as functions of b
_Z = member_tilt / density
_QUERIED = member_tilt / (1 - (1 - member_tilt) ** k)

SADDLE_POINT = sp.Eq(
    member_tilt / density + member_tilt * (1 - member_tilt) ** k / (1 - (1 - member_tilt) ** k),
    1,
)


def _relative_entropy(of: sp.Expr, at: sp.Expr) -> sp.Expr:
    return at * sp.log(of / at) + (1 - at) * sp.log((1 - of) / (1 - at))


RATE_FUNCTION = Formula(
    "rate function of the false-positive rate at the saddle point b, nats per bit",
    _relative_entropy(_QUERIED, density) + k * _relative_entropy(member_tilt, density) - sp.log(_Z),
    "asymptotic",
    "k >= 2, 0 < x < 1, b the root of SADDLE_POINT in (0, x); d -> infinity at fixed k",
    "Sanov / saddle point for the k+1 token rows of a random d-column code",
    lambda x, b, k: large_deviations.rate_at_saddle_point(x, b, k),
)

KAPPA = Formula(
    "kappa(k), the exact exponent over the classic one, from the largest rate max I",
    k * largest_rate / sp.log(2) ** 2,
    "asymptotic",
    "k >= 1; largest_rate the maximum of the rate function over 0 < x < 1",
    "d ln FPR / dd -> -max I against the classic -(ln 2)^2 / k",
    large_deviations.kappa_of_rate,
)

WIDTH_LAW = Formula(
    "width law",
    k * sp.log(N / epsilon, 2) / sp.log(2),
    "asymptotic",
    "1 <= k < n, 0 < epsilon < 1; k -> infinity",
    "N 2^(-d ln 2 / k) = epsilon: the classic rate at its best m, union half full",
    width.width_law,
)

REFINED_WIDTH_LAW = Formula(
    "width law with the exact exponent",
    WIDTH_LAW.expression / kappa,
    "asymptotic",
    "1 <= k < n, 0 < epsilon < 1, kappa = kappa(k); epsilon -> 0, and low where epsilon <= 0.01",
    "N e^(-d (ln 2)^2 kappa / k) = epsilon",
    lambda n, k, epsilon, kappa: width.width_law(n, k, epsilon) / kappa,
)

SUFFICIENT_HASHES = Formula(
    "hash bits of the width theorem",
    sp.ceiling(sp.log(N / epsilon, 2)),
    "upper bound",
    "1 <= k < n, 0 < epsilon < n - k",
    "N 2^(-m) <= epsilon",
    width.sufficient_hashes,
)

SUFFICIENT_WIDTH = Formula(
    "width of the width theorem",
    sp.ceiling(m / (1 - 2 ** (-1 / k))),
    "upper bound",
    "k >= 1, m >= 1",
    "the fill p is at most 1/2, so FPR <= p^m <= 2^(-m)",
    width.half_full_width,
)

OPTIMAL_HASHES = Formula(
    "optimal number of hash bits",
    d / k * sp.log(2),
    "asymptotic",
    "d >> k >> 1",
    "minimises the classic rate",
    width.optimal_hashes_law,
)

OPTIMAL_HASHES_EXPANSION = Formula(
    "optimal number of hash bits, next order",
    d / k * (sp.log(2) - sp.log(2) ** 3 / (2 * (1 - sp.log(2))) / k),
    "asymptotic",
    "d -> infinity, then k large",
    "expansion of the rate function in 1/k",
    width.optimal_hashes_expansion,
)

INFORMATION_WIDTH = Formula(
    "information lower bound on the width, bits",
    sp.log(sp.binomial(n, k), 2) + sp.log(1 - epsilon, 2),
    "lower bound",
    "1 <= k <= n, 0 < epsilon < 1",
    "2^d unions must name a (1 - epsilon) share of the C(n, k) inputs",
    width.information_width,
)

MEMBERSHIP_WIDTH = Formula(
    "membership lower bound on the width, bits",
    k * sp.log(1 / rate, 2),
    "lower bound",
    "k >= 1, 0 < rate < 1, n -> infinity",
    "Carter et al. 1978",
    width.membership_width,
)

GROUP_TESTING_WIDTH = Formula(
    "group-testing width",
    k * sp.log(n, 2) / sp.log(2),
    "asymptotic",
    "n -> infinity, k = o(n)",
    "COMP decoder, constant column weight (Johnson, Aldridge & Scarlett 2019)",
    width.group_testing_width,
)

FORMULAS = (
    RATE_FUNCTION,
    KAPPA,
    WIDTH_LAW,
    REFINED_WIDTH_LAW,
    SUFFICIENT_HASHES,
    SUFFICIENT_WIDTH,
    OPTIMAL_HASHES,
    OPTIMAL_HASHES_EXPANSION,
    INFORMATION_WIDTH,
    MEMBERSHIP_WIDTH,
    GROUP_TESTING_WIDTH,
)
