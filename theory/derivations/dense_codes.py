"""Random dense codes: what a linear readout, a softmax and a threshold cost in width."""

from __future__ import annotations

import sympy as sp

from theory.dense_codes import sufficient_thresholded_width
from theory.derivations.checks import Digits, Rationals, Series, Symbolic, remainder
from theory.derivations.derivation import Derivation, Point, Step, at_most, equal, points
from theory.formulas.dense_codes import (
    AFFINE_FLOOR,
    KL_BOUND,
    LEAKAGE_FLOOR,
    LINEAR_READOUT_ERROR,
    MEMBER_KL,
    MEMBER_SPREAD,
    MEMBER_TOTAL_VARIATION,
    SCALED_READOUT_ERROR,
    SECOND_MOMENT,
    THRESHOLD_SLOPE,
    THRESHOLDED_FAILURE_BOUND,
    THRESHOLDED_FALSE_POSITIVE_RATE,
    THRESHOLDED_PAIR_RATE,
    TIGHT_FRAME_ERROR,
    c,
)
from theory.symbols import N, beta, d, epsilon, k, n, t

j = sp.Symbol("j", integer=True, nonnegative=True)
scale = sp.Symbol("s", real=True)
first, second = sp.symbols("v_1 v_2", real=True)
large = sp.Symbol("x", positive=True)
coefficient = sp.Symbol("a", positive=True)
failure = sp.Symbol("P_fail", positive=True)
v = sp.Symbol("v", positive=True)
power = sp.Symbol("C", positive=True)
rate = sp.Symbol("rate", positive=True)
pair = sp.Symbol("pair", positive=True)
slack = sp.Symbol("slack", integer=True, nonnegative=True)

SIGN_SUM = sp.Sum(sp.binomial(d, j) * (2 * j - d) ** 2, (j, 0, d)) / 2**d
# eigenvalue of the members' indicator's covariance, n-1 times; the all-ones vector has 0
EIGENVALUE = k / n - k * (k - 1) / (n * (n - 1))
THREE = (first, second, -first - second)
MEMBER_KL_OF_THREE = sp.log(sum(sp.exp(beta * v / large) for v in THREE) / 3)
SADDLE = sp.log((2 * k + 1) / (2 * k - 1)) / 2
TASKS = ((5, 1, "1/2"), (4, 2, "1/3"), (9, 1, "1/10"), (6, 2, "1/5"))


NORMAL_DENSITY = sp.exp(-(t**2) / (2 * v)) / sp.sqrt(2 * sp.pi * v)


def combine_logarithms(expression: sp.Expr) -> sp.Expr:
    """The expression, its logarithms of positive sums made one of a simplified quotient."""
    return sp.log(sp.simplify(sp.exp(sp.expand_log(expression, force=True))))


def rewrite_in_exp(expression: sp.Expr) -> sp.Expr:
    """Hyperbolic functions as exponentials."""
    return expression.rewrite(sp.exp)


def sufficient_widths() -> tuple[Point, ...]:
    """Points with Hoeffding's rounded width."""
    rows = []
    for n_, k_, epsilon_ in TASKS:
        d_ = sufficient_thresholded_width(n_, k_, float(sp.Rational(epsilon_)))
        rows.append((n_, k_, d_, sp.Rational(epsilon_)))
    return points((n, k, d, epsilon), rows)


DERIVATION = Derivation(
    "dense_codes",
    "Random dense codes and their readouts",
    (
        Step(
            "Coefficients uniform on $[1, c]$ have the second moment",
            equal(
                sp.Integral(coefficient**2, (coefficient, 1, c)) / (c - 1),
                SECOND_MOMENT.expression,
            ),
            Symbolic(),
        ),
        Step(
            "The sum of $d$ independent signs has mean square $d$, so two vectors of $d$ random "
            "signs times $d^{-1/2}$ have an inner product of mean square $1/d$",
            equal(SIGN_SUM, d),
            Rationals(points((d,), ((1,), (2,), (3,), (4,), (7,), (10,)))),
        ),
        Step(
            "Each of the $k$ members adds $n-1$ such products to the readout, uncorrelated and of "
            "mean 0: the squared error is $k (n-1)/d$, relative to the error $k$ of predicting 0. "
            "Scaled by s it is least at $s = d/(n-1+d)$, where its derivative",
            equal(
                sp.Derivative((1 - scale) ** 2 + scale**2 * LINEAR_READOUT_ERROR.expression, scale),
                0,
            ),
            Symbolic(),
            where={scale: d / (n - 1 + d)},
        ),
        Step(
            "and there it is",
            equal(
                (1 - scale) ** 2 + scale**2 * LINEAR_READOUT_ERROR.expression,
                SCALED_READOUT_ERROR.expression,
            ),
            Symbolic(),
            where={scale: d / (n - 1 + d)},
        ),
        Step(
            "The members' indicator has a covariance with one eigenvalue 0, that of the all-ones "
            "vector, and $n-1$ equal ones; an affine readout of $d$ coordinates keeps at most "
            "$d$ of these, and least squares keeps $d$. Relative to $k$ this leaves",
            equal((n - 1 - d) * EIGENVALUE / k, AFFINE_FLOOR.expression),
            Symbolic(),
        ),
        Step(
            "A unit-norm tight frame has a Gram matrix G with $G^2 = (n/d) G$ and trace n, so its "
            "squared inner products off the diagonal sum to $n^2/d - n$; with zero sum, $G - I$ "
            "takes the all-ones vector to its negative. Uncentred second moments then give the "
            "error of y",
            equal(
                (EIGENVALUE * (n**2 / d - n) + k * (k - 1) / (n * (n - 1)) * n) / k,
                TIGHT_FRAME_ERROR.expression,
            ),
            Symbolic(),
        ),
        Step(
            "Softmax: among the $k$ members' $y_i$ each of the $k(k-1)/2$ products enters two. "
            "Mean square less squared mean, in expectation",
            equal(
                (k - 1) / d - 4 / k**2 * (k * (k - 1) / 2) / d,
                MEMBER_SPREAD.expression,
            ),
            Symbolic(),
        ),
        Step(
            "For logits $β v_i / x$ of mean 0 the relative entropy of the uniform law to the "
            "softmax is half their variance to leading order, here for three members",
            equal(
                MEMBER_KL_OF_THREE,
                beta**2 * sum(v**2 for v in THREE) / 3 / (2 * large**2) + remainder(large, 3),
            ),
            Series(large, 3),
        ),
        Step(
            "so that the members' part of the KL, $v$ being that variance, is about",
            equal(beta**2 * v / 2, MEMBER_KL.expression),
            Symbolic(),
            where={v: MEMBER_SPREAD.expression},
        ),
        Step(
            "As $d$ grows the deviations become normal, of variance $v$ each; TV is half their "
            "mean absolute value times $β$",
            equal(
                beta * sp.Integral(t * NORMAL_DENSITY, (t, 0, sp.oo)),
                MEMBER_TOTAL_VARIATION.expression,
            ),
            Symbolic(domain={k: 3 + slack}),
            where={v: MEMBER_SPREAD.expression},
        ),
        Step(
            "The whole KL is $ln sum_i e^{β y_i} - ln k - β$, averaged. The logarithm of a sum of "
            "exponentials is convex, and $E y_i$ is 1 for members, 0 for non-members: at least",
            equal(sp.log(k * sp.exp(beta) + N) - sp.log(k) - beta, LEAKAGE_FLOOR.expression),
            Symbolic((combine_logarithms,)),
        ),
        Step(
            "One product of signs, times $β/d$, has the exponential moment $cosh(β/d)$",
            equal((sp.exp(beta / d) + sp.exp(-beta / d)) / 2, sp.cosh(beta / d)),
            Symbolic((rewrite_in_exp, sp.simplify)),
        ),
        Step(
            "so that $E e^{β y_i}$ is its power $k d$, and for members $e^β$ times its power "
            "$(k-1) d$. The logarithm is concave: at most, C being the power $d$,",
            equal(
                sp.log(k * sp.exp(beta) * power ** (k - 1) + N * power**k) - sp.log(k) - beta,
                (k - 1) * sp.log(power) + sp.log(1 + N / k * sp.exp(-beta) * power),
            ),
            Symbolic((combine_logarithms,)),
        ),
        Step(
            "which is the bound of the catalogue; as $d$ grows it falls to the floor",
            equal(sp.Limit(KL_BOUND.expression, d, sp.oo), LEAKAGE_FLOOR.expression),
            Digits(
                points((n, k, beta), ((10, 3, 2), (1000, 4, "7/2"))),
                limit=tuple(range(200, 1201, 50)),
            ),
        ),
        Step(
            "Threshold 1/2: a non-member is accepted where a sum of $k d$ signs reaches $d/2$. By "
            "Hoeffding's lemma $ln P ≤ k d t^2 / 2 - t d / 2$ for every t; the best, $t = 1/(2k)$, "
            "leaves",
            equal(k * d * t**2 / 2 - t * d / 2, -d / (8 * k)),
            Symbolic(),
            where={t: 1 / (2 * k)},
        ),
        Step(
            "and a member's chance to be missed is smaller, with $k - 1$ for k. So $n e^{-d/(8k)}$ "
            "bounds the failure probability, and $ε$ costs at most a width of",
            equal(n * sp.exp(-d / (8 * k)), epsilon),
            Symbolic(),
            where={d: 8 * k * sp.log(n / epsilon)},
        ),
        Step(
            "The bound from exact tails is smaller, here at the rounded widths",
            at_most(failure, epsilon),
            Rationals(sufficient_widths()),
            where={failure: THRESHOLDED_FAILURE_BOUND.expression},
        ),
        Step(
            "With $ln cosh t$ in place of $t^2/2$ the exponent per unit of width is exact, by "
            "Cramer's theorem. Its best t solves $tanh t = 1/(2k)$, and gives",
            equal(-t / 2 + k * sp.log(sp.cosh(t)), THRESHOLD_SLOPE.expression),
            Digits(points((k,), ((1,), (2,), (3,), (10,), (50,)))),
            where={t: SADDLE},
        ),
        Step(
            "close to Hoeffding's $1/(8k)$",
            equal(
                THRESHOLD_SLOPE.expression,
                -1 / (8 * k) - 1 / (192 * k**3) + remainder(k, 5),
            ),
            Series(k, 5, terms=8),
        ),
        Step(
            "Non-members are accepted independently of each other given the members, hence in "
            "pairs more often than if they were independent",
            at_most(rate**2, pair),
            Rationals(points((k, d), ((1, 3), (2, 3), (2, 4), (3, 2), (3, 3)))),
            where={
                rate: THRESHOLDED_FALSE_POSITIVE_RATE.expression,
                pair: THRESHOLDED_PAIR_RATE.expression,
            },
        ),
    ),
)
