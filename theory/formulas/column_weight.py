"""Formulas for hashes of varying weight: Bernoulli bits, and draws with replacement."""

from __future__ import annotations

import math

import sympy as sp

from theory import column_weight
from theory.formula import Formula
from theory.symbols import N, d, epsilon, k, m, rho, w

j = sp.Symbol("j", integer=True, nonnegative=True)
y = sp.Symbol("y", positive=True)

BERNOULLI = "k >= 1, d >= 1, 0 < rho < 1"
DRAWS = "k >= 1, 1 <= m <= d"

_UNCOVERED = (1 - rho) ** k

BERNOULLI_UNION_LAW = Formula(
    "law of the union size of independent Bernoulli bits",
    sp.binomial(d, w) * (1 - _UNCOVERED) ** w * _UNCOVERED ** (d - w),
    "exact",
    BERNOULLI + ", 0 <= w <= d",
    "each bit lies in the union independently with probability 1 - (1 - rho)^k",
    lambda w, k, d, rho: math.exp(column_weight.log_bernoulli_union_law(k, d, rho)[w]),
)

BERNOULLI_COVERAGE = (1 - rho) ** (d - w)

BERNOULLI_FAILURE_PROBABILITY = Formula(
    "failure probability of independent Bernoulli bits",
    sp.Sum(BERNOULLI_UNION_LAW.expression * (1 - (1 - BERNOULLI_COVERAGE) ** N), (w, 0, d)),
    "exact",
    BERNOULLI + ", k <= n",
    "given the union a non-member is covered when it owns none of the d - w other bits",
    column_weight.bernoulli_failure_probability,
)

BERNOULLI_EXPONENT = Formula(
    "exponent of the Bernoulli rate at its best density, nats per bit",
    -sp.log(1 - (1 + 1 / k) ** (-k) / (k + 1)),
    "exact",
    "k >= 1, rho = 1/(k+1)",
    "-(ln FPR) / d of d independent bits",
    column_weight.bernoulli_exponent,
)

BERNOULLI_WIDTH_LAW = Formula(
    "width law of independent Bernoulli bits",
    (sp.E * (k + sp.Rational(1, 2)) - sp.Rational(1, 2)) * sp.log(N / epsilon),
    "asymptotic",
    "k >> 1",
    "the Bernoulli rate at rho = 1/(k+1) set to epsilon / N",
    column_weight.bernoulli_width_law,
)

WITH_REPLACEMENT_UNION_LAW = Formula(
    "law of the union size of draws with replacement",
    sp.binomial(d, w) * sp.Sum((-1) ** (w - j) * sp.binomial(w, j) * (j / d) ** (k * m), (j, 0, w)),
    "exact",
    DRAWS + ", 0 <= w <= d",
    "classical occupancy of d bins by k m balls, C(d,w) w! S(km,w) / d^(km)",
    lambda w, k, d, m: math.exp(column_weight.log_with_replacement_union_law(k, d, m)[w]),
)

DRAWN_COVERAGE = (w / d) ** m

WITH_REPLACEMENT_RATE = Formula(
    "false-positive rate of draws with replacement",
    sp.Sum(WITH_REPLACEMENT_UNION_LAW.expression * DRAWN_COVERAGE, (w, 1, d)),
    "exact",
    DRAWS,
    "E (W/d)^m (Bose et al. 2008; Christensen, Roginsky & Jimeno 2010)",
    column_weight.with_replacement_rate,
)

WITH_REPLACEMENT_LOWER_BOUND = Formula(
    "lower bound on the false-positive rate of draws with replacement",
    (1 - (1 - 1 / d) ** (k * m)) ** m,
    "lower bound",
    DRAWS,
    "Jensen: x^m is convex and E W / d = 1 - (1 - 1/d)^(k m); equality at m = 1",
    column_weight.with_replacement_lower_bound,
    of=WITH_REPLACEMENT_RATE,
)

WITH_REPLACEMENT_FAILURE_PROBABILITY = Formula(
    "failure probability of draws with replacement",
    sp.Sum(WITH_REPLACEMENT_UNION_LAW.expression * (1 - (1 - DRAWN_COVERAGE) ** N), (w, 1, d)),
    "exact",
    DRAWS + ", k <= n",
    "N conditionally independent non-members given the union",
    column_weight.with_replacement_failure_probability,
)

# the exponent's saddle point, as functions of y = e^(-k V)
MEMBER_LOAD = -sp.log(y) / k
QUERIED_LOAD = MEMBER_LOAD / (1 - y)
BEST_LOAD = MEMBER_LOAD * (1 - y) ** (-1 / (k + 1))
ROOT = sp.Eq(1 - y + y * sp.exp(-QUERIED_LOAD), (1 - y) ** (1 / (k + 1)))

WITH_REPLACEMENT_EXPONENT = Formula(
    "exponent of the rate of draws with replacement at their best number, nats per bit",
    (k + 1) * BEST_LOAD - sp.log(sp.exp(QUERIED_LOAD + k * MEMBER_LOAD) - sp.exp(QUERIED_LOAD) + 1),
    "asymptotic",
    "k >= 1, y in (0, 1) the root of ROOT; d -> infinity at fixed k",
    "saddle point of the bins' loads: independent Poisson variables given their totals",
    lambda y, k: column_weight.with_replacement_exponent_at(y, k)[1],
)

# the exponent is stated at its saddle point: tests/theory/test_column_weight.py draws it
FORMULAS = (
    BERNOULLI_UNION_LAW,
    BERNOULLI_FAILURE_PROBABILITY,
    BERNOULLI_EXPONENT,
    BERNOULLI_WIDTH_LAW,
    WITH_REPLACEMENT_UNION_LAW,
    WITH_REPLACEMENT_RATE,
    WITH_REPLACEMENT_LOWER_BOUND,
    WITH_REPLACEMENT_FAILURE_PROBABILITY,
)
