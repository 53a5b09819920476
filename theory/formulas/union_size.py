"""Formulas for the union of the k members' hashes."""

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from theory import coverings, union_size
from theory.formula import Formula
from theory.symbols import d, k, m, p, q, s, t, w

j = sp.Symbol("j", integer=True, nonnegative=True)

COVERAGE = Formula(
    "coverage of an m-subset by a union of w bits",
    sp.binomial(w, m) / sp.binomial(d, m),
    "exact",
    "1 <= m <= w <= d",
    "a uniformly random m-subset lies in a fixed w-subset",
    lambda w, d, m: float(np.exp(union_size.log_coverage(d, m)[w - m])),
)

UNION_SIZE_LAW = Formula(
    "law of the union size",
    sp.binomial(d, w)
    / sp.binomial(d, m) ** k
    * sp.Sum((-1) ** (w - j) * sp.binomial(w, j) * sp.binomial(j, m) ** k, (j, 0, w)),
    "exact",
    "k >= 1, 1 <= m <= d, 0 <= w <= d",
    "inclusion-exclusion over the bits of the union (committee problem, Burns 2019)",
    lambda w, k, d, m: float(union_size.union_size_law(k, d, m)[w]),
)

COVERINGS = Formula(
    "ways in which k tokens cover w bits, in order of appearance",
    sp.Sum(
        (-1) ** (w - j) * sp.binomial(w, j) * (sp.factorial(m) * sp.binomial(j, m)) ** k, (j, 0, w)
    )
    / sp.factorial(w),
    "exact",
    "k >= 1, m >= 1, w >= m",
    "the law of the union's size is (d)_w of them over (d)_m^k; m = 1: Stirling numbers",
    lambda w, k, m: math.exp(next(coverings.log_coverings({m: {k}}, max(w, m), True))[2][w]),
)

UNION_SIZE_MEAN = Formula(
    "mean union size",
    d * p,
    "exact",
    "k >= 1, 1 <= m <= d",
    "linearity of expectation",
    union_size.mean_union_size,
)

UNION_SIZE_VARIANCE = Formula(
    "variance of the union size",
    d * q + sp.ff(d, 2) * (sp.ff(d - m, 2) / sp.ff(d, 2)) ** k - d**2 * q**2,
    "exact",
    "k >= 1, 1 <= m <= d, d >= 2",
    "second factorial moment of the number of uncovered bits",
    union_size.union_size_variance,
)

UNION_SIZE_TAIL = Formula(
    "tail of the union size, P(W - E W >= t)",
    sp.exp(-2 * t**2 / d),
    "upper bound",
    "t >= 0",
    "Hoeffding's bound for negatively associated indicators",
    union_size.union_size_tail,
)

MISSING_BITS_GIVEN_UNION = Formula(
    "law of a token's missing bits given the union size",
    sp.binomial(w, m - s) * sp.binomial(d - w, s) / sp.binomial(d, m),
    "exact",
    "1 <= m <= w <= d, 0 <= s <= m",
    "hypergeometric: an independent m-subset against a fixed w-subset",
    lambda s, w, d, m: float(union_size.missing_bits_given_union(d, m, np.array([w]))[0, s]),
)

FORMULAS = (
    COVERAGE,
    UNION_SIZE_LAW,
    COVERINGS,
    UNION_SIZE_MEAN,
    UNION_SIZE_VARIANCE,
    UNION_SIZE_TAIL,
    MISSING_BITS_GIVEN_UNION,
)
