"""Formulas for random dense codes and their readouts, rivals of the Bloom construction."""

from __future__ import annotations

import sympy as sp

from theory import dense_codes
from theory.formula import Formula
from theory.symbols import N, beta, d, epsilon, k, n, t

c = sp.Symbol("c", positive=True)
_a, _i, _j = sp.symbols("a i j", integer=True, nonnegative=True)

RELATIVE = "0/1 target at alpha = 1, relative to predicting zero"
SIGNS = "random signs, alpha = 1, threshold 1/2, k >= 1, d >= 1"
SIGNS_IN_TASK = "random signs, alpha = 1, threshold 1/2, 1 <= k <= n, d >= 1"

LINEAR_READOUT_ERROR = Formula(
    "relative squared error of a random code with a linear readout",
    (n - 1) / d,
    "exact",
    f"n >= 1, d >= 1, {RELATIVE}; any coefficients alpha where the target is alpha",
    "n-1 cross terms per active token, each of mean square 1/d",
    dense_codes.linear_readout_error,
)

SCALED_READOUT_ERROR = Formula(
    "relative squared error of a random code with the best scaled linear readout",
    (n - 1) / (n - 1 + d),
    "exact",
    f"n >= 1, d >= 1, {RELATIVE}; any coefficients alpha where the target is alpha",
    "minimum over s of (1-s)^2 + s^2 (n-1)/d",
    dense_codes.scaled_readout_error,
)

AFFINE_FLOOR = Formula(
    "least relative squared error of any affine code",
    (n - k) * (n - 1 - d) / (n * (n - 1)),
    "lower bound",
    f"1 <= k <= n, 1 <= d <= n - 1, {RELATIVE}; least-squares readouts attain it",
    "n-1-d equal eigenvalues of the indicators' covariance are lost at rank d",
    dense_codes.affine_floor,
    of=SCALED_READOUT_ERROR,
)

LINEAR_READOUT_WIDTH = Formula(
    "width of a random code with a linear readout",
    sp.ceiling((n - 1) / epsilon),
    "exact",
    f"n >= 2, epsilon > 0 the squared error, {RELATIVE}",
    "(n-1)/d = epsilon",
    dense_codes.linear_readout_width,
)

LARGEST_ERROR_LAW = Formula(
    "largest error of a linear readout",
    sp.sqrt(2 * k * sp.log(n) / d),
    "asymptotic",
    "n, d -> infinity, alpha = 1",
    "the largest of n nearly independent normals of variance k/d",
    dense_codes.largest_error_law,
)

LARGEST_ERROR_OF_GAUSSIANS = Formula(
    "largest error of a linear readout, n normals",
    sp.sqrt(k / d) * sp.Integral(1 - sp.erf(t / sp.sqrt(2)) ** n, (t, 0, sp.oo)),
    "asymptotic",
    "d -> infinity, then n -> infinity with k/n -> 0, alpha = 1",
    "the mean of the largest of n independent |normals| of variance k/d",
    dense_codes.largest_error_of_gaussians,
)

LARGEST_ERROR_BOUND = Formula(
    "bound on the largest error of a linear readout",
    sp.sqrt(2 * k * sp.log(2 * n) / d),
    "upper bound",
    "1 <= k <= n, d >= 1, alpha = 1; signs or directions",
    "maximum of 2n sub-Gaussian variables (Boucheron, Lugosi & Massart 2013, Theorem 2.5)",
    dense_codes.largest_error_bound,
    of=LARGEST_ERROR_OF_GAUSSIANS,
)

MEMBER_SPREAD = Formula(
    "variance of a dense code's logits over the members, at beta = 1",
    (k - 1) * (k - 2) / (k * d),
    "exact",
    "k >= 1, d >= 1, alpha = 1, expectation over random codes",
    "k(k-1)/2 uncorrelated inner products of mean square 1/d, each in two members' logits",
    dense_codes.member_spread,
)

MEMBER_KL = Formula(
    "members' part of the KL of a dense code's softmax, nats",
    beta**2 * (k - 1) * (k - 2) / (2 * k * d),
    "asymptotic",
    "k >= 1, alpha = 1, beta^2 k << d",
    "ln E e^X - E X = Var(X)/2 + ... over the members",
    dense_codes.member_kl,
)

MEMBER_TOTAL_VARIATION = Formula(
    "members' part of the total variation of a dense code's softmax",
    beta * sp.sqrt((k - 1) * (k - 2) / (2 * sp.pi * k * d)),
    "asymptotic",
    "k >= 1, alpha = 1, beta^2 k << d",
    "half the mean absolute deviation of normal logits",
    dense_codes.member_total_variation,
)

LEAKAGE_FLOOR = Formula(
    "leakage floor of a dense code's softmax, nats",
    sp.log(1 + N / k * sp.exp(-beta)),
    "lower bound",
    "1 <= k <= n, beta > 0, alpha = 1, any code with E<e_i, e_j> = 0; equality as d -> infinity",
    "Jensen: the logarithm of a sum of exponentials is convex",
    dense_codes.leakage_floor,
)

KL_BOUND = Formula(
    "KL of a dense code's softmax, nats",
    (k - 1) * d * sp.log(sp.cosh(beta / d))
    + sp.log(1 + N / k * sp.exp(-beta) * sp.cosh(beta / d) ** d),
    "upper bound",
    "1 <= k <= n, d >= 1, beta > 0, alpha = 1, random signs",
    "Jensen: E ln <= ln E, and E e^(beta y) = cosh(beta/d)^(kd) for a non-member",
    dense_codes.kl_bound,
)

_HALF_CUT = sp.ceiling(d / 2)


def _tail(trials: sp.Expr, at_least: sp.Expr) -> sp.Expr:
    """P(Binomial(trials, 1/2) >= at_least)."""
    return sp.Sum(sp.binomial(trials, _j), (_j, at_least, trials)) / 2**trials


THRESHOLDED_FALSE_POSITIVE_RATE = Formula(
    "false-positive rate of a thresholded dense code",
    _tail(k * d, sp.ceiling((k * d + _HALF_CUT) / 2)),
    "exact",
    SIGNS,
    "d y of a non-member is a sum of k d independent signs",
    dense_codes.thresholded_false_positive_rate,
)

THRESHOLDED_FALSE_NEGATIVE_RATE = Formula(
    "false-negative rate of a thresholded dense code",
    _tail((k - 1) * d, sp.floor((k * d - _HALF_CUT) / 2) + 1),
    "exact",
    SIGNS,
    "d y of a member is d plus a sum of (k-1) d independent signs",
    dense_codes.thresholded_false_negative_rate,
)

THRESHOLDED_FAILURE_BOUND = Formula(
    "failure probability of a thresholded dense code",
    sp.Min(
        1,
        k * THRESHOLDED_FALSE_NEGATIVE_RATE.expression
        + 1
        - (1 - THRESHOLDED_FALSE_POSITIVE_RATE.expression) ** N,
    ),
    "upper bound",
    SIGNS_IN_TASK,
    "union bound; non-members are independent given the members (Jensen)",
    dense_codes.thresholded_failure_bound,
)

# B is a sum of k (d - a) signs; |B| <= A - cut
_A = 2 * _i - k * _a
_WITHIN = sp.Sum(
    sp.binomial(k * (d - _a), _j),
    (
        _j,
        sp.ceiling((k * (d - _a) - (_A - _HALF_CUT)) / 2),
        sp.floor((k * (d - _a) + (_A - _HALF_CUT)) / 2),
    ),
)
THRESHOLDED_PAIR_RATE = Formula(
    "probability that a thresholded dense code accepts both of two non-members",
    sp.Sum(
        sp.binomial(d, _a)
        * sp.Sum(
            sp.binomial(k * _a, _i) * _WITHIN,
            (_i, sp.ceiling((k * _a + _HALF_CUT) / 2), k * _a),
        ),
        (_a, 0, d),
    )
    / 2 ** (d + k * d),
    "exact",
    SIGNS,
    "the two codes agree in a of d coordinates; sums over the members there and elsewhere",
    dense_codes.thresholded_pair_rate,
)

SUFFICIENT_THRESHOLDED_WIDTH = Formula(
    "sufficient width of a thresholded dense code",
    sp.ceiling(8 * k * sp.log(n / epsilon)),
    "upper bound",
    "signs or directions, alpha = 1, threshold 1/2, 1 <= k <= n, 0 < epsilon < 1",
    "Hoeffding: n e^(-d/(8k)) <= epsilon",
    dense_codes.sufficient_thresholded_width,
)

_U = 1 / (2 * k)
THRESHOLD_SLOPE = Formula(
    "slope of ln P_fail of a thresholded dense code, nats per unit of width",
    -k * ((1 + _U) * sp.log(1 + _U) + (1 - _U) * sp.log(1 - _U)) / 2,
    "asymptotic",
    "d -> infinity; random signs, alpha = 1, threshold 1/2, k >= 1",
    "Cramér: k d signs reach the mean 1/(2k)",
    dense_codes.threshold_slope,
)

FORMULAS = (
    LINEAR_READOUT_ERROR,
    SCALED_READOUT_ERROR,
    AFFINE_FLOOR,
    LINEAR_READOUT_WIDTH,
    LARGEST_ERROR_LAW,
    LARGEST_ERROR_OF_GAUSSIANS,
    LARGEST_ERROR_BOUND,
    MEMBER_SPREAD,
    MEMBER_KL,
    MEMBER_TOTAL_VARIATION,
    LEAKAGE_FLOOR,
    KL_BOUND,
    THRESHOLDED_FALSE_POSITIVE_RATE,
    THRESHOLDED_FALSE_NEGATIVE_RATE,
    THRESHOLDED_PAIR_RATE,
    THRESHOLDED_FAILURE_BOUND,
    SUFFICIENT_THRESHOLDED_WIDTH,
    THRESHOLD_SLOPE,
)

SECOND_MOMENT = Formula(
    "second moment of the coefficients",
    (1 + c + c**2) / 3,
    "exact",
    "c >= 1, alpha uniform on [1, c]",
    "the integral of alpha^2 over [1, c], divided by c - 1",
    dense_codes.second_moment,
)

TIGHT_FRAME_ERROR = Formula(
    "relative squared error of a unit-norm tight frame of zero sum with a linear readout",
    (n - k) * (n - d) / (d * (n - 1)) + (k - 1) / (n - 1),
    "exact",
    f"1 <= k <= n, 1 <= d <= n - 1, neither d = 1 nor d = n - 2 where n is odd, {RELATIVE}; any "
    "such frame, no mean over codes",
    "squared inner products sum to n^2/d (Welch), and a row of them to 0",
    dense_codes.tight_frame_error,
)

_VARIANCE = (c - 1) ** 2 / 12
_MEAN_SQUARE = ((1 + c) / 2) ** 2

AFFINE_FLOOR_OF_COEFFICIENTS = Formula(
    "least relative squared error of any affine code, coefficients on [1, c]",
    (
        (n - 1 - d) * (SECOND_MOMENT.expression - _MEAN_SQUARE * (k - 1) / (n - 1)) / n
        + _VARIANCE / n
    )
    / SECOND_MOMENT.expression,
    "lower bound",
    "1 <= k <= n, 1 <= d <= n - 1, alpha independent and uniform on [1, c], target alpha",
    "eigenvalues of the target's covariance: n-1 equal, one of Var(alpha) k/n",
    dense_codes.affine_floor,
)

MEMBER_SPREAD_OF_COEFFICIENTS = Formula(
    "variance of a dense code's logits over the members, coefficients on [1, c]",
    (k - 1) / d * (SECOND_MOMENT.expression - (SECOND_MOMENT.expression + _MEAN_SQUARE) / k)
    + (k - 1) / k * _VARIANCE,
    "exact",
    "k >= 1, d >= 1, alpha independent and uniform on [1, c], expectation over random codes",
    "as at alpha = 1, and the coefficients' own variance",
    dense_codes.member_spread,
)

# letters and domains of their own: tests/theory/test_dense_codes.py draws them
OTHERS = (
    SECOND_MOMENT,
    TIGHT_FRAME_ERROR,
    AFFINE_FLOOR_OF_COEFFICIENTS,
    MEMBER_SPREAD_OF_COEFFICIENTS,
)
