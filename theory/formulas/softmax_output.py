"""Formulas for the softmax output at finite inverse temperature beta."""

from __future__ import annotations

import sympy as sp

from theory import softmax_output
from theory.formula import Formula
from theory.formulas.false_positives import MISSING_BITS_LAW, TASK
from theory.formulas.union_size import MISSING_BITS_GIVEN_UNION, UNION_SIZE_LAW
from theory.symbols import L, N, Q, beta, d, delta, k, m, q, s, t, w

POINTWISE = "every input; L >= 0, k >= 1"

TOTAL_VARIATION = Formula(
    "total variation of one output",
    L / (k + L),
    "exact",
    POINTWISE,
    "members share k/(k+L), non-members hold L/(k+L)",
    lambda L, k: softmax_output.total_variation_of_leakage(L, k),
)

KL = Formula(
    "KL(target || output) of one output, nats",
    sp.log(1 + L / k),
    "exact",
    POINTWISE,
    "each member's probability is 1/(k+L) against 1/k; equals -ln(1 - TV)",
    lambda L, k: softmax_output.kl_of_leakage(L, k),
)

SQUARED_ERROR = Formula(
    "squared error of one output, summed over the vocabulary",
    (L**2 / k + Q) / (k + L) ** 2,
    "exact",
    POINTWISE,
    "members miss by L/(k(k+L)) each, non-member j by e^(-beta M_j)/(k+L)",
    lambda L, Q, k: softmax_output.squared_error_of_leakage(L, Q, k),
)


def psi(r: int) -> sp.Expr:
    """E[e^(-r beta M) exp(-t e^(-beta M)) | W = w] for one non-member."""
    return sp.Sum(
        MISSING_BITS_GIVEN_UNION.expression
        * sp.exp(-r * beta * s)
        * sp.exp(-t * sp.exp(-beta * s)),
        (s, 0, m),
    )


def mean_over_union(value: sp.Expr) -> sp.Expr:
    """E[value(W)] over the law of the union size."""
    return sp.Sum(UNION_SIZE_LAW.expression * value, (w, m, d))


INTEGRALS = TASK + ", beta > 0"

EXPECTED_TOTAL_VARIATION = Formula(
    "expected total variation",
    sp.Integral(sp.exp(-k * t) * mean_over_union(N * psi(1) * psi(0) ** (N - 1)), (t, 0, sp.oo)),
    "exact",
    INTEGRALS,
    "1/(k+L) = ∫ e^(-t(k+L)) dt and E[L e^(-tL)] = -Lambda'(t)",
    lambda n, k, d, m, beta: softmax_output.expected_divergence(n, k, d, m, beta).total_variation,
)

EXPECTED_KL = Formula(
    "expected KL(target || output), nats",
    sp.Integral(sp.exp(-k * t) * (1 - mean_over_union(psi(0) ** N)) / t, (t, 0, sp.oo)),
    "exact",
    INTEGRALS,
    "ln(1 + L/k) = ∫ e^(-kt) (1 - e^(-tL)) / t dt (Frullani)",
    lambda n, k, d, m, beta: softmax_output.expected_divergence(n, k, d, m, beta).kl,
)

EXPECTED_SQUARED_ERROR = Formula(
    "expected squared error, summed over the vocabulary",
    sp.Integral(
        t
        * sp.exp(-k * t)
        * mean_over_union(
            (1 + 1 / k) * N * psi(2) * psi(0) ** (N - 1)
            + N * (N - 1) / k * psi(1) ** 2 * psi(0) ** (N - 2)
        ),
        (t, 0, sp.oo),
    ),
    "exact",
    INTEGRALS,
    "1/(k+L)^2 = ∫ t e^(-t(k+L)) dt",
    lambda n, k, d, m, beta: softmax_output.expected_divergence(n, k, d, m, beta).squared_error,
)

MEAN_LEAKAGE = Formula(
    "mean leakage",
    N * sp.Sum(MISSING_BITS_LAW.expression * sp.exp(-beta * s), (s, 0, m)),
    "exact",
    INTEGRALS,
    "linearity of expectation over the non-members",
    softmax_output.mean_leakage,
)

MEAN_LEAKAGE_BOUND = Formula(
    "bound on the mean leakage",
    N * (1 - q * (1 - sp.exp(-beta))) ** m,
    "upper bound",
    INTEGRALS,
    "negative association of the covered bits",
    softmax_output.mean_leakage_bound,
    of=MEAN_LEAKAGE,
)

TOTAL_VARIATION_BOUND = Formula(
    "bound on the expected total variation",
    MEAN_LEAKAGE.expression / (k + MEAN_LEAKAGE.expression),
    "upper bound",
    INTEGRALS,
    "Jensen: L -> L/(k+L) is concave",
    softmax_output.total_variation_bound,
    of=EXPECTED_TOTAL_VARIATION,
)

KL_BOUND = Formula(
    "bound on the expected KL, nats",
    sp.log(1 + MEAN_LEAKAGE.expression / k),
    "upper bound",
    INTEGRALS,
    "Jensen: ln(1 + L/k) is concave in L",
    softmax_output.kl_bound,
    of=EXPECTED_KL,
)

TOTAL_VARIATION_WITHOUT_FALSE_POSITIVE = Formula(
    "bound on the total variation of an input without a false positive",
    N * sp.exp(-beta) / k,
    "upper bound",
    "inputs with every non-member missing at least one bit",
    "L <= N e^(-beta) and L/(k+L) <= L/k",
    softmax_output.total_variation_without_false_positive,
)

SUFFICIENT_BETA = Formula(
    "beta that suffices for total variation delta without false positives",
    sp.log(N / (k * delta)),
    "upper bound",
    "0 < delta < 1, k delta < n - k",
    "the bound above set equal to delta",
    softmax_output.sufficient_beta,
)

FORMULAS = (
    TOTAL_VARIATION,
    KL,
    SQUARED_ERROR,
    EXPECTED_TOTAL_VARIATION,
    EXPECTED_KL,
    EXPECTED_SQUARED_ERROR,
    MEAN_LEAKAGE,
    MEAN_LEAKAGE_BOUND,
    TOTAL_VARIATION_BOUND,
    KL_BOUND,
    TOTAL_VARIATION_WITHOUT_FALSE_POSITIVE,
    SUFFICIENT_BETA,
)
