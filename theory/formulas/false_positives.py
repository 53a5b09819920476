"""Formulas for false positives over independent hashes: rates, laws, bounds."""

from __future__ import annotations

import sympy as sp

from theory import false_positives
from theory.formula import Formula
from theory.formulas.union_size import COVERAGE, MISSING_BITS_GIVEN_UNION, UNION_SIZE_LAW
from theory.symbols import N, d, k, m, p, q, r, rho, s, w, x

i = sp.Symbol("i", integer=True, nonnegative=True)
j = sp.Symbol("j", integer=True, nonnegative=True)

# g_j: a member's hash avoids j given bits, to the k-th power: all k members' hashes do
AVOIDANCE = sp.binomial(d - j, m) / sp.binomial(d, m)

CODE = "k >= 1, 1 <= m <= d"
TASK = "1 <= k <= n, 1 <= m <= d"

FALSE_POSITIVE_RATE = Formula(
    "false-positive rate",
    sp.Sum((-1) ** j * sp.binomial(m, j) * AVOIDANCE**k, (j, 0, m)),
    "exact",
    CODE,
    "inclusion-exclusion over a token's m bits; E f(W)",
    false_positives.false_positive_rate,
)

FAILURE_PROBABILITY = Formula(
    "failure probability",
    sp.Sum(UNION_SIZE_LAW.expression * (1 - (1 - COVERAGE.expression) ** N), (w, m, d)),
    "exact",
    TASK,
    "N conditionally independent non-members given the union",
    false_positives.failure_probability,
)

EXPECTED_FALSE_POSITIVES = Formula(
    "expected number of false positives",
    N * FALSE_POSITIVE_RATE.expression,
    "exact",
    TASK,
    "linearity of expectation",
    false_positives.expected_false_positives,
)

FALSE_POSITIVE_COUNT_LAW = Formula(
    "law of the number of false positives",
    sp.Sum(
        UNION_SIZE_LAW.expression
        * sp.binomial(N, x)
        * COVERAGE.expression**x
        * (1 - COVERAGE.expression) ** (N - x),
        (w, m, d),
    ),
    "exact",
    TASK + ", 0 <= x <= n - k",
    "a Binomial(N, f(W)) mixed over the law of W",
    lambda x, n, k, d, m: float(false_positives.false_positive_count_law(n, k, d, m, x)),
)

MISSING_BITS_LAW = Formula(
    "law of a non-member's missing bits",
    sp.Sum((-1) ** (j - s) * sp.binomial(j, s) * sp.binomial(m, j) * AVOIDANCE**k, (j, s, m)),
    "exact",
    CODE + ", 0 <= s <= m",
    "inclusion-exclusion for exactly s of a token's m bits uncovered",
    lambda s, k, d, m: float(false_positives.missing_bits_law(k, d, m)[s]),
)

UNION_SIZE_GIVEN_FALSE_POSITIVE = Formula(
    "law of the union size given a false positive",
    UNION_SIZE_LAW.expression * COVERAGE.expression / FALSE_POSITIVE_RATE.expression,
    "exact",
    CODE + ", m <= w <= d",
    "Bayes' rule for one given non-member",
    lambda w, k, d, m: float(false_positives.union_size_given_false_positive(k, d, m)[w]),
)

MISSING_BITS_GIVEN_FALSE_POSITIVE = Formula(
    "law of a non-member's missing bits given another's false positive",
    sp.Sum(
        UNION_SIZE_GIVEN_FALSE_POSITIVE.expression * MISSING_BITS_GIVEN_UNION.expression,
        (w, m, d),
    ),
    "exact",
    CODE + ", 0 <= s <= m",
    "non-members are independent given the union",
    lambda s, k, d, m: float(false_positives.missing_bits_given_false_positive(k, d, m)[s]),
)

LOWER_BOUND = Formula(
    "lower bound on the false-positive rate",
    sp.Product((d * p - i) / (d - i), (i, 0, m - 1)),
    "lower bound",
    CODE,
    "Jensen: f is convex on w >= m - 1 and E W = d p; equality at k = 1, m = 1, m = d",
    false_positives.lower_bound,
    of=FALSE_POSITIVE_RATE,
)

UPPER_BOUND = Formula(
    "upper bound on the false-positive rate",
    p**m,
    "upper bound",
    CODE,
    "negative association of the covered bits (Joag-Dev & Proschan 1983); equality at m = 1, m = d",
    false_positives.upper_bound,
    of=FALSE_POSITIVE_RATE,
)

CLASSIC = Formula(
    "classic false-positive rate",
    (1 - sp.exp(-k * m / d)) ** m,
    "asymptotic",
    CODE,
    "Bloom 1970; bits as if filled independently with replacement",
    false_positives.classic,
)

SECOND_ORDER = Formula(
    "second-order false-positive rate",
    p**m * sp.exp(-m * (m - 1) / (2 * d) * r**2 * sp.log(1 / q)),
    "asymptotic",
    "k >= 1, 1 <= m < d, m^3 << d^2, the fill p bounded away from 0 and 1",
    "expansion of ln E f(W) about the mean union; next term O(m^3/d^2)",
    false_positives.second_order,
)

BERNOULLI_RATE = Formula(
    "false-positive rate of independent Bernoulli bits",
    (1 - rho * (1 - rho) ** k) ** d,
    "exact",
    "k >= 1, d >= 1, 0 < rho < 1",
    "a bit fails a non-member when it owns the bit and no member does; rho = 1/(k+1) is best",
    false_positives.bernoulli_false_positive_rate,
)

EVERY_FAILURE_IS_A_FALSE_POSITIVE = Formula(
    "union bound on the failure probability",
    EXPECTED_FALSE_POSITIVES.expression,
    "upper bound",
    TASK,
    "Markov's inequality for the number of false positives",
    false_positives.expected_false_positives,
    of=FAILURE_PROBABILITY,
)

INDEPENDENT_FALSE_POSITIVES = Formula(
    "failure probability as if false positives were independent",
    1 - (1 - FALSE_POSITIVE_RATE.expression) ** N,
    "upper bound",
    TASK,
    "Jensen: x -> 1 - (1 - x)^N is concave, and the true value is its mean over f(W)",
    false_positives.independent_failure_probability,
    of=FAILURE_PROBABILITY,
)

FORMULAS = (
    FALSE_POSITIVE_RATE,
    FAILURE_PROBABILITY,
    EXPECTED_FALSE_POSITIVES,
    FALSE_POSITIVE_COUNT_LAW,
    MISSING_BITS_LAW,
    UNION_SIZE_GIVEN_FALSE_POSITIVE,
    MISSING_BITS_GIVEN_FALSE_POSITIVE,
    LOWER_BOUND,
    UPPER_BOUND,
    CLASSIC,
    SECOND_ORDER,
    BERNOULLI_RATE,
    EVERY_FAILURE_IS_A_FALSE_POSITIVE,
    INDEPENDENT_FALSE_POSITIVES,
)
