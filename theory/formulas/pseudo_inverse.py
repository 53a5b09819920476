"""Formulas for the pseudo-inverse readout of a Gaussian W_U."""

from __future__ import annotations

import sympy as sp

from theory import pseudo_inverse
from theory.formula import Formula
from theory.symbols import N, d, epsilon, k

r = sp.Symbol("r", positive=True)
z = sp.Symbol("z", positive=True)
nu = d - k + 1

GAUSSIAN = "1 <= k <= d, k <= n; W_U with independent N(0, sigma^2) entries"
SOURCE = "minimum-norm h of Basri & Jacobs (ICLR 2026); "


def normal_tail(x: sp.Expr) -> sp.Expr:
    """Q(x), the probability that a standard normal variable exceeds x."""
    return sp.erfc(x / sp.sqrt(2)) / 2


def chi_density(degrees: sp.Expr) -> sp.Expr:
    """Density at r of chi, the root of chi-square."""
    return 2 ** (1 - degrees / 2) * r ** (degrees - 1) * sp.exp(-(r**2) / 2) / sp.gamma(degrees / 2)


def student_density(degrees: sp.Expr) -> sp.Expr:
    """Density at z of Student's t."""
    scale = sp.sqrt(degrees * sp.pi) * sp.gamma(degrees / 2)
    return sp.gamma((degrees + 1) / 2) / scale * (1 + z**2 / degrees) ** (-(degrees + 1) / 2)


FALSE_POSITIVE_RATE = Formula(
    "false-positive rate of the pseudo-inverse readout",
    sp.Integral(student_density(nu), (z, sp.sqrt(nu / k), sp.oo)),
    "exact",
    GAUSSIAN,
    SOURCE + "a logit N(0, |h|^2) against 1, and k/|h|^2 chi-square with nu = d-k+1",
    pseudo_inverse.false_positive_rate,
)

EXPECTED_FALSE_POSITIVES = Formula(
    "expected number of false positives of the pseudo-inverse readout",
    N * FALSE_POSITIVE_RATE.expression,
    "exact",
    GAUSSIAN,
    "linearity of expectation over the non-members",
    pseudo_inverse.expected_false_positives,
)

FAILURE_PROBABILITY = Formula(
    "failure probability of the pseudo-inverse readout",
    sp.Integral(chi_density(nu) * (1 - (1 - normal_tail(r / sp.sqrt(k))) ** N), (r, 0, sp.oo)),
    "exact",
    GAUSSIAN,
    SOURCE + "given |h| = sqrt(k)/r the false positives are Binomial(N, Q(r/sqrt(k)))",
    pseudo_inverse.failure_probability,
)

UPPER_BOUND = Formula(
    "bound on the expected number of false positives of the pseudo-inverse readout",
    N / 2 * (1 + 1 / k) ** (-nu / 2),
    "upper bound",
    GAUSSIAN,
    "Q(x) <= e^(-x^2/2)/2, and E e^(-chi^2/(2k)) = (1+1/k)^(-nu/2)",
    pseudo_inverse.upper_bound,
    of=EXPECTED_FALSE_POSITIVES,
)

CONDITION_NUMBER = Formula(
    "condition number of the members' rows of a Gaussian W_U",
    (sp.sqrt(d) + sp.sqrt(k)) / (sp.sqrt(d) - sp.sqrt(k)),
    "asymptotic",
    "1 <= k < d, d -> infinity at fixed k/d",
    "Bai & Yin 1993: extreme singular values sqrt(d) ± sqrt(k)",
    pseudo_inverse.condition_number,
)

SUFFICIENT_WIDTH = Formula(
    "width that suffices for the pseudo-inverse readout",
    k - 1 + 2 * sp.log(N / (2 * epsilon)) / sp.log(1 + 1 / k),
    "upper bound",
    "1 <= k < n, 0 < epsilon <= N/2",
    "the bound on E#FP set equal to epsilon; at most k - 1 + (2k+1) ln(N/(2 epsilon))",
    pseudo_inverse.sufficient_width,
)

WIDTH_LAW = Formula(
    "width law of the pseudo-inverse readout",
    k + (2 * k + 1) * sp.log(N / epsilon),
    "asymptotic",
    "1 <= k < n, epsilon -> 0, then k large",
    "2/ln(1+1/k) = 2k+1 - O(1/k)",
    pseudo_inverse.width_law,
)

REFINED_WIDTH_LAW = Formula(
    "width law of the pseudo-inverse readout with its prefactor",
    k
    - 1
    + sp.LambertW(sp.log(1 + 1 / k) * (k + 1) * N**2 / (2 * sp.pi * epsilon**2))
    / sp.log(1 + 1 / k),
    "asymptotic",
    "1 <= k < n, epsilon -> 0",
    "N (1+1/k)^(-nu/2) sqrt((k+1)/(2 pi nu)) = epsilon",
    pseudo_inverse.refined_width_law,
)

SLOPE = Formula(
    "slope of ln P_fail of the pseudo-inverse readout, nats per unit of width",
    -sp.log(1 + 1 / k) / 2,
    "asymptotic",
    "k >= 1, d -> infinity",
    "E Q(chi_nu/sqrt(k)) falls by sqrt(k/(k+1)) with every degree of freedom",
    pseudo_inverse.failure_slope,
)

# stated for k <= d: tests/theory/test_pseudo_inverse.py draws their sizes
OF_THE_WIDTH = (UPPER_BOUND, CONDITION_NUMBER)

FORMULAS = (
    FALSE_POSITIVE_RATE,
    EXPECTED_FALSE_POSITIVES,
    FAILURE_PROBABILITY,
    SUFFICIENT_WIDTH,
    WIDTH_LAW,
    REFINED_WIDTH_LAW,
    SLOPE,
)
