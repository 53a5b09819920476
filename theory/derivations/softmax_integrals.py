"""Expected distances of the softmax output as integrals over the leakage's Laplace transform."""

from __future__ import annotations

import sympy as sp

from theory.derivations.brute_force import (
    EnumeratedKL,
    EnumeratedLaplace,
    EnumeratedSquaredError,
    EnumeratedSquares,
    EnumeratedTotalVariation,
)
from theory.derivations.checks import Digits, Symbolic
from theory.derivations.derivation import Derivation, Step, equal, points
from theory.formulas.softmax_output import (
    EXPECTED_KL,
    EXPECTED_SQUARED_ERROR,
    EXPECTED_TOTAL_VARIATION,
    KL,
    SQUARED_ERROR,
    TOTAL_VARIATION,
    mean_over_union,
    psi,
)
from theory.symbols import L, N, Q, beta, d, k, m, n, t

others = sp.Symbol("N", integer=True, positive=True)
psi_1, psi_2 = sp.symbols("psi_1 psi_2")
psi_0 = sp.Function("psi_0")(t)
transform = sp.Function("Lambda")(t)
mean_squared_error = sp.Symbol("SE", positive=True)

HALF_LINE = (t, 0, sp.oo)
LAPLACE = mean_over_union(psi(0) ** N)
OWN_SQUARES = mean_over_union(N * psi(2) * psi(0) ** (N - 1))
BOUNDARY = t * sp.exp(-k * t) * transform.diff(t) - (1 - k * t) * sp.exp(-k * t) * transform

TASKS = points(
    (n, k, d, m, beta),
    (
        (4, 2, 4, 2, "1/2"),
        (4, 2, 5, 2, 1),
        (3, 1, 4, 3, "2/3"),
        (5, 3, 4, 1, 2),
        (4, 1, 4, 2, "1/7"),
    ),
)
TASKS_AND_TIMES = tuple(
    {**task, t: sp.Rational(time)}
    for task, time in zip(TASKS, ("1/3", 1, 2, "7/2", 5), strict=True)
)


DERIVATION = Derivation(
    "softmax_integrals",
    "Expected distances as integrals over the Laplace transform of the leakage",
    (
        Step(
            "One output's distances, as integrals of $e^{-t L}$ and its relatives. Total variation",
            equal(
                sp.Integral(sp.exp(-k * t) * L * sp.exp(-t * L), HALF_LINE),
                TOTAL_VARIATION.expression,
            ),
            Symbolic(),
        ),
        Step(
            "Relative entropy is the integral of $e^{-k t} (1 - e^{-t L})/t$ (Frullani): both "
            "are 0 at $L = 0$, and have the same derivative in $L$, under the integral",
            equal(
                sp.Integral(sp.Derivative(sp.exp(-k * t) * (1 - sp.exp(-t * L)) / t, L), HALF_LINE),
                sp.Derivative(KL.expression, L),
            ),
            Symbolic(),
        ),
        Step(
            "Squared error is",
            equal(
                sp.Integral(t * sp.exp(-k * t) * (L**2 / k + Q) * sp.exp(-t * L), HALF_LINE),
                SQUARED_ERROR.expression,
            ),
            Symbolic(),
        ),
        Step(
            "Given the union, $L$ is a sum of $N$ independent weights, so the mean of $e^{-t "
            "L}$ is a power; averaged over the union it is the transform $Λ(t)$, which counting "
            "all hash families confirms",
            equal(LAPLACE, EnumeratedLaplace(n, k, d, m, beta, t)),
            Digits(TASKS_AND_TIMES),
        ),
        Step(
            "One weight's transform $ψ_0$, differentiated, brings down a weight: its derivative "
            "is $-ψ_1$",
            equal(sp.Derivative(psi(0), t), -psi(1)),
            Symbolic(),
        ),
        Step(
            "and again, $ψ_2$",
            equal(sp.Derivative(psi(0), (t, 2)), psi(2)),
            Symbolic(),
        ),
        Step(
            "So given the union, the mean of $L e^{-t L}$, minus the derivative of the power, is",
            equal(-sp.Derivative(psi_0**others, t), others * psi_1 * psi_0 ** (others - 1)),
            Symbolic(),
            where={psi_1: -sp.Derivative(psi_0, t)},
        ),
        Step(
            "the mean of $L^2 e^{-t L}$, its second derivative,",
            equal(
                sp.Derivative(psi_0**others, (t, 2)),
                others * psi_2 * psi_0 ** (others - 1)
                + others * (others - 1) * psi_1**2 * psi_0 ** (others - 2),
            ),
            Symbolic((sp.expand, sp.powsimp, sp.expand)),
            where={psi_1: -sp.Derivative(psi_0, t), psi_2: sp.Derivative(psi_0, (t, 2))},
        ),
        Step(
            "and the mean of $Q e^{-t L}$ comes from $N$ weights, each squared beside the $N - "
            "1$ others",
            equal(OWN_SQUARES, EnumeratedSquares(n, k, d, m, beta, t)),
            Digits(TASKS_AND_TIMES),
        ),
        Step(
            "Put together, the mean total variation, against all hash families",
            equal(EXPECTED_TOTAL_VARIATION.expression, EnumeratedTotalVariation(n, k, d, m, beta)),
            Digits(TASKS),
        ),
        Step(
            "the mean relative entropy",
            equal(EXPECTED_KL.expression, EnumeratedKL(n, k, d, m, beta)),
            Digits(TASKS),
        ),
        Step(
            "and the mean squared error",
            equal(mean_squared_error, EnumeratedSquaredError(n, k, d, m, beta)),
            Digits(TASKS),
            where={mean_squared_error: EXPECTED_SQUARED_ERROR.expression},
        ),
        Step(
            "Another form of the total variation integrates by parts, with $Λ(0) = 1$: as a "
            "derivative,",
            equal(
                -sp.exp(-k * t) * sp.Derivative(transform, t),
                -sp.Derivative(sp.exp(-k * t) * transform, t) - k * sp.exp(-k * t) * transform,
            ),
            Symbolic(),
        ),
        Step(
            "so that",
            equal(
                EXPECTED_TOTAL_VARIATION.expression,
                1 - sp.Integral(k * sp.exp(-k * t) * LAPLACE, HALF_LINE),
            ),
            Digits(TASKS),
        ),
        Step(
            "For the squared error, twice by parts; what is differentiated is $-1$ at $t = 0$ "
            "and 0 at infinity",
            equal(
                t * sp.exp(-k * t) * sp.Derivative(transform, (t, 2)),
                sp.Derivative(BOUNDARY, t) + (k**2 * t - 2 * k) * sp.exp(-k * t) * transform,
            ),
            Symbolic(),
        ),
        Step(
            "which gives its other form",
            equal(
                mean_squared_error,
                (
                    1
                    - 2 * sp.Integral(k * sp.exp(-k * t) * LAPLACE, HALF_LINE)
                    + sp.Integral(k**2 * t * sp.exp(-k * t) * LAPLACE, HALF_LINE)
                )
                / k
                + sp.Integral(t * sp.exp(-k * t) * OWN_SQUARES, HALF_LINE),
            ),
            Digits(TASKS),
            where={mean_squared_error: EXPECTED_SQUARED_ERROR.expression},
        ),
    ),
)
