"""Formulas for the moment curve, and the width that no linear readout beats."""

from __future__ import annotations

import sympy as sp

from theory import moment_curve
from theory.formula import Formula
from theory.symbols import k, n

j = sp.Symbol("j", integer=True, positive=True)

# distances of the k nearest neighbours of an inner node: 1, 1, 2, 2, ...
NEAREST = sp.factorial(sp.floor(k / 2)) * sp.factorial(sp.ceiling(k / 2))

RADON_WIDTH = Formula(
    "least width of a linear readout that separates every k-set",
    2 * k,
    "lower bound",
    "k >= 1, n >= 3k, no bias per token; attained by the moment curve",
    "Radon's theorem; Gale 1963 for the curve",
    moment_curve.radon_width,
)

RADON_WIDTH_WITH_BIAS = Formula(
    "least width of a linear readout with a bias per token that separates every k-set",
    2 * k - 1,
    "lower bound",
    "k >= 1, n >= 3k; attained by the moment curve with bias -t^(2k)",
    "Radon's theorem with the biases as one more coordinate",
    moment_curve.radon_width_with_bias,
)

MARGIN = Formula(
    "margin of the moment curve on equally spaced nodes in [-1, 1]",
    (2 / (n - 1)) ** (2 * k) * NEAREST**2,
    "exact",
    "1 <= k < n",
    "least prod_s (t_i - t_s)^2: the k nearest neighbours of an inner node",
    moment_curve.equally_spaced_margin,
)

MARGIN_BOUND = Formula(
    "bound on the margin of the moment curve on any nodes in [-1, 1]",
    (2 / sp.floor((n - 1) / k)) ** (2 * k),
    "upper bound",
    "1 <= k < n",
    "k + 1 neighbours lie within the shortest of floor((n-1)/k) disjoint stretches",
    moment_curve.margin_bound,
    of=MARGIN,
)

CIRCLE_MARGIN = Formula(
    "margin of the moment curve on n equally spaced angles",
    sp.Product(2 * sp.sin(sp.pi * j / n) ** 2, (j, 1, sp.floor(k / 2)))
    * sp.Product(2 * sp.sin(sp.pi * j / n) ** 2, (j, 1, sp.ceiling(k / 2))),
    "exact",
    "1 <= k < n",
    "least prod_s (1 - cos(theta_i - theta_s)): the k nearest neighbours",
    moment_curve.circle_margin,
)


def bits(relative_margin: sp.Expr) -> sp.Expr:
    """-log2 of the u at which 2 ((1+u)^2 - 1) is the margin over the largest sum of terms."""
    return -sp.log(sp.sqrt(1 + relative_margin / 2) - 1, 2)


SUFFICIENT_BITS = Formula(
    "bits of significand with which the moment curve fails on no k-set",
    bits(MARGIN.expression / 4**k),
    "upper bound",
    "1 <= k < n, equally spaced nodes in [-1, 1], W_U and residual rounded to nearest",
    "two logits' errors ((1+u)^2 - 1) prod_s (|t_i| + |t_s|)^2, u = 2^-bits, within the margin",
    moment_curve.sufficient_bits,
)

CIRCLE_SUFFICIENT_BITS = Formula(
    "bits of significand with which the moment curve on the circle fails on no k-set",
    bits(CIRCLE_MARGIN.expression / 2**k),
    "upper bound",
    "1 <= k < n, equally spaced angles, W_U and residual rounded to nearest",
    "as on the line, with coefficients whose absolute values add up to at most 2^k",
    moment_curve.circle_sufficient_bits,
)

FORMULAS = (
    RADON_WIDTH,
    RADON_WIDTH_WITH_BIAS,
    MARGIN,
    MARGIN_BOUND,
    CIRCLE_MARGIN,
    SUFFICIENT_BITS,
    CIRCLE_SUFFICIENT_BITS,
)
